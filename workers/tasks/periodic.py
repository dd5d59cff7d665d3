"""The task of everything that runs by the clock: one run of one row."""

import time
from collections.abc import Callable

import structlog

from graph.errors import CodeloomError
from graph.model import names
from graph.settings import Settings, get_settings
from graph.storage import periodic
from graph.storage.locks import SessionLock
from graph.storage.periodic import Due
from graph.storage.session import system_session
from workers import erasure, housekeeping, reconciling, selfcheck, storing
from workers.celery_app import app
from workers.queues import PERIODIC_TASK
from workers.tasks.logged import LoggedTask

# What each row does. A function may be run twice and may be killed; it returns how many things it
# did.
WORK: dict[str, Callable[[Settings], int]] = {
    "remove_expired": housekeeping.remove_expired,
    "archive_audit_events": housekeeping.archive_audit_events,
    "purge_repositories": housekeeping.purge_repositories,
    "sweep_scratch": housekeeping.sweep_scratch,
    "sweep_objects": housekeeping.sweep_objects,
    "settle_artifacts": storing.settle_all,
    "check_snapshot": selfcheck.check_snapshot,
    "check_erasures": erasure.check_finished,
    "reconcile_refs": reconciling.reconcile_refs,
}

# As far as the database counts.
_LAST_RUN = 2**31 - 1

_log = structlog.get_logger(__name__)


@app.task(name=PERIODIC_TASK, base=LoggedTask)
def run_periodic(name: str, run: int) -> str:
    """Do the run if nobody else has it. Returns how the message ended, for the log."""
    return do(Due(name, run), get_settings())


def do(due: Due, settings: Settings) -> str:
    """One run: alone, and written down however it ends. A message from nowhere does nothing."""
    if str(due.name) not in WORK or type(due.run) is not int or not 0 < due.run <= _LAST_RUN:
        return "malformed"
    with SessionLock(settings, names.shared_lock("periodic", due.name), role="maintainer") as lock:
        # Held by an earlier run that takes long, or that froze: this one comes again later.
        if not lock.acquire():
            return "busy"
        with system_session("maintenance", settings=settings) as conn:
            if not periodic.is_latest(conn, due):
                return "stale"
        return _measured(due, settings)


def _measured(due: Due, settings: Settings) -> str:
    started = time.monotonic()
    done, code = None, None
    try:
        done = WORK[due.name](settings)
    except CodeloomError as error:
        code = error.code
        _log.error("periodic.failed", name=due.name, error=code, exc_info=error)
    seconds = time.monotonic() - started
    with system_session("maintenance", settings=settings) as conn:
        periodic.finish(conn, due, done=done, seconds=seconds, code=code)
    return code or "done"
