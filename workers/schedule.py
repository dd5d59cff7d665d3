"""What runs by the clock, as data, and the scheduler of Celery's beat that fires it.

`celery -A workers.celery_app beat`. What must happen (choosing jobs, taking them back from dead
workers) is the dispatcher's, which needs no message to arrive; here is what may come a little late.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from celery.beat import Scheduler
from typing_extensions import override

from graph.errors import StorageError
from graph.model import names
from graph.settings import Settings, get_settings
from graph.storage import periodic
from graph.storage.locks import SessionLock
from graph.storage.periodic import Due
from graph.storage.session import system_session
from workers.messages import BrokerUnavailable, publish_periodic
from workers.queues import GIT, MAINTENANCE, Queue
from workers.reconciling import PERIOD_SECONDS

BEAT_LOCK = names.shared_lock("beat")
# A run that was fired and has not ended is fired again after this long.
AGAIN_SECONDS = 10 * 60
# How soon a second beat takes over when the first one dies, and how soon a changed row is seen.
_LOOK_SECONDS = 2.0
# A beat that leads and has said nothing for so long is taken for frozen: another may lead.
_FROZEN_SECONDS = 8.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Periodic:
    """One row: what is done, how often, and whose workers do it."""

    name: str
    every: timedelta
    meaning: str
    queue: Queue = MAINTENANCE


PERIODIC = (
    Periodic(
        "remove_expired",
        timedelta(hours=1),
        "Idempotency records whose day is over, and records of keys past their retention.",
    ),
    Periodic(
        "archive_audit_events",
        timedelta(days=1),
        "Old audit events go to the object store, are read back, and only then leave the table.",
    ),
    Periodic(
        "purge_repositories",
        timedelta(days=1),
        "A job for each repository that has snapshots past their retention, or was removed.",
    ),
    Periodic(
        "sweep_scratch",
        timedelta(hours=1),
        "Folders and uploads that killed workers of this machine left.",
    ),
    Periodic(
        "sweep_objects",
        timedelta(days=1),
        "Objects of the store that are a day old and that no row names.",
    ),
    Periodic(
        "settle_artifacts",
        timedelta(minutes=5),
        "Objects that killed workers had announced, or were about to remove.",
    ),
    Periodic(
        "check_snapshot",
        timedelta(hours=6),
        "A snapshot, drawn from all that are published, is made anew and compared.",
    ),
    Periodic(
        "check_erasures",
        timedelta(hours=1),
        "What late writers stored of tenants that were erased within the last day.",
    ),
    Periodic(
        "reconcile_refs",
        timedelta(seconds=PERIOD_SECONDS),
        "An ingestion for each ref that is tracked and has moved on its remote.",
        GIT,
    ),
)
BY_NAME = {row.name: row for row in PERIODIC}


class RowScheduler(Scheduler):
    """Fires the rows that are due, while it holds the lock of which there is one.

    It keeps nothing in a file and nothing in memory: another beat, or this one after a restart,
    goes on from the rows. One that is frozen loses the lock; when it wakes up, what it had taken
    and not yet told is told late, and done only if nobody has fired that row again.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  as Celery has them
        self._lock: SessionLock | None = None
        self._said = False
        super().__init__(*args, **options)

    @override
    def setup_schedule(self) -> None:
        """Nothing: the rows are looked at when this beat leads."""

    @override
    def tick(self, *_args: Any, **_options: Any) -> float:
        """One look. Returns the seconds until the next, never long: another beat may have died."""
        settings = get_settings()
        try:
            return self._fire(settings) if self._leads(settings) else _LOOK_SECONDS
        except StorageError as error:
            _log.warning("beat.storage_unavailable", error=error.code)
            self._let_go()
            return _LOOK_SECONDS

    @override
    def close(self) -> None:
        """Another beat may lead from now on."""
        self._let_go()
        super().close()

    def _leads(self, settings: Settings) -> bool:
        if self._lock is not None and self._lock.held():
            return True
        self._let_go()
        lock = SessionLock(settings, BEAT_LOCK, role="maintainer", silent_seconds=_FROZEN_SECONDS)
        if not lock.acquire():
            lock.close()
            if not self._said:
                _log.info("beat.stands_by")
                self._said = True
            return False
        self._lock = lock
        with system_session("maintenance", settings=settings) as conn:
            periodic.ensure(conn, [(row.name, row.every) for row in PERIODIC])
        _log.info("beat.leads")
        return True

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            self._said = False

    def _fire(self, settings: Settings) -> float:
        with system_session("maintenance", settings=settings) as conn:
            due = periodic.take_due(conn, again_seconds=AGAIN_SECONDS)
            wait = periodic.seconds_to_next(conn)
        # After the commit. One that cannot be told is fired again later, like one that was lost.
        for one in due:
            self._tell(one)
        return min(max(wait or 0.0, 0.1), _LOOK_SECONDS)

    def _tell(self, due: Due) -> None:
        try:
            publish_periodic(due.name, due.run, BY_NAME[due.name].queue.name)
        except BrokerUnavailable as error:
            _log.warning("beat.broker_unavailable", name=due.name, error=error.code)
        else:
            _log.info("beat.fired", name=due.name, run=due.run)
