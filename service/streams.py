"""What happens in a tenant, as it happens: one reader of Redis for all that listen in this process.

Each tenant has one stream, to which workers and the dispatcher append. Listeners come and go; the
hub looks at the streams that somebody listens to, all at once, a few times a second: so it costs
one connection and one small request, however many listen. A Redis that is away makes listeners
wait; they look at the rows then, which are the truth anyway.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from graph.model import names
from graph.model.ids import JobId, TenantId

# How late an event may be told, and how long Redis is left alone after it failed.
_LOOK_SECONDS = 0.25
_PAUSE_SECONDS = 2.0
_TIMEOUT_SECONDS = 1.0
# What one look takes of a stream, and what a listener may be behind before it loses events.
_BATCH = 500
_BACKLOG = 2000
BEGINNING = "0-0"
# Connections of a process to Redis, by which name Redis lists them.
CONNECTIONS = 4
CLIENT_NAME = "codeloom-events"

# What XREAD answers: of each stream, its entries by id.
_Answer = list[tuple[str, list[tuple[str, dict[str, str]]]]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One entry of a tenant's stream."""

    id: str
    job_id: JobId
    kind: str  # `progress` or `state`
    data: dict[str, object]


class Listener:
    """The events of one tenant, from a place in its stream on."""

    def __init__(self, key: str, after: str) -> None:
        self.key = key
        self.after = after
        self._waiting: asyncio.Queue[StreamEvent] = asyncio.Queue(_BACKLOG)
        # Whether events were lost because they came faster than they were taken.
        self.behind = False

    def offer(self, entry_id: str, event: StreamEvent | None) -> None:
        """The event is for this listener, which may have it already; None only moves its place."""
        if _place(entry_id) <= _place(self.after):
            return
        self.after = entry_id
        if event is None:
            return
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.behind = True

    async def next(self, seconds: float) -> StreamEvent | None:
        """The next event, or None after that time."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._waiting.get(), seconds)
        return None


class Hub:
    """All listeners of a process."""

    def __init__(self, redis_url: str | None) -> None:
        self._client = _client(redis_url) if redis_url else None
        self._listeners: dict[str, set[Listener]] = {}
        self._reader: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listen(self, tenant_id: TenantId, after: str | None) -> AsyncIterator[Listener]:
        """The tenant's events after that place, or from now on."""
        key = names.event_stream(tenant_id)
        listener = Listener(key, await self._place(key, after))
        self._listeners.setdefault(key, set()).add(listener)
        if self._reader is None and self._client is not None:
            self._reader = asyncio.create_task(self._read())
        try:
            yield listener
        finally:
            self._listeners[key].discard(listener)
            if not self._listeners[key]:
                del self._listeners[key]

    def count(self, tenant_id: TenantId) -> int:
        """How many listen to this tenant here."""
        return len(self._listeners.get(names.event_stream(tenant_id), ()))

    async def close(self) -> None:
        """No event is told any more."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        if self._client is not None:
            await self._client.aclose()

    async def _place(self, key: str, after: str | None) -> str:
        """After which entry a listener goes on: its last one, or the newest.

        An entry newer than that is not of this stream, which began anew since, and no other would
        ever come after it.
        """
        if self._client is None:
            return BEGINNING
        try:
            last = await self._client.xrevrange(key, count=1)
        except RedisError:
            # Whatever came before is in the rows that are told first.
            return after or BEGINNING
        newest = str(last[0][0]) if last else BEGINNING
        return newest if after is None else min(after, newest, key=_place)

    async def _read(self) -> None:
        """Look at what somebody listens to, until nobody does."""
        while self._listeners:
            try:
                await self._look()
            except RedisError as error:
                _log.warning("events.redis_unavailable", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)
        self._reader = None

    async def _look(self) -> None:
        assert self._client is not None  # noqa: S101  there is no reader without one
        places: dict[bytes | str | memoryview, int | bytes | str | memoryview] = {
            key: min((each.after for each in listeners), key=_place)
            for key, listeners in self._listeners.items()
        }
        answer = await self._client.xread(places, count=_BATCH)
        for key, entries in cast("_Answer", answer):
            for entry_id, fields in entries:
                event = _event(entry_id, fields)
                for listener in self._listeners.get(key, ()):
                    listener.offer(entry_id, event)


def _client(redis_url: str) -> redis.asyncio.Redis:
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        redis_url,
        max_connections=CONNECTIONS,
        timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        client_name=CLIENT_NAME,
        decode_responses=True,
        encoding_errors="replace",
    )
    return redis.asyncio.Redis.from_pool(pool)


def _event(entry_id: str, fields: dict[str, str]) -> StreamEvent | None:
    """The event; None for what is none, such as one of another release: the rows tell of that."""
    try:
        data, job_id = json.loads(fields["data"]), JobId(UUID(fields["job"]))
        return StreamEvent(entry_id, job_id, fields["kind"], dict(data.items()))
    except (AttributeError, LookupError, ValueError, RecursionError) as error:
        _log.warning("events.malformed", error=type(error).__name__)
        return None


def _place(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
