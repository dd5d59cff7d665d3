"""Erases a tenant with all that it has, wherever that is.

The row of the erasure is the truth; a message, or a command, only says that somebody should look at
it. Whoever does takes the lock and goes on where the row says that the last one was. Killed at any
point, the work is the same again; the counts are those of what was removed, each once.

First the tenant's jobs: they are cancelled, and their workers, who learn it at their next beat, are
waited for by the locks that they hold. Then rows, objects, keys in Redis, and the tenant's own row
at the very end. Its API keys open nothing since the erasure was asked for.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Literal

import redis
import structlog

from graph import telemetry
from graph.errors import LeaseLost, StorageError
from graph.model import names
from graph.model.ids import ErasureId
from graph.settings import Settings
from graph.storage import erasing, erasures, locks
from graph.storage.artifacts import open_store
from graph.storage.erasing import InHand, Work
from graph.storage.locks import SessionLock
from graph.storage.session import system_session, tenant_session
from workers import failpoints

Outcome = Literal["finished", "busy", "stopped", "unknown"]

BATCH_ROWS = 5000
_BATCH_NAMES = 200
_POLL_SECONDS = 0.2
# How often the row says that somebody is at work while there is nothing else to write.
_SIGN_SECONDS = 2.0
# Then another message goes on: a task must end before Celery's own limits end it.
_LONGEST_SECONDS = 30 * 60
# A worker that was frozen while its tenant was erased may wake and store something; it is looked
# for as long as that.
_CHECKED_HOURS = 25

_log = structlog.get_logger(__name__)


def run(
    settings: Settings,
    erasure_id: ErasureId,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    batch_rows: int = BATCH_ROWS,
) -> Outcome:
    """Go on with an erasure until it is finished; `busy` if somebody else does.

    Raises StorageError when the database, the object store or Redis does not answer.
    """
    work = _take_up(settings, erasure_id)
    if work is None:
        return "unknown"
    with telemetry.about(tenant_id=work.tenant_id), _alone(settings, work) as lock:
        if lock is None:
            return "busy"
        # As the one before has left it.
        work = _take_up(settings, erasure_id) or work
        if work.state == "finished":
            return "finished"
        try:
            _Erasing(settings, work, lock, should_stop, batch_rows).run()
        except _Stopped:
            return "stopped"
        except LeaseLost:
            return "busy"
        _log.info("tenant.erased")
        return "finished"


def check_finished(settings: Settings) -> int:
    """Look again for what late writers left outside of the database; returns how much it was."""
    with system_session("erasure", settings=settings) as conn:
        finished = erasures.finished_within(conn, hours=_CHECKED_HOURS)
    return sum(_check(settings, erasure.id) for erasure in finished)


def _check(settings: Settings, erasure_id: ErasureId) -> int:
    work = _take_up(settings, erasure_id)
    if work is None:
        return 0
    with telemetry.about(tenant_id=work.tenant_id), _alone(settings, work) as lock:
        if lock is None:
            return 0
        again = _Erasing(settings, work, lock, lambda: False, BATCH_ROWS)
        again.empty_elsewhere()
        erasing.note_check(settings, again.work)
        late = again.removed
        if late:
            _log.warning("tenant.erased_again", things=late)
        return late


def _take_up(settings: Settings, erasure_id: ErasureId) -> Work | None:
    with system_session("erasure", settings=settings) as conn:
        return erasing.take_up(conn, erasure_id=erasure_id)


@contextmanager
def _alone(settings: Settings, work: Work) -> Iterator[SessionLock | None]:
    with SessionLock(settings, names.lock(work.tenant_id, "erasure"), role="eraser") as lock:
        yield lock if lock.acquire() else None


class _Stopped(Exception):
    """Whoever is at work has to end; the next one goes on."""


class _Erasing:
    """One go at an erasure. `work` is what the row says after the last step."""

    def __init__(
        self,
        settings: Settings,
        work: Work,
        lock: SessionLock,
        should_stop: Callable[[], bool],
        batch_rows: int,
    ) -> None:
        self.work = work
        self.removed = 0  # outside of the database
        self._settings = settings
        self._lock = lock
        self._should_stop = should_stop
        self._batch_rows = batch_rows
        self._until = time.monotonic() + _LONGEST_SECONDS

    def run(self) -> None:
        """All of it. Raises _Stopped when it is not to be done now, LeaseLost when others do it."""
        if self.work.state != "erasing":
            self._stop_jobs()
        while True:
            self._delete_rows()
            self.empty_elsewhere()
            self._reach("end")
            if erasing.finish(self._settings, self.work) is not None:
                return
            # A request that was let in before the end wrote something: that goes too.

    def empty_elsewhere(self) -> None:
        """There is nothing of the tenant in the object store and in Redis."""
        if self.work.in_hand is not None:
            self._remove(self.work.in_hand)
        self._empty_store()
        self._empty_redis()

    def _go_on(self) -> None:
        if self._should_stop() or time.monotonic() > self._until:
            raise _Stopped
        if not self._lock.held():
            raise LeaseLost

    def _reach(self, place: str) -> None:
        """Where a test may interfere."""
        failpoints.reach(f"erase-{place}", self._settings.codeloom_failpoint, self._should_stop)

    def _stop_jobs(self) -> None:
        """No worker is at a job of the tenant, and none will be.

        A worker that is frozen is not waited for forever: the tables take nothing from it once
        their tenant is gone, and what it may store elsewhere is looked for later.
        """
        self._write_down(state="stopping")
        patience = time.monotonic() + 2 * self._settings.lease_seconds
        signed = time.monotonic()
        while self._is_worked_on():
            self._go_on()
            now = time.monotonic()
            if now > patience:
                _log.warning("erasure.worker_not_waited_for")
                break
            if now > signed + _SIGN_SECONDS:
                signed = now
                self._write_down()
            time.sleep(_POLL_SECONDS)
        self._write_down(state="erasing")
        self._reach("stopped")

    def _is_worked_on(self) -> bool:
        tenant_id, settings = self.work.tenant_id, self._settings
        cancelled = True
        while cancelled:
            with tenant_session(tenant_id, role="worker", settings=settings) as conn:
                cancelled = erasing.cancel_jobs(conn)
        with tenant_session(tenant_id, role="eraser", settings=settings) as conn:
            jobs = erasing.jobs_to_wait_for(conn)
        held = [names.job_lock(tenant_id, job_id) for job_id in jobs]
        return bool(locks.held_among(settings, held, role="eraser"))

    def _delete_rows(self) -> None:
        for table in erasing.TABLES:
            last, more = None, True
            while more:
                self._go_on()
                with tenant_session(
                    self.work.tenant_id, role="eraser", settings=self._settings
                ) as conn:
                    batch = erasing.delete_batch(conn, table, after=last, limit=self._batch_rows)
                    counted = self.work.evidence.and_rows(table.name, batch.rows)
                    after = self.work
                    if batch.rows:
                        after = erasing.write_down(conn, self.work, evidence=counted)
                self.work = after
                last, more = batch.last, batch.last is not None
                self._reach(table.name)

    def _empty_store(self) -> None:
        store = open_store(self._settings.artifacts)
        found = ((each.key, each.size_bytes) for each in store.list(self.work.tenant_id))
        self._drain("objects", found)
        store.forget(self.work.tenant_id)

    def _empty_redis(self) -> None:
        with self._redis() as client:
            if client is not None:
                pattern = names.redis_pattern(self.work.tenant_id)
                found = client.scan_iter(match=pattern, count=1000)
                self._drain("redis_keys", ((key.decode("latin-1"), 0) for key in found))

    def _drain(self, kind: str, found: Iterable[tuple[str, int]]) -> None:
        rest = iter(found)
        while batch := tuple(islice(rest, _BATCH_NAMES)):
            self._go_on()
            hand = InHand(kind, batch)
            self._write_down(in_hand=hand)
            self._reach(f"{kind}-in-hand")
            self._remove(hand)

    def _remove(self, hand: InHand) -> None:
        """Remove what is written down, which may be gone already, and count it."""
        gone = [name for name, _ in hand.names]
        evidence = self.work.evidence
        if hand.kind == "objects":
            store = open_store(self._settings.artifacts)
            for name in gone:
                store.delete(name)
            sizes = [(names.kind_of_object(name), size) for name, size in hand.names]
            evidence = evidence.and_objects(sizes)
        else:
            with self._redis() as client:
                if client is not None:
                    client.unlink(*(name.encode("latin-1") for name in gone))
            evidence = evidence.and_redis_keys(len(gone))
        self._reach(f"{hand.kind}-removed")
        self._write_down(in_hand=None, evidence=evidence)
        self.removed += len(gone)

    @contextmanager
    def _redis(self) -> Iterator["redis.Redis | None"]:
        url = self._settings.redis_url
        if url is None:
            yield None
            return
        try:
            with redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=5) as client:
                yield client
        except redis.RedisError as error:
            raise StorageError("Redis did not answer.") from error

    def _write_down(self, **changes: object) -> None:
        with system_session("erasure", settings=self._settings) as conn:
            after = erasing.write_down(conn, self.work, **changes)
        self.work = after
