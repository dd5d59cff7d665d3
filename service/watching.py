"""A stream of events for one client: what there is, then what happens, for as long as it may.

Events come from the tenant's stream in Redis; what they say of a job's state is read from its row,
so that a client is never told what is not so. When the stream is quiet, or Redis is away, the rows
are looked at by the clock: everything is told then too, only later.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, TypeVar

import structlog
from anyio import to_thread
from fastapi.sse import ServerSentEvent
from starlette.requests import Request

from graph.errors import CodeloomError, JobNotFound, StreamsExhausted
from graph.model.ids import JobId
from graph.model.jobs import ENDED
from graph.storage import jobs
from graph.storage.jobs import Job
from graph.storage.keys import Caller
from graph.storage.session import Connection, tenant_session
from service import auth
from service import jobs as shape
from service.deps import Backend, may_use
from service.streams import Listener, StreamEvent

# How often a stream says that it lives and looks at the rows.
LOOK_SECONDS = 10.0
# A stream does not live for ever: whoever still listens comes back with the last event's id.
LIFE_SECONDS = 15 * 60.0
# Streams that a tenant may have open in one process.
MOST_STREAMS = 100

# How soon it is noticed that nobody listens any more, or that the server stops.
_TICK_SECONDS = 0.5
_RETRY_MILLISECONDS = 1000
# Unfinished jobs that a tenant's stream looks at.
_MOST_JOBS = 200

_log = structlog.get_logger(__name__)

Found = TypeVar("Found")


class _Told(NamedTuple):
    """What of a job is told: another value is news."""

    state: str
    percent: int
    stage: str | None
    attempt: int


class Watch:
    """One client that watches one job, or all of its tenant's."""

    def __init__(
        self,
        request: Request,
        caller: Caller,
        backend: Backend,
        *,
        job_id: JobId | None = None,
        after: str | None = None,
    ) -> None:
        self._request = request
        self._caller = caller
        self._backend = backend
        self._job_id = job_id
        self._after = after
        self._told: dict[JobId, _Told] = {}
        self._look_at = 0.0

    async def check(self) -> None:
        """Nothing, if the stream can begin: once it has, there is no status to refuse it with.

        Raises JobNotFound, StreamsExhausted.
        """
        if self._backend.hub.count(self._caller.tenant_id) >= MOST_STREAMS:
            raise StreamsExhausted
        await self._read(self._jobs)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """The stream. It ends with the job, with the right to see it, or after a quarter hour."""
        until = time.monotonic() + LIFE_SECONDS
        async with self._backend.hub.listen(self._caller.tenant_id, self._after) as listener:
            yield ServerSentEvent(comment="codeloom", retry=_RETRY_MILLISECONDS)
            for job in await self._read(self._jobs):
                yield self._tell(job)
            while not self._over() and time.monotonic() < until and await self._may():
                try:
                    news = await self._next(listener)
                except CodeloomError as error:
                    # The job is gone, or the database is away: whoever comes back is told which.
                    _log.info("events.ended", error=error.code)
                    return
                for event in news:
                    yield event

    async def _next(self, listener: Listener) -> list[ServerSentEvent]:
        if listener.behind:
            listener.behind = False
            return await self._changes()
        event = await listener.next(_TICK_SECONDS)
        told = await self._heard(event) if event is not None else []
        # However busy the tenant's stream is: it may be with others' jobs, and may have lost ours.
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            told += [ServerSentEvent(comment="alive"), *await self._changes()]
        return told

    async def _heard(self, event: StreamEvent) -> list[ServerSentEvent]:
        """What an event of the tenant says to this client."""
        if self._job_id is not None and event.job_id != self._job_id:
            return []
        if event.kind == "progress":
            return [self._progress(event)] if self._is_further(event) else []
        found = await self._read(lambda connection: self._one(connection, event.job_id))
        return [self._tell(job, event.id) for job in found if self._is_news(job)]

    async def _changes(self) -> list[ServerSentEvent]:
        """What the rows say that was not told yet."""
        return [self._tell(job) for job in await self._read(self._jobs) if self._is_news(job)]

    def _jobs(self, connection: Connection) -> list[Job]:
        """The job, or the tenant's unfinished ones and those that were unfinished when told."""
        if self._job_id is not None:
            job = jobs.get(connection, job_id=self._job_id)
            may_use(self._caller, job.repository_id, JobNotFound)
            return [job]
        unfinished = jobs.unfinished(connection, limit=_MOST_JOBS)
        known = {job.id for job in unfinished}
        gone = [each for each in self._unfinished() if each not in known]
        return [*unfinished, *(job for each in gone for job in self._one(connection, each))]

    def _one(self, connection: Connection, job_id: JobId) -> list[Job]:
        try:
            job = jobs.get(connection, job_id=job_id)
            may_use(self._caller, job.repository_id, JobNotFound)
        except JobNotFound:
            return []  # of a repository that is not this key's, or erased meanwhile
        return [job]

    def _tell(self, job: Job, event_id: str | None = None) -> ServerSentEvent:
        self._told[job.id] = _told(job)
        return ServerSentEvent(event="job", id=event_id, data=shape.job(job))

    def _progress(self, event: StreamEvent) -> ServerSentEvent:
        data = {"job_id": str(event.job_id), **event.data}
        return ServerSentEvent(event="progress", id=event.id, data=data)

    def _is_news(self, job: Job) -> bool:
        return self._told.get(job.id) != _told(job)

    def _is_further(self, event: StreamEvent) -> bool:
        """Whether it goes on from what was told: what is told again may be older than the rows."""
        told = self._told.get(event.job_id)
        if told is None or told.state in ENDED:
            return False
        percent = event.data.get("percent")
        return not isinstance(percent, int) or percent >= told.percent

    def _unfinished(self) -> list[JobId]:
        return [job_id for job_id, told in self._told.items() if told.state not in ENDED]

    def _over(self) -> bool:
        """Whether the one job has ended. A tenant's stream has no such end."""
        return self._job_id in self._told and not self._unfinished()

    async def _may(self) -> bool:
        """Whether the key still opens the tenant, somebody listens, and the server goes on."""
        if self._request.scope["state"].get("stopping"):
            return False
        try:
            await self._backend.callers.caller(auth.presented(self._request.headers))
        except CodeloomError:
            return False
        return not await self._request.is_disconnected()

    async def _read(self, look: Callable[[Connection], Found]) -> Found:
        def within() -> Found:
            settings = self._backend.settings
            with tenant_session(self._caller.tenant_id, settings=settings) as connection:
                return look(connection)

        return await to_thread.run_sync(within)


def _told(job: Job) -> _Told:
    return _Told(job.state, job.percent, job.stage, job.attempt)
