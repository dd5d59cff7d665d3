"""A job as it goes on, from outside: told by the events of the API, looked at where there are none.

A stream that breaks off is taken up again behind the last event that came. What came in between
without an event, and whatever else may have been missed, a look at the job itself tells: after each
stream, when one has been quiet for long, and again and again where no stream can be had.
"""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from graph import telemetry
from service.cli.client import ApiProblem, Client, Unreachable
from service.cli.screen import CommandFailed

# How often a job is looked at that has no stream, and how soon a stop is noticed.
LOOK_SECONDS = 0.5
# A stream that has said nothing for so long may have nothing to say, or not get through to us.
QUIET_SECONDS = 15.0
# How long no other stream is asked for after one was refused.
REFUSED_SECONDS = 10.0
# How long an API may be away or too busy: somebody may be about to start it again.
PATIENCE_SECONDS = 30.0

_BUSY = frozenset({429, 502, 503, 504})

Job = dict[str, Any]
Stopped = Callable[[], bool]


def follow(client: Client, job_id: str, *, stopped: Stopped = lambda: False) -> Iterator[Job]:
    """The job whenever something was heard of it; the last time, it has ended.

    Raises ApiProblem for what cannot be seen, Unreachable when the API stays away, CommandFailed
    when it is to be stopped.
    """
    return _Follower(client, job_id, stopped).jobs()


class _Follower:
    """One job, and what was heard of it."""

    def __init__(self, client: Client, job_id: str, stopped: Stopped) -> None:
        self._client = client
        self._path = f"/v1/jobs/{job_id}"
        self._stopped = stopped
        self._job: Job = {}
        # The last event that came, behind which the next stream begins.
        self._last: str | None = None
        self._refused_until = 0.0

    def jobs(self) -> Iterator[Job]:
        yield self._look()
        while not self._over():
            if time.monotonic() < self._refused_until:
                self._pause()
            else:
                yield from self._listen()
            if not self._over():
                yield self._look()

    def _listen(self) -> Iterator[Job]:
        """What a stream tells, until it ends or the job does."""
        try:
            with self._client.stream(f"{self._path}/events", after=self._last) as response:
                yield from self._heard(response)
        except (CommandFailed, SSEError) as error:
            self._check_stop()
            if not isinstance(error, Unreachable):
                self._refused_until = time.monotonic() + REFUSED_SECONDS
        if not self._over():
            self._pause()  # a stream that ends as it begins is not asked for without end

    def _heard(self, response: httpx.Response) -> Iterator[Job]:
        quiet_until = time.monotonic() + QUIET_SECONDS
        with _arriving(response) as events:
            while not self._over():
                self._check_stop()
                try:
                    event = events.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    if time.monotonic() < quiet_until:
                        continue
                    yield self._look()
                else:
                    if event is None:
                        return
                    if isinstance(event, SSEError):
                        raise event
                    if self._is_news(event):
                        yield self._job
                quiet_until = time.monotonic() + QUIET_SECONDS

    def _is_news(self, event: ServerSentEvent) -> bool:
        """Whether the event said something new of the job, which is known now."""
        self._last = event.id or self._last
        if not event.data:
            return False  # it only says how soon to come again
        told = event.json()
        if event.event == "job":
            self._job = told
            return True
        known = self._job["progress"]
        # What is told again after a break is older than the job that was told first.
        if event.event != "progress" or told["percent"] < known["percent"]:
            return False
        progress = {
            "stage": told["stage"],
            "percent": told["percent"],
            "files_done": told["done"],
            "files_total": told["total"],
            "nodes": told.get("nodes", known["nodes"]),
            "edges": told.get("edges", known["edges"]),
        }
        self._job = {**self._job, "progress": progress}
        return True

    def _look(self) -> Job:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._job = self._client.get(self._path)
            except (ApiProblem, Unreachable) as error:
                busy = isinstance(error, Unreachable) or error.problem.get("status") in _BUSY
                if not busy or time.monotonic() > until:
                    raise
                self._pause()
            else:
                return self._job

    def _over(self) -> bool:
        return self._job.get("finished_at") is not None

    def _pause(self) -> None:
        self._check_stop()
        time.sleep(LOOK_SECONDS)

    def _check_stop(self) -> None:
        if self._stopped():
            raise CommandFailed("The job is not waited for any longer.")


_Events = queue.SimpleQueue[ServerSentEvent | SSEError | None]


@contextmanager
def _arriving(response: httpx.Response) -> Iterator[_Events]:
    """The events of a stream as they arrive, and None behind the last; SSEError if it is none.

    They are read by a thread, so that whoever waits for one may do so for as long as it likes.
    """
    arrived: _Events = queue.SimpleQueue()

    def read() -> None:
        # However a stream ends, the next one begins where it was.
        with suppress(httpx.HTTPError, httpx.StreamError):
            try:
                for event in EventSource(response).iter_sse():
                    arrived.put(event)
            except SSEError as error:
                arrived.put(error)
        arrived.put(None)

    reader = threading.Thread(target=telemetry.carried(read), daemon=True, name="events")
    reader.start()
    try:
        yield arrived
    finally:
        # Only so does a thread come back that waits for bytes.
        connection = response.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        reader.join()
