"""The dispatcher and the reaper: `python -m workers.dispatcher`, a process of its own.

It moves jobs from `queued` to `dispatched`, commits, and only then tells Celery; and it takes jobs
back from workers that have gone silent. It depends on no message: a lost Redis makes it wait, not
forget.

Two may run; one leads, by a lock that ends with its session. The other takes over

* within 3 seconds when the leader's process dies, or its connection to the database is cut;
* within 3 seconds when the leader is frozen, because the database ends a session of the lock that
  is silent for two; within 8 if it was frozen in the middle of a transaction, which is ended first;
* within half a minute when its host vanishes without a word, which only the network can tell.

A leader that wakes up again finds its lock gone and stands by. That both may think for a moment
that they lead does no harm: only one chooses at a time, and each choice is a change of rows that
names the state it leaves. What a frozen leader had chosen and told nobody of is chosen again when
its lease of `dispatch_lease_seconds` is over.

Whoever leads looks at the queue when it is called, and each `dispatch_poll_seconds` even if it is
not: a call may be lost, and a delay that ends calls nobody. A listening connection that is cut is
noticed there and then; it is opened again within a second.
"""

import signal
import threading
import time

import structlog

from graph import telemetry
from graph.errors import StorageError
from graph.model import names
from graph.settings import Settings, get_settings
from graph.storage import erasures, jobs, locks
from graph.storage.locks import SessionLock
from graph.storage.session import system_session
from graph.storage.signals import Listener
from workers.forwarding import Forwarder
from workers.queues import LEADER_LOCK
from workers.telling import Teller

# How soon another takes over when the leader dies, and how soon work goes on after a restart of
# the database.
_RETRY_SECONDS = 0.5
# A leader that says nothing for so long is taken for frozen. It says something each half second.
_FROZEN_SECONDS = 2.0
_SIGN_SECONDS = 0.5
# Expired leases are rare: looking for them at each pass would be most of its cost.
_REAP_SECONDS = 1.0
# Workers beat every two seconds. One that has been silent for longer than a restart of the database
# takes, and whose session has ended, was killed: there is no need to wait for its lease.
_SILENT_SECONDS = 10.0
# When the database comes back, nobody has beaten for as long as it was away. Its workers are given
# this long to do so; but not again and again, where it keeps going away.
_CALM_SECONDS, _CALM_AGAIN_SECONDS = 5.0, 60.0

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Leads while it holds the lock. Everything it knows can be lost: the rows say it again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._teller = Teller()
        self._next_reap = 0.0
        self._was_away = False
        self._calm_until = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Lead whenever nobody else does, until told to stop; outlive a restarting database."""
        with self._teller:
            self._run(stop)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with SessionLock(
                    self._settings, LEADER_LOCK, role="dispatcher", silent_seconds=_FROZEN_SECONDS
                ) as lock:
                    if self._stand_by(lock, stop):
                        self._lead(lock, stop)
            except StorageError as error:
                _log.warning("dispatcher.storage_unavailable", error=error.code)
                self._was_away = True
            stop.wait(_RETRY_SECONDS)

    def _stand_by(self, lock: SessionLock, stop: threading.Event) -> bool:
        """Whether we lead; waits for that as long as somebody else does."""
        said = False
        while not stop.is_set():
            if lock.acquire():
                return True
            if not said:
                _log.info("dispatcher.stands_by")
                said = True
            stop.wait(_RETRY_SECONDS)
        return False

    def _lead(self, lock: SessionLock, stop: threading.Event) -> None:
        _log.info("dispatcher.leads")
        self._calm_down()
        with Listener(self._settings) as listener, Forwarder(self._settings):
            while not stop.is_set() and lock.held():
                self._pass()
                self._wait(listener, lock, stop)
        _log.info("dispatcher.leaves")

    def _calm_down(self) -> None:
        now = time.monotonic()
        if self._was_away and now > self._calm_until + _CALM_AGAIN_SECONDS:
            self._calm_until = now + _CALM_SECONDS
        self._was_away = False

    def _wait(self, listener: Listener, lock: SessionLock, stop: threading.Event) -> None:
        """Until there may be something to do; the lock is told meanwhile that we are there."""
        until = time.monotonic() + self._settings.dispatch_poll_seconds
        while not stop.is_set() and lock.held():
            left = until - time.monotonic()
            if left <= 0 or listener.wait(min(left, _SIGN_SECONDS)):
                return

    def _pass(self) -> None:
        """Take back, choose, commit, tell."""
        now = time.monotonic()
        if now >= self._next_reap:
            self._next_reap = now + _REAP_SECONDS
            if now > self._calm_until:
                self._reap()
            self._tell_of_erasures()
        with system_session("dispatch", settings=self._settings) as conn:
            chosen = jobs.pick(
                conn,
                slots=self._settings.dispatch_slots,
                large_slots=self._settings.dispatch_large_slots,
                upkeep_slots=self._settings.dispatch_upkeep_slots,
                lease_seconds=self._settings.dispatch_lease_seconds,
            )
        # The transaction has ended: a worker that is told now finds the row as it is told.
        self._teller.jobs(chosen, until=now + self._settings.dispatch_lease_seconds)

    def _reap(self) -> None:
        lost = self._lost()
        with system_session("dispatch", settings=self._settings) as conn:
            taken_back = jobs.reap(conn, lost=lost)
        for job in taken_back:
            with telemetry.about(tenant_id=job.tenant_id, job_id=job.job_id):
                _log.warning("job.taken_back", state=job.state)

    def _lost(self) -> list[jobs.Silent]:
        """Jobs whose workers fell silent and let go of their locks: they were killed."""
        lease_seconds = self._settings.lease_seconds
        seconds = min(_SILENT_SECONDS, lease_seconds / 2)
        with system_session("dispatch", settings=self._settings) as conn:
            silent = jobs.silent(conn, lease_seconds=lease_seconds, seconds=seconds)
        if not silent:
            return []
        locked = {names.job_lock(each.tenant_id, each.job_id): each for each in silent}
        held = locks.held_among(self._settings, locked, role="dispatcher")
        return [each for name, each in locked.items() if name not in held]

    def _tell_of_erasures(self) -> None:
        """A message that is lost, or whose worker dies, is sent again when a lease has passed."""
        silent = self._settings.dispatch_lease_seconds
        with system_session("dispatch", settings=self._settings) as conn:
            due = erasures.due(conn, silent_seconds=silent)
        self._teller.erasures(due, until=time.monotonic() + silent)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = get_settings()
    telemetry.configure("dispatcher", level=settings.log_level, form=settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Dispatcher(settings).run(stop)


if __name__ == "__main__":
    main()
