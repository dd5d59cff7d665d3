"""Turns of tenants: how many requests of one tenant a process works on at once.

Threads and connections to the database are shared by all tenants of a process. Without turns, a
tenant that asks slow questions side by side, each within its limits, holds all of them, and whoever
comes next waits for it. With them its next request waits for its own, before it has a thread.
"""

import asyncio
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.errors import RateLimited
from graph.settings import Settings
from graph.storage.keys import Caller
from service.errors import answer

# Streams of events stay open and hold neither a thread nor a connection while they do.
_STREAMS = "events"
# More than a client that asks side by side sends ahead; each takes memory and a connection.
_WAITING = 100


class _Line:
    """The requests of one tenant: those that have a turn, and those that wait for one."""

    def __init__(self, at_once: int) -> None:
        self.turns = asyncio.Semaphore(at_once)
        self.length = 0


class _Turn:
    """The turn of one request: it ends when its answer begins, however long a client takes it.

    Then the work is done; what is left of an answer in pieces is read as the client takes them.
    """

    def __init__(self, line: _Line, send: Send) -> None:
        self._line = line
        self._send = send
        self._ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.end()
        await self._send(message)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._line.turns.release()


class TenantTurns:
    """Works on so many requests of a tenant at once, and on the next ones in their order."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.at_once = settings.tenant_requests_at_once
        self.seconds = settings.tenant_turn_timeout_seconds
        self._lines: dict[UUID, _Line] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when it is its turn, or answer 429 when that takes too long."""
        caller: Caller | None = scope["state"].get("caller") if scope["type"] == "http" else None
        if caller is None or _is_stream(scope):
            await self.app(scope, receive, send)
            return
        line = self._lines.setdefault(caller.tenant_id, _Line(self.at_once))
        line.length += 1
        try:
            if await self._has_turn(line):
                turn = _Turn(line, send)
                try:
                    await self.app(scope, receive, turn.send)
                finally:
                    turn.end()
                return
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[caller.tenant_id]
        response = answer(scope, self._refusal())
        response.headers["retry-after"] = str(self.seconds)
        await response(scope, receive, send)

    async def _has_turn(self, line: _Line) -> bool:
        if line.length > self.at_once + _WAITING:
            return False
        try:
            async with asyncio.timeout(self.seconds):
                await line.turns.acquire()
        except TimeoutError:
            return False
        return True

    def _refusal(self) -> RateLimited:
        return RateLimited(
            f"{self.at_once} requests of this tenant are under way, and others wait. Send fewer at"
            " once."
        )


def _is_stream(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.rpartition("/")[2] == _STREAMS
