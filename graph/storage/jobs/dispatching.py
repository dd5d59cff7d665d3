"""What the dispatcher does, over all tenants: choose the next jobs, take back lost ones.

Needs a session for `dispatch`. Publishing the messages is the caller's business, after the commit;
a message that gets lost is healed by the lease that a dispatched job has as well.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from graph.model import names
from graph.model.ids import JobId, TenantId
from graph.model.jobs import MAX_RESETS, JobState
from graph.storage import locks, signals

# One pass at a time: two would each see free slots that the other is about to fill.
_ALONE = names.shared_lock("pick")

_PICK = text("""
-- Move the next jobs from queued to dispatched. Tenants take turns: whoever has fewest jobs under
-- way comes first, then whoever waits longest. Inside a tenant: priority, then age.
with live as (
  select tenant_id, count(*) as jobs from jobs
  where state in ('dispatched', 'running') group by tenant_id
),
room as (
  select t.tenant_id, coalesce(l.jobs, 0) as live,
    limit_of(t.limits, p.limits, 'running_jobs') - coalesce(l.jobs, 0) as free
  from tenants t join plans p on p.code = t.plan left join live l using (tenant_id)
  where t.state = 'active'
    and coalesce(limit_of(t.limits, p.limits, 'running_jobs') > coalesce(l.jobs, 0), true)
),
candidate as (
  select r.tenant_id, q.job_id, q.run_at,
    r.live + row_number() over (partition by r.tenant_id order by q.priority, q.run_at, q.job_id)
      as turn,
    row_number() over (partition by r.tenant_id, q.repository, q.flight
      order by q.priority, q.run_at, q.job_id) as in_flight
  from room r cross join lateral (
    select j.* from jobs j
    where j.tenant_id = r.tenant_id and j.state = 'queued' and j.run_at <= now()
      and not exists (
        select from jobs f
        where f.tenant_id = j.tenant_id and f.repository = j.repository and f.flight = j.flight
          and f.state in ('dispatched', 'running')
      )
    order by j.priority, j.run_at, j.job_id
    limit r.free
  ) q
),
chosen as (
  select tenant_id, job_id from candidate
  where in_flight = 1
  order by turn, run_at, job_id
  limit greatest(:slots - (select coalesce(sum(jobs), 0) from live), 0)
)
update jobs j
set state = 'dispatched', epoch = j.epoch + 1, dispatched_at = now(),
  celery_task_id = j.job_id || cast(:joint as text) || (j.epoch + 1),
  lease_owner = null, lease_until = now() + make_interval(secs => :lease_seconds)
from chosen c
where j.tenant_id = c.tenant_id and j.job_id = c.job_id and j.state = 'queued'
returning j.job_id, j.tenant_id, j.epoch, j.kind, j.celery_task_id, j.trace_parent
""")

_REAP = text("""
-- Take back what nobody beats for any more. A running job whose worker died too often is dead; the
-- try that was interrupted does not count against it otherwise.
with lost as (
  select tenant_id, job_id, state from jobs
  where state in ('dispatched', 'running') and lease_until < now()
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
  run_at = now(), lease_owner = null, lease_until = null
from lost l
where j.tenant_id = l.tenant_id and j.job_id = l.job_id
returning j.job_id, j.tenant_id, j.state, l.state as was, j.resets
""")

_DEPTH = text("""
-- How many jobs are in each state that is not an end.
select state, count(*) as jobs from jobs
where state in ('dispatched', 'running', 'queued') group by state
""")


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A job that was chosen; tell a worker, after the commit."""

    job_id: JobId
    tenant_id: TenantId
    epoch: int
    kind: str
    task_id: str  # `names.task_id`, of the Celery task
    trace_parent: str | None


@dataclass(frozen=True, slots=True)
class Reaped:
    """A job that was taken back: it waits again, or is dead."""

    job_id: JobId
    tenant_id: TenantId
    was: JobState
    state: JobState
    resets: int


def pick(conn: Connection, *, slots: int, lease_seconds: int = 120) -> list[Dispatched]:
    """The jobs that are dispatched now, so that at most `slots` are under way over all tenants.

    Never more of a tenant than its plan allows, never two of a flight. Empty also when another
    process is picking at this moment.
    """
    if not locks.try_for(conn, _ALONE):
        return []
    values = {"slots": slots, "lease_seconds": lease_seconds, "joint": names.TASK_JOINT}
    rows = conn.execute(_PICK, values)
    return [
        Dispatched(
            job_id=JobId(row.job_id),
            tenant_id=TenantId(row.tenant_id),
            epoch=row.epoch,
            kind=row.kind,
            task_id=row.celery_task_id,
            trace_parent=row.trace_parent,
        )
        for row in rows
    ]


def reap(conn: Connection) -> list[Reaped]:
    """The jobs whose lease had run out: they wait again, or are dead after three lost workers."""
    rows = conn.execute(_REAP, {"max_resets": MAX_RESETS}).all()
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


def depth(conn: Connection) -> dict[JobState, int]:
    """How many jobs wait and how many are under way, over all tenants."""
    counted: dict[Any, int] = {row.state: row.jobs for row in conn.execute(_DEPTH)}
    unfinished = (JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING)
    return {state: counted.get(state, 0) for state in unfinished}
