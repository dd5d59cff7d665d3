"""Holds a job while it runs.

Three things make a job ours: the row says `running` under our epoch, the lease in it has not run
out, and our database session holds the lock on the job's id. A thread keeps all three, writes the
progress on the way, and notices when one is gone or the job was cancelled; whoever works asks
`check` between items. The lock is what the lease cannot give: a frozen worker that goes on after
its lease ran out would otherwise work beside its successor until its next look at the row.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import structlog

from graph import telemetry
from graph.errors import (
    BudgetExceeded,
    CodeloomError,
    JobCancelled,
    LeaseLost,
    StorageError,
    TenantSuspended,
)
from graph.model import names
from graph.model.ids import JobId, TenantId
from graph.model.jobs import PARSE_STAGE
from graph.settings import Settings
from graph.storage import jobs, reservations
from graph.storage.locks import SessionLock
from graph.storage.session import Connection, tenant_session
from workers import budget, stopping
from workers.events import EventWriter
from workers.progress import Position, Progress
from workers.stopping import WorkerStops

_TICK_SECONDS = 0.5
# How often a job says how far it is to the one that waits for it.
_FORWARD_SECONDS = 2.0
# How soon a job learns that it was cancelled while it has no progress to write.
_LOOK_SECONDS = 2.0
# A job that heeds no limit is told of as what it is, this long before its process is ended.
_LAST_WORD_SECONDS = 10.0
# A job whose former worker is frozen but still connected is looked at again after this.
_BUSY_SECONDS = 2.0
# A worker that is frozen for so many leases has frozen for good: it loses the lock, and the job
# goes on elsewhere. What it may still do, should it wake up, is fenced off by the epoch.
_FROZEN_LEASES = 10

_log = structlog.get_logger(__name__)


class Lease:
    """The right to run one job. `hold` makes one; it ends with the block."""

    def __init__(self, settings: Settings, job: jobs.ClaimedJob, lock: SessionLock) -> None:
        self.job = job
        self.progress = Progress(job.percent)
        self._settings = settings
        self._lock = lock
        self._events = EventWriter(settings.redis_url)
        self._over = threading.Event()
        self._lost: type[LeaseLost | JobCancelled | TenantSuspended | WorkerStops] | None = None
        self._kept_at = time.monotonic()
        self._forward_at = self._kept_at + _FORWARD_SECONDS
        limit = settings.job_hard_limit_seconds
        self._ends_at = self._kept_at + limit - min(_LAST_WORD_SECONDS, limit / 5)
        # Bytes so far, while something is being fetched.
        self._fetched: Callable[[], int] | None = None
        self._thread = threading.Thread(
            target=telemetry.carried(self._keep), daemon=True, name="lease"
        )

    def should_stop(self) -> bool:
        """Whether the work is no longer wanted. Cheap, and safe from any thread."""
        return self._lost is not None

    def check(self) -> None:
        """Raise what `reason` tells if the work is no longer wanted."""
        if self._lost is not None:
            raise self._lost

    def reason(self) -> CodeloomError | None:
        """Why the work is no longer wanted: then whatever else ended it is only how it stopped."""
        return self._lost() if self._lost is not None else None

    def start(self) -> bool:
        """Keep the lease from now on; False if the worker that had the job before still lives."""
        if not self._lock.acquire():
            return False
        self._thread.start()
        return True

    @contextmanager
    def fetching(self, fetched: Callable[[], int]) -> Iterator[None]:
        """What the block has fetched is charged to the tenant, also when it does not end well.

        And while it runs: a fetch that is cancelled or killed has cost what it has cost.
        """
        self._fetched = fetched
        try:
            yield
        finally:
            self._fetched = None
            with self._session() as conn:
                self._spend(conn, fetched(), over=True)

    def show(self, waits: jobs.Shown | None) -> None:
        """Tell those who watch how far the job is that waits for this one, if one does."""
        if waits is not None:
            far = Position(PARSE_STAGE.name, waits.done, waits.total, waits.percent)
            self._events.append(self.job.tenant_id, waits.job_id, "progress", far.event())

    def stop(self) -> None:
        """Stop keeping it: what the row says next is written by whoever settles the job."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def end(self) -> None:
        """Let go of everything."""
        self.stop()
        self._lock.close()
        self._events.close()

    def _keep(self) -> None:
        interval = min(self._settings.heartbeat_seconds, _LOOK_SECONDS)
        beat_at = time.monotonic() + interval
        while self._lost is None and not self._over.wait(_TICK_SECONDS):
            if stopping.announced():
                self._lost = WorkerStops
                return
            if time.monotonic() > self._ends_at:
                self._overrun()
                return
            news = self.progress.news()
            if news is None and time.monotonic() < beat_at:
                continue
            try:
                self._judge(self._write(news))
                beat_at = time.monotonic() + interval
                self._forward()
            except StorageError as error:
                self._endure(error)
            if news is not None:
                self._events.append(self.job.tenant_id, self.job.id, "progress", news.event())

    def _overrun(self) -> None:
        """Fail a job that did not end at its soft limit: else it would count as a lost worker's."""
        self._lost = LeaseLost
        message = f"The job took {self._settings.job_hard_limit_seconds / 60:.0f} minutes."
        try:
            with self._session() as conn:
                code, job_id, epoch = BudgetExceeded.code, self.job.id, self.job.epoch
                jobs.fail(conn, job_id=job_id, epoch=epoch, code=code, message=message)
        except (StorageError, LeaseLost) as error:
            _log.warning("lease.overrun_not_written", error=error.code)

    def _write(self, news: Position | None) -> jobs.Beat:
        """Extend the lease and, if there is any, write the progress: one short transaction."""
        self._keep_lock()
        job_id, epoch, fetched = self.job.id, self.job.epoch, self._fetched
        with self._session() as conn:
            if news is not None:
                jobs.progress(
                    conn,
                    job_id=job_id,
                    epoch=epoch,
                    stage=news.stage,
                    done=news.done,
                    total=news.total,
                    percent=news.percent,
                    counts=news.counts,
                )
            seconds = self._settings.lease_seconds
            beat = jobs.beat(conn, job_id=job_id, epoch=epoch, lease_seconds=seconds)
            if fetched is not None:
                self._spend(conn, fetched(), over=False)
            return beat

    def _forward(self) -> None:
        """In a transaction of its own, after that of the lease, which shall hold no other's row."""
        now = time.monotonic()
        if self.job.parent_id is None or now < self._forward_at:
            return
        self._forward_at = now + _FORWARD_SECONDS
        with self._session() as conn:
            waits = jobs.forward(conn, job_id=self.job.id)
        self.show(waits)

    def _spend(self, conn: Connection, clone_bytes: int, *, over: bool) -> None:
        job_id, epoch = self.job.id, self.job.epoch
        reservations.spend(conn, job_id=job_id, epoch=epoch, clone_bytes=clone_bytes, over=over)

    def _session(self) -> AbstractContextManager[Connection]:
        return tenant_session(self.job.tenant_id, role="worker", settings=self._settings)

    def _keep_lock(self) -> None:
        """Take the lock anew if its session ended, as when the database restarts.

        Somebody may hold it: our own former session, of whose end the server has not heard yet, or
        a successor. Which of them, the row says, which is asked next.
        """
        try:
            if self._lock.held():
                return
        except StorageError:
            _log.warning("lease.session_ended")
        self._lock.close()
        self._lock = _lock(self._settings, self.job.tenant_id, self.job.id)
        if not self._lock.acquire():
            _log.warning("lease.lock_not_free")

    def _judge(self, answer: jobs.Beat) -> None:
        match answer:
            case jobs.Beat.HELD:
                self._kept_at = time.monotonic()
            case jobs.Beat.LOST:
                self._lost = LeaseLost
            case jobs.Beat.CANCELLED:
                self._lost = JobCancelled
            case jobs.Beat.SUSPENDED:
                self._lost = TenantSuspended

    def _endure(self, error: CodeloomError) -> None:
        """Without a database nobody can take the job either, until the lease has run out."""
        _log.warning("lease.not_extended", error=error.code)
        if time.monotonic() - self._kept_at > self._settings.lease_seconds:
            self._lost = LeaseLost


