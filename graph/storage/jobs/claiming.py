"""How a worker takes a job: the message names it, the row decides.

In the transaction of the claim the attempt also reserves what it may use of its tenant's month, so
there is no job that runs without a promise.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from graph.errors import QuotaExceeded, RepositoryNotFound
from graph.model.ids import JobId, RepositoryNumber, TenantId
from graph.model.jobs import KIND_BY_NAME, JobKind
from graph.storage import counters, repositories, reservations
from graph.storage.jobs import holding
from graph.storage.repositories import Repository
from graph.storage.reservations import Allowance
from graph.storage.session import tenant_of

_DISPATCHED = text("""
-- The job, held until the transaction ends: only the first message of the latest dispatch gets it.
select j.kind, j.repository, t.state = 'active' as active
from jobs j join tenants t on t.tenant_id = j.tenant_id
where j.tenant_id = :tenant_id and j.job_id = :job_id and j.epoch = :epoch
  and j.state = 'dispatched'
for no key update of j
""")

_CLAIM = text("""
-- Begin a try, or go on with the one in which the job waited for its children.
update jobs
set state = 'running', attempt = attempt + 1, started_at = now(),
  lease_owner = :owner, lease_until = now() + make_interval(secs => :lease_seconds),
  stage = case when waited then stage end, percent = case when waited then percent else 0 end,
  files_done = case when waited then files_done else 0 end,
  files_total = case when waited then files_total else 0 end, nodes = 0, edges = 0,
  error_code = null, error_message = null
from (
  select coalesce((
    select outcome = 'waiting' from job_attempts
    where tenant_id = :tenant_id and job_id = :job_id order by epoch desc limit 1
  ), false) as waited
) last
where tenant_id = :tenant_id and job_id = :job_id
returning kind, repository, ref, commit_sha, force, parameters, parent_job_id, percent, attempt,
  max_attempts, resets, trace_parent
""")

_PUT_BACK = text("""
-- Chosen before its tenant was suspended: it waits until the tenant is resumed.
update jobs set state = 'queued', lease_owner = null, lease_until = null
where tenant_id = :tenant_id and job_id = :job_id
""")

_WAIT = text("""
-- Back to the queue for a while, without having been tried.
update jobs
set state = 'queued', run_at = now() + make_interval(secs => :delay_seconds),
  lease_owner = null, lease_until = null, error_code = :code, error_message = :message
where tenant_id = :tenant_id and job_id = :job_id
""")

_SET_GENERATION = text("""
update jobs set generation = :generation
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch
""")

# How soon a job looks again whether the jobs it waits for have returned what they reserved.
_WAIT_SECONDS = 10.0
_WAITS = "What is left of the month is reserved by running jobs; this job waits for them."


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that is ours under this epoch, until the lease runs out."""

    id: JobId
    tenant_id: TenantId
    epoch: int
    kind: str
    repository: Repository
    ref: str | None
    commit: str | None
    force: bool
    parameters: dict[str, Any]
    parent_id: JobId | None
    percent: int  # where it begins
    attempt: int
    max_attempts: int
    resets: int
    trace_parent: str | None
    # What the attempt may use of the tenant's month.
    allowance: Allowance


def claim(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    owner: str,
    lease_seconds: int,
    wanted: Allowance,
) -> ClaimedJob | None:
    """The job, now running and ours; None if the message was a duplicate, late or cancelled.

    `wanted` is the most that the attempt can use. None also if there is too little of it: then the
    job has failed, for a month that is used up, or waits again, for others of its tenant to return
    what they do not need.
    """
    held = {"tenant_id": tenant_of(conn), "job_id": job_id, "epoch": epoch}
    claimed = {**held, "owner": owner, "lease_seconds": lease_seconds}
    found = conn.execute(_DISPATCHED, held).first()
    if found is None:
        return None
    if not found.active:
        conn.execute(_PUT_BACK, held)
        return None
    kind = KIND_BY_NAME[found.kind]
    try:
        # It may have been removed while the job was asked for.
        number = RepositoryNumber(found.repository)
        repository = repositories.by_number(conn, number=number, removed_too=kind.of_removed)
        allowance = _promised(conn, held, kind, repository, wanted)
    except (RepositoryNotFound, QuotaExceeded) as error:
        conn.execute(_CLAIM, claimed)
        holding.fail(conn, job_id=job_id, epoch=epoch, code=error.code, message=error.message)
        return None
    if allowance is None:
        waits = {"code": QuotaExceeded.code, "message": _WAITS, "delay_seconds": _WAIT_SECONDS}
        conn.execute(_WAIT, {**held, **waits})
        return None
    return _begun(conn, claimed, kind, repository, allowance)


def _promised(
    conn: Connection, held: dict[str, Any], kind: JobKind, repository: Repository, wanted: Allowance
) -> Allowance | None:
    if not kind.charged:
        return wanted
    return reservations.reserve(
        conn,
        job_id=held["job_id"],
        epoch=held["epoch"],
        wanted=wanted,
        fetches=kind.reads_remote and not repository.is_local,
    )


def _begun(
    conn: Connection,
    claimed: dict[str, Any],
    kind: JobKind,
    repository: Repository,
    allowance: Allowance,
) -> ClaimedJob:
    row = conn.execute(_CLAIM, claimed).one()
    if kind.reads_remote and row.commit_sha is None:
        # Each try looks at the ref anew, so each takes a later place among the results.
        generation = counters.take(conn, name="generations", repository=repository.number)
        conn.execute(_SET_GENERATION, {**claimed, "generation": generation})
    return ClaimedJob(
        id=claimed["job_id"],
        tenant_id=claimed["tenant_id"],
        epoch=claimed["epoch"],
        kind=row.kind,
        repository=repository,
        ref=row.ref,
        commit=row.commit_sha,
        force=row.force,
        parameters=row.parameters,
        parent_id=row.parent_job_id,
        percent=row.percent,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        resets=row.resets,
        trace_parent=row.trace_parent,
        allowance=allowance,
    )
