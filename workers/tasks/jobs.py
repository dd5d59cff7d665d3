"""The tasks of jobs, and the only place where an error becomes an outcome of a job.

Outcomes are four. *Done*: the pipeline published. *Retry*: something outside failed in a way that
passes; a later attempt is counted. *Later*: not even an attempt, since nothing of the job was
tried: the host has no time, the worker no room. *Failed*: trying again would fail again.
"""

import errno
import os
import socket
from collections.abc import Callable
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from graph.errors import (
    BudgetExceeded,
    CodeloomError,
    HostRefused,
    JobCancelled,
    LeaseLost,
    TenantSuspended,
)
from graph.model.ids import JobId, TenantId
from graph.model.jobs import INGEST, PURGE
from graph.settings import Settings, get_settings
from graph.storage import jobs
from graph.storage.session import Connection, tenant_session
from parsers.sandbox import ParserDidNotStart
from workers import lease, pipeline, purge
from workers.celery_app import app
from workers.git.errors import ScratchFull
from workers.lease import Lease
from workers.queues import INGEST_TASK, PURGE_TASK
from workers.stopping import WorkerStops
from workers.tasks.logged import LoggedTask

# What costs a job no attempt, and how many seconds it waits: its host or its worker has no room for
# it now, the worker was stopped, or its tenant was suspended, which the dispatcher heeds.
_LATER: dict[type[CodeloomError], float] = {
    HostRefused: 120,
    ScratchFull: 120,
    WorkerStops: 0,
    TenantSuspended: 0,
}

# What a job of each kind does. It ends with the job succeeded, or raises why it has not.
WORK: dict[str, Callable[[Lease, Settings], None]] = {
    INGEST.name: pipeline.ingest,
    PURGE.name: purge.purge,
}

_log = structlog.get_logger(__name__)


@app.task(name=INGEST_TASK, base=LoggedTask)
def parse_and_index_repository(tenant_id: str, job_id: str, epoch: int) -> str:
    """Bring the ref of a job to its commit. Returns how the message ended, for the log.

    A message that came twice, late or from nowhere does nothing.
    """
    return run_message(tenant_id, job_id, epoch)


@app.task(name=PURGE_TASK, base=LoggedTask)
def purge_repository(tenant_id: str, job_id: str, epoch: int) -> str:
    """Remove what nobody can ask a repository for. As for every task of a job."""
    return run_message(tenant_id, job_id, epoch)


def run_message(tenant_id: str, job_id: str, epoch: int) -> str:
    """Run the job that a message names, whatever the message is like."""
    try:
        tenant, job, number = TenantId(UUID(tenant_id)), JobId(UUID(job_id)), int(epoch)
    except (ValueError, AttributeError, TypeError):
        return "malformed"
    return run(tenant, job, number, get_settings())


def run(tenant_id: TenantId, job_id: JobId, epoch: int, settings: Settings) -> str:
    """Claim the job, do what its kind says, settle the outcome in the row of the job."""
    owner = f"{socket.gethostname()}:{os.getpid()}"
    with lease.hold(settings, tenant_id, job_id, epoch, owner) as held:
        if held is None:
            return "stale"
        outcome = "succeeded"
        try:
            WORK[held.job.kind](held, settings)
        except Exception as error:  # noqa: BLE001  the one place that answers for all of them
            held.stop()
            outcome = _settle(held, held.reason() or error, settings)
        return outcome


class ParsersUnavailable(CodeloomError):
    """The worker could not start a parser process."""

    code = "parsers_unavailable"
    kind = "unavailable"
    transient = True


def _settle(held: Lease, error: Exception, settings: Settings) -> str:
    """Write what an error means for the job, and return it in a word."""
    if isinstance(error, JobCancelled | LeaseLost):
        return error.code  # the row says so already, or belongs to another
    ours = _in_our_words(error)
    try:
        with tenant_session(held.job.tenant_id, role="worker", settings=settings) as conn:
            return _write(conn, held.job, ours)
    except LeaseLost as lost:
        return lost.code


def _in_our_words(error: Exception) -> CodeloomError:
    """An error that may be stored and shown."""
    match error:
        case CodeloomError():
            return error
        case SoftTimeLimitExceeded():
            return BudgetExceeded("The job took longer than a job may.")
        case MemoryError():
            return BudgetExceeded("The repository needs more memory than the worker has.")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return ScratchFull()
        case ParserDidNotStart():
            return ParsersUnavailable()
        case _:
            # A mistake of ours. What it says may hold source text or paths: it is for our log only.
            _log.error("job.raised", error=type(error).__name__, exc_info=error)
            return CodeloomError("Something unexpected happened; the operator can see what.")


def _write(conn: Connection, job: jobs.ClaimedJob, error: CodeloomError) -> str:
    later = _LATER.get(type(error))
    if later is None and not error.transient:
        jobs.fail(conn, job_id=job.id, epoch=job.epoch, code=error.code, message=error.message)
        return "failed"
    return jobs.retry_later(
        conn,
        job_id=job.id,
        epoch=job.epoch,
        code=error.code,
        message=error.message,
        delay_seconds=later,
        count_attempt=later is None,
    )