@contextmanager
def hold(
    settings: Settings, tenant_id: TenantId, job_id: JobId, epoch: int, owner: str
) -> Iterator[Lease | None]:
    """Claim the job and keep it for the block; None if it is not ours to run.

    That is no error: the message came twice, or late, the job has been cancelled since, or its
    tenant is suspended or has used up its month. Raises StorageError, and leaves the job unclaimed,
    when there is no connection for its lock: else it would count as one that a worker died with.
    """
    with _lock(settings, tenant_id, job_id) as lock:
        job = _claim(settings, tenant_id, job_id, epoch, owner)
        if job is None:
            yield None
            return
        lease = Lease(settings, job, lock)
        try:
            if lease.start():
                yield lease
            else:
                _give_back(settings, job)
                yield None
        finally:
            lease.end()


def _lock(settings: Settings, tenant_id: TenantId, job_id: JobId) -> SessionLock:
    """The lock of the job, not held yet."""
    frozen = _FROZEN_LEASES * settings.lease_seconds
    return SessionLock(settings, names.job_lock(tenant_id, job_id), silent_seconds=frozen)


def _claim(
    settings: Settings, tenant_id: TenantId, job_id: JobId, epoch: int, owner: str
) -> jobs.ClaimedJob | None:
    with tenant_session(tenant_id, role="worker", settings=settings) as conn:
        return jobs.claim(
            conn,
            job_id=job_id,
            epoch=epoch,
            owner=owner,
            lease_seconds=settings.lease_seconds,
            wanted=budget.most(settings),
        )


def _give_back(settings: Settings, job: jobs.ClaimedJob) -> None:
    """The worker that had the job before is silent, but its session lives: it may go on."""
    _log.warning("lease.former_holder_lives")
    try:
        with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
            jobs.retry_later(
                conn,
                job_id=job.id,
                epoch=job.epoch,
                delay_seconds=_BUSY_SECONDS,
                code=LeaseLost.code,
                message="The worker that had the job before has not let go of it.",
                count_attempt=False,
            )
    except LeaseLost:
        _log.info("lease.ended_meanwhile")  # it was cancelled, say
