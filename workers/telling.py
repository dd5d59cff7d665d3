"""Tells Celery what was dispatched, in a thread of the dispatcher of its own.

A Redis that is away or slow takes seconds to say so. Whoever leads has no such time: it would be
taken for frozen, and nobody would take jobs back from dead workers meanwhile.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from graph import telemetry
from graph.model.ids import ErasureId
from graph.storage.jobs import Dispatched
from workers import messages

# How soon a message is tried again that Redis did not take.
_AGAIN_SECONDS = 0.5
# How long a dispatcher that stops waits for what it has yet to tell. What remains is dispatched
# again when its lease is over.
_LAST_SECONDS = 3.0

_log = structlog.get_logger(__name__)


class _Message(NamedTuple):
    """Something to be told, as long as it is not of the past."""

    until: float
    send: Callable[[], None]


class Teller:
    """Tells for as long as its block lasts, in order."""

    def __init__(self) -> None:
        # Told as soon as Redis is there: waiting until the reaper takes these jobs back would cost
        # minutes for a restart of seconds.
        self._untold: deque[_Message] = deque()
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=telemetry.carried(self._run), daemon=True, name="teller"
        )

    def jobs(self, chosen: Iterable[Dispatched], *, until: float) -> None:
        """Tell of these, before that moment (monotonic): after it the reaper takes them back."""
        for job in chosen:
            self._add(_Message(until, partial(_tell_of, job)))

    def erasures(self, due: Iterable[ErasureId], *, until: float) -> None:
        """Tell of these, before that moment."""
        for erasure_id in due:
            self._add(_Message(until, partial(messages.publish_erasure, erasure_id)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._news.set()
        self._thread.join(_LAST_SECONDS)

    def _add(self, message: _Message) -> None:
        self._untold.append(message)
        self._news.set()

    def _run(self) -> None:
        while True:
            # In this order: what is added after the look at the queue is news again.
            stopping = self._stopped.is_set()
            self._news.clear()
            told = self._tell()
            if stopping:
                return
            if not told:
                self._stopped.wait(_AGAIN_SECONDS)
            elif not self._stopped.is_set():
                self._news.wait()

    def _tell(self) -> bool:
        """Whether everything is told."""
        while self._untold:
            message = self._untold[0]
            if time.monotonic() < message.until:
                try:
                    message.send()
                except messages.BrokerUnavailable as error:
                    _log.warning("dispatcher.broker_unavailable", error=error.code)
                    return False
            self._untold.popleft()
        return True


def _tell_of(job: Dispatched) -> None:
    messages.publish(job)
    with telemetry.about(tenant_id=job.tenant_id, job_id=job.job_id):
        _log.info("job.dispatched", epoch=job.epoch)
