"""Speaks with the application as a server does, and keeps every byte and every log line.

No client library stands between: what two answers differ in is what the application made different.
"""

import asyncio
import json as json_
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlencode
from uuid import UUID

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

# A request that is not answered after so long is a failure, however slow the machine.
DEADLINE_SECONDS = 60
LISTENING_SECONDS = 0.5
# Change with every request, whoever asks for what.
VARYING = {b"x-request-id", b"ratelimit", b"date"}
_UUID = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b")


@dataclass(frozen=True)
class Reply:
    """An answer, byte for byte."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    # False if the application failed after it had begun: then the connection is closed.
    whole: bool = True

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name.encode()]
        return found[0].decode("latin-1") if found else None

    def json(self) -> Any:
        return json_.loads(self.body)

    @property
    def text(self) -> str:
        """Everything that was sent, to be searched."""
        headers = b"\n".join(b": ".join(pair) for pair in self.headers)
        return (headers + b"\n\n" + self.body).decode("utf-8", "surrogateescape")

    def compared(self) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
        """The answer as a stranger compares it: all but what names this one request."""
        request_id = (self.header("x-request-id") or "").encode()
        body = self.body.replace(request_id, b"") if request_id else self.body
        return self.status, tuple(pair for pair in self.headers if pair[0] not in VARYING), body


class Wire:
    """The application, running."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self.app = app
        self.lines: list[str] = []
        # Ids that were named in a request: a later answer may repeat them.
        self.sent: set[str] = set()
        self._portal = portal

    def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        leaves: bool = False,
        cancelled_after: float | None = None,
    ) -> Reply:
        """The answer to one request.

        Whoever `leaves` takes the first bytes of it and hangs up. With `cancelled_after`, so many
        seconds later the request is given up, as by a server that stops; that raises
        CancelledError unless it had ended.
        """
        self.sent |= ids_in(f"{path} {query} {json}")
        body = b"" if json is None else json_.dumps(json).encode()
        sent = {"host": "api.example.test", **(headers or {})}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        if body:
            sent |= {"content-type": "application/json", "content-length": str(len(body))}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method.upper(),
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": urlencode(query or {}, doseq=True).encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("192.0.2.7", 50_000),
            "server": ("api.example.test", 80),
            "state": {},
        }
        reply: Reply
        if cancelled_after is None:
            reply = self._portal.call(_exchange, self.app, scope, body, leaves)
        else:
            task = self._portal.start_task_soon(_exchange, self.app, scope, body, leaves)
            # Not later than it ends: what is given up is given up in the middle.
            wait([task], cancelled_after)
            task.cancel()
            reply = task.result()
        return reply


def ids_in(text: str) -> set[str]:
    """The ids in a text, with or without dashes."""
    return {str(UUID(found)) for found in _UUID.findall(text)}


async def _exchange(app: FastAPI, scope: dict[str, Any], body: bytes, leaves: bool) -> Reply:
    gone = asyncio.Event()
    asked = False
    start: dict[str, Any] = {}
    received = bytearray()

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/event-stream"):
                # It has no end: whoever has listened for a while goes away.
                asyncio.get_running_loop().call_later(LISTENING_SECONDS, gone.set)
        else:
            received.extend(message.get("body", b""))
            if leaves or not message.get("more_body"):
                gone.set()

    whole = True
    try:
        await asyncio.wait_for(app(scope, receive, send), DEADLINE_SECONDS)
    except Exception:
        if not start:
            raise
        whole = False
    headers = tuple((bytes(name), bytes(value)) for name, value in start["headers"])
    return Reply(start["status"], headers, bytes(received), whole)


class _Kept(logging.Handler):
    """Keeps lines in the form in which the process writes them."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self.setFormatter(root.handlers[0].formatter)
        root.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


@contextmanager
def connected(app: FastAPI) -> Iterator[Wire]:
    """The application, started as a server starts it."""
    with start_blocking_portal() as portal:
        started = app.router.lifespan_context(app)
        with portal.wrap_async_context_manager(started):
            wire = Wire(app, portal)
            with _Kept(wire.lines):
                yield wire
