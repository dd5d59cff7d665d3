"""The tasks of jobs, and the only place where an error becomes an outcome of a job.

Outcomes are four. *Done*: the work says so itself. The others are for errors (`workers.outcomes`):
*retry*, where a later attempt is counted; *later*, which is not even an attempt; *failed*.
"""

import os
import socket
import time
from collections.abc import Callable
from uuid import UUID

import structlog

from graph.errors import JobCancelled, LeaseLost, StorageError
from graph.model.ids import JobId, TenantId
from graph.model.jobs import INGEST, PARSE, PURGE, JobState
from graph.settings import Settings, get_settings
from graph.storage import jobs
from graph.storage.session import Connection, tenant_session
from workers import lease, pipeline, purge, shard
from workers.celery_app import app
from workers.lease import Lease
from workers.outcomes import Outcome, Retry, outcome_of
from workers.queues import INGEST_TASK, PURGE_TASK, SHARD_TASK
from workers.tasks.logged import LoggedTask, tell_retry

# How soon it is tried again to say how a job ended.
_AGAIN_SECONDS = 0.5

_log = structlog.get_logger(__name__)

# As far as the database counts.
_LAST_EPOCH = 2**31 - 1

# What a job of each kind does. It ends with the job succeeded, or waiting for its children, or
# raises why it has not.
WORK: dict[str, Callable[[Lease, Settings], None]] = {
    INGEST.name: pipeline.ingest,
    PARSE.name: shard.parse,
    PURGE.name: purge.purge,
}


@app.task(name=INGEST_TASK, base=LoggedTask)
def parse_and_index_repository(tenant_id: str, job_id: str, epoch: int) -> str:
    """Bring the ref of a job to its commit. Returns how the message ended, for the log.

    A message that came twice, late or from nowhere does nothing.
    """
    return run_message(tenant_id, job_id, epoch)


@app.task(name=SHARD_TASK, base=LoggedTask)
def parse_shard(tenant_id: str, job_id: str, epoch: int) -> str:
    """Store the facts of one shard of a large ingestion. As for every task of a job."""
    return run_message(tenant_id, job_id, epoch)


@app.task(name=PURGE_TASK, base=LoggedTask)
def purge_repository(tenant_id: str, job_id: str, epoch: int) -> str:
    """Remove what nobody can ask a repository for. As for every task of a job."""
    return run_message(tenant_id, job_id, epoch)


def run_message(tenant_id: str, job_id: str, epoch: int) -> str:
    """Run the job that a message names, whatever the message is like."""
    try:
        tenant, job = TenantId(UUID(tenant_id)), JobId(UUID(job_id))
    except (ValueError, AttributeError, TypeError):
        return "malformed"
    if type(epoch) is not int or not 0 < epoch <= _LAST_EPOCH:
        return "malformed"
    return run(tenant, job, epoch, get_settings())


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


def _settle(held: Lease, error: Exception, settings: Settings) -> str:
    """Write what an error means for the job, and return it in a word."""
    if isinstance(error, JobCancelled | LeaseLost):
        return error.code  # the row says so already, or belongs to another
    outcome = outcome_of(error)
    until = time.monotonic() + settings.lease_seconds
    while True:
        try:
            with tenant_session(held.job.tenant_id, role="worker", settings=settings) as conn:
                word = _write(conn, held.job, outcome)
        except LeaseLost as lost:
            return lost.code
        except StorageError as away:
            # What ended the job may be that the database restarts. Said when it is back, it is one
            # try that failed; unsaid, the job would count as one that a worker died with.
            if time.monotonic() > until:
                raise
            _log.warning("job.not_settled", error=away.code)
            time.sleep(_AGAIN_SECONDS)
        else:
            if word == JobState.QUEUED:
                tell_retry(error)
            return word


def _write(conn: Connection, job: jobs.ClaimedJob, outcome: Outcome) -> str:
    job_id, epoch, code, message = job.id, job.epoch, outcome.code, outcome.message
    if outcome.retry is Retry.PERMANENT:
        jobs.fail(conn, job_id=job_id, epoch=epoch, code=code, message=message)
        return "failed"
    return jobs.retry_later(
        conn,
        job_id=job_id,
        epoch=epoch,
        code=code,
        message=message,
        delay_seconds=outcome.wait_seconds,
        count_attempt=outcome.retry is Retry.TRANSIENT,
        patience_seconds=outcome.patience_seconds,
    )
