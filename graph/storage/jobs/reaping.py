"""How jobs are taken back from workers that are gone, over all tenants.

Needs a session for `dispatch`. Whoever beats holds a lease, and a lock that lives as long as its
session. A worker that is frozen keeps its lock, and its job waits for the lease to run out; one
that was killed has lost it, and that can be seen within seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy.exc
from sqlalchemy import Connection, Row, text

from graph.errors import CodeloomError
from graph.model.ids import JobId, TenantId
from graph.model.jobs import MAX_RESETS, JobState
from graph.storage import signals


class WorkerLost(CodeloomError):
    """The worker stopped while it ran this job."""

    code = "worker_lost"
    kind = "unavailable"
    transient = True


_SILENT = text("""
select job_id, tenant_id, epoch from jobs
where state = 'running'
  and lease_until < now() + make_interval(secs => :lease_seconds - :seconds)
""")

_TASK = text("""
select celery_task_id from jobs where tenant_id = :tenant_id and job_id = :job_id
""")

_REAP = text("""
-- Take back what nobody beats for any more, and what is known to be lost. A running job whose
-- worker died too often is dead; the try that was interrupted does not count against it otherwise.
-- Its place in the queue is the one it had: nobody shall have waited in vain, nor look as if not.
with lost as (
  select tenant_id, job_id, state from jobs
  where state in ('dispatched', 'running')
  and (cast(:only as uuid) is null or job_id = cast(:only as uuid)) and (
    lease_until < now()
    or state = 'running' and (job_id, epoch) in (
      select * from unnest(cast(:jobs as uuid[]), cast(:epochs as integer[]))
    )
  )
  for update skip locked
)
update jobs j
set state = case when l.state = 'running' and j.resets + 1 >= :max_resets
    then 'dead' else 'queued' end,
  finished_at = case when l.state = 'running' and j.resets + 1 >= :max_resets then now() end,
  resets = j.resets + (l.state = 'running')::int,
  attempt = greatest(j.attempt - (l.state = 'running')::int, 0),
  error_code = case when l.state = 'running' then 'worker_lost' else j.error_code end,
  error_message = case when l.state = 'running'
    then 'The worker stopped while it ran this job.' else j.error_message end,
  lease_owner = null, lease_until = null
from lost l
where j.tenant_id = l.tenant_id and j.job_id = l.job_id
returning j.job_id, j.tenant_id, j.state, l.state as was, j.resets
""")

_LATE = text("""
-- What there is to be taken back, each by itself.
select job_id from jobs
where state in ('dispatched', 'running') and (
  lease_until < now() or (job_id, epoch) in (
    select * from unnest(cast(:jobs as uuid[]), cast(:epochs as integer[]))
  )
)
""")

# A worker that froze in a transaction may hold what one of its jobs, or of their children, needs
# to end. It is not waited for: that would keep the jobs of everybody else.
_IMPATIENT = text("set local lock_timeout = '100ms'")
# What is charged is posted at the commit, by one after the other.
_PATIENT = text("set local lock_timeout to default")


@dataclass(frozen=True, slots=True)
class Silent:
    """A running job that nobody has beaten for lately, under this epoch."""

    job_id: JobId
    tenant_id: TenantId
    epoch: int


@dataclass(frozen=True, slots=True)
class Reaped:
    """A job that was taken back: it waits again, or is dead."""

    job_id: JobId
    tenant_id: TenantId
    was: JobState
    state: JobState
    resets: int


def silent(conn: Connection, *, lease_seconds: int, seconds: float) -> list[Silent]:
    """Running jobs whose workers have not beaten for that long, though their leases still last."""
    rows = conn.execute(_SILENT, {"lease_seconds": lease_seconds, "seconds": seconds})
    return [Silent(JobId(row.job_id), TenantId(row.tenant_id), row.epoch) for row in rows]


def last_task(conn: Connection, *, tenant_id: TenantId, job_id: JobId) -> str | None:
    """The task of a job's last dispatch; None if there was none."""
    values = {"tenant_id": tenant_id, "job_id": job_id}
    task_id: str | None = conn.execute(_TASK, values).scalar_one_or_none()
    return task_id


def reap(conn: Connection, *, lost: Iterable[Silent] = ()) -> list[Reaped]:
    """The jobs that were taken back: they wait again, or are dead after three lost workers.

    Those whose lease had run out, and those that are known to be `lost`. One whose rows somebody
    holds is left for the next time.
    """
    known = list(lost)
    values = {
        "max_resets": MAX_RESETS,
        "jobs": [each.job_id for each in known],
        "epochs": [each.epoch for each in known],
    }
    conn.execute(_IMPATIENT)
    rows = _taken_back(conn, {**values, "only": None})
    if rows is None:
        late = conn.execute(_LATE, values).scalars().all()
        each_alone = (_taken_back(conn, {**values, "only": job_id}) for job_id in late)
        rows = [row for found in each_alone for row in found or ()]
    conn.execute(_PATIENT)
    if rows:
        signals.tell(conn)
    return [
        Reaped(
            job_id=JobId(row.job_id),
            tenant_id=TenantId(row.tenant_id),
            was=JobState(row.was),
            state=JobState(row.state),
            resets=row.resets,
        )
        for row in rows
    ]


def _taken_back(conn: Connection, values: dict[str, Any]) -> Sequence[Row[Any]] | None:
    """The jobs, taken back; None, and nothing done, if somebody holds a row that one needs."""
    try:
        with conn.begin_nested():
            return conn.execute(_REAP, values).all()
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            return None
        raise
