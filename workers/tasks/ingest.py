"""The task of an ingestion, and the only place where an error becomes an outcome of its job.

Outcomes are four. *Done*: the pipeline published. *Retry*: something outside failed in a way that
passes; a later attempt is counted. *Later*: not even an attempt, since nothing of the job was
tried: the host has no time, the worker no room. *Failed*: trying again would fail again.
"""

import os
import socket
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from graph.errors import (
    BudgetExceeded,
    CodeloomError,
    HostRefused,
    JobCancelled,
    LeaseLost,
    TenantValidationError,
)
from graph.model.ids import JobId, TenantId
from graph.settings import Settings, get_settings
from graph.storage import jobs
from graph.storage.session import tenant_session
from workers import lease, pipeline
from workers.celery_app import app
from workers.git.errors import ScratchFull
from workers.lease import Lease
from workers.queues import INGEST_TASK
from workers.tasks.logged import LoggedTask

# How long a job waits when its host or its worker has no room for it now.
_LATER_SECONDS = 120.0
_LATER = (HostRefused, ScratchFull)

_log = structlog.get_logger(__name__)


@app.task(name=INGEST_TASK, base=LoggedTask)
def parse_and_index_repository(tenant_id: str, job_id: str, epoch: int) -> str:
    """Bring the ref of a job to its commit. Returns how the message ended, for the log.

    A message that came twice, late or from nowhere does nothing.
    """
    try:
        tenant, job = TenantId(UUID(tenant_id)), JobId(UUID(job_id))
    except (ValueError, AttributeError, TypeError):
        return "malformed"
    return run(tenant, job, int(epoch), get_settings())


def run(tenant_id: TenantId, job_id: JobId, epoch: int, settings: Settings) -> str:
    """Claim the job, run the pipeline, settle the outcome in the row of the job."""
    owner = f"{socket.gethostname()}:{os.getpid()}"
    with lease.hold(settings, tenant_id, job_id, epoch, owner) as held:
        if held is None:
            return "stale"
        outcome = "succeeded"
        try:
            pipeline.ingest(held, settings)
        except Exception as error:  # noqa: BLE001  the one place that answers for all of them
            outcome = _settle(held, error, settings)
        held.end({"state": outcome})
        return outcome
