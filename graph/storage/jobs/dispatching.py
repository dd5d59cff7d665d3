"""How the dispatcher chooses the next jobs, over all tenants.

Needs a session for `dispatch`. Publishing the messages is the caller's business, after the commit;
a message that gets lost is healed by the lease that a dispatched job has as well.

Fairness is weighted: of two tenants whose plans weigh 1 and 3, the second has three jobs under way
for each one of the first while both have work, and nobody has a second job while somebody else
waits for a first one. Where there are fewer slots than tenants, they take turns, again by weight:
how long a tenant's last turn is ago counts as often as its plan weighs. So no queue, however long
and old, keeps another waiting for more than its turns. Large repositories have fewer of the slots
than there are, so that some are always left for the many small ones.

Upkeep has slots of its own, as it has workers of its own: however much of it there is, it takes no
turn of what somebody waits for. A kind that this release does not know is left to one that does.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from graph.model import names
from graph.model.ids import JobId, TenantId
from graph.model.jobs import JOB_KINDS, JobState
from graph.storage import locks

# One pass at a time: two would each see free slots that the other is about to fill.
_ALONE = names.shared_lock("pick")

_PICK = """
-- Move the next jobs from queued to dispatched. Tenants take turns: whoever has fewest jobs under
-- way for the weight of its plan comes first, then whoever's last turn is longest ago. Inside a
-- tenant: priority, then age; large ones that find no slot are passed over.
with live as (
  select tenant_id, count(*) as jobs, count(*) filter (where large) as large from jobs
  where state in ('dispatched', 'running') and {counted} group by tenant_id
),
capacity as (
  select greatest(:slots - coalesce(sum(jobs), 0), 0) as jobs,
    greatest(least(:slots - coalesce(sum(jobs), 0), :large_slots - coalesce(sum(large), 0)), 0)
      as large
  from live
),
room as (
  select t.tenant_id, p.weight, coalesce(l.jobs, 0) as live,
    least(limit_of(t.limits, p.limits, 'running_jobs') - coalesce(l.jobs, 0), c.jobs) as free,
    p.weight * extract(epoch from now() - coalesce(s.at, 'epoch')) as due
  from capacity c cross join tenants t join plans p on p.code = t.plan
    left join live l using (tenant_id)
    left join lateral (
      select dispatched_at as at from jobs
      where tenant_id = t.tenant_id and dispatched_at is not null
      order by dispatched_at desc limit 1
    ) s on true
  where t.state = 'active'
),
-- The first job of each tenant. What would come after the first ones of as many tenants as there
-- are slots gets none of them: no queue needs to be read any further than that.
head as (
  select r.*, s.large, r.live / r.weight as turn,
    row_number() over (partition by s.large
      order by r.live / r.weight, r.due desc, q.run_at, q.job_id) as place
  from room r cross join (values (false), (true)) s (large) cross join lateral (
    select j.run_at, j.job_id from jobs j
    where j.tenant_id = r.tenant_id and j.large = s.large and j.state = 'queued'
      and {wanted} and j.run_at <= now()
      and not exists (
        select from jobs f
        where f.tenant_id = j.tenant_id and f.repository = j.repository and f.flight = j.flight
          and f.state in ('dispatched', 'running')
      )
    order by j.priority, j.run_at, j.job_id
    limit 1
  ) q
  where r.free > 0
),
last as (
  select max(h.turn) as turn from head h join capacity c on h.place = c.jobs where not h.large
),
candidate as (
  select h.tenant_id, h.weight, h.live, h.free, h.due, q.*,
    row_number() over (partition by h.tenant_id order by q.priority, q.run_at, q.job_id) as nth,
    row_number() over (partition by h.tenant_id, q.repository, q.flight
      order by q.priority, q.run_at, q.job_id) as in_flight
  from capacity c join head h on h.place <= case when h.large then c.large else c.jobs end
  cross join last cross join lateral (
    select j.job_id, j.repository, j.flight, j.priority, j.run_at, j.large from jobs j
    where j.tenant_id = h.tenant_id and j.large = h.large and j.state = 'queued'
      and {wanted} and j.run_at <= now()
      and not exists (
        select from jobs f
        where f.tenant_id = j.tenant_id and f.repository = j.repository and f.flight = j.flight
          and f.state in ('dispatched', 'running')
      )
    order by j.priority, j.run_at, j.job_id
    limit greatest(least(h.free, ceil(last.turn * h.weight - h.live) + 1), 0)
  ) q
),
placed as (
  select *, row_number() over (partition by large
    order by (live + nth - 1) / weight, due desc, run_at, job_id) as place
  from candidate
  where (in_flight = 1 or flight is null) and (not large or nth <= free)
),
fitting as (
  select p.*,
    row_number() over (partition by tenant_id order by priority, run_at, job_id) as turn
  from placed p cross join capacity c where not p.large or p.place <= c.large
),
chosen as (
  select tenant_id, job_id, row_number() over (
    order by (live + turn - 1) / weight, due desc, run_at, job_id) as place
  from fitting where turn <= free
  order by place
  limit (select jobs from capacity)
),
-- What somebody else is changing is left for the next pass: nobody's transaction holds up the rest.
free_to_take as (
  select j.tenant_id, j.job_id, c.place from chosen c join jobs j using (tenant_id, job_id)
  where j.state = 'queued'
  for no key update of j skip locked
)
update jobs j
set state = 'dispatched', epoch = j.epoch + 1,
  -- Whoever had the last turn of this pass is the last one in the next.
  dispatched_at = now() + c.place * interval '1 microsecond',
  celery_task_id = j.job_id || cast(:joint as text) || (j.epoch + 1),
  lease_owner = null, lease_until = now() + make_interval(secs => :lease_seconds)
from free_to_take c
where j.tenant_id = c.tenant_id and j.job_id = c.job_id
returning j.job_id, j.tenant_id, j.epoch, j.kind, j.celery_task_id, j.trace_parent
"""

# Kinds as constants, in the words of the index `jobs_upkeep`: a parameter would keep it from use.
_UPKEEP = ", ".join(f"'{kind.name}'" for kind in JOB_KINDS if kind.upkeep)
_OTHERS = ", ".join(f"'{kind.name}'" for kind in JOB_KINDS if not kind.upkeep)
_PICK_UPKEEP = text(
    _PICK.format(counted=f"kind in ({_UPKEEP})", wanted=f"j.kind in ({_UPKEEP})"),
)
_PICK_OTHERS = text(
    _PICK.format(counted=f"kind not in ({_UPKEEP})", wanted=f"j.kind in ({_OTHERS})"),
)
_UPKEEP_WAITS = text(
    "select exists (select from jobs"  # noqa: S608  constants of ours
    f" where state = 'queued' and kind in ({_UPKEEP}) and run_at <= now())"
)

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


def pick(
    conn: Connection,
    *,
    slots: int,
    large_slots: int | None = None,
    upkeep_slots: int | None = None,
    lease_seconds: int = 120,
) -> list[Dispatched]:
    """The jobs that are dispatched now, so that at most `slots` are under way over all tenants.

    Of these at most `large_slots` for large repositories, if that is given; beside them, at most
    `upkeep_slots` of upkeep, or as many again. Of either never more of a tenant than its plan
    allows, never two of a flight. Empty also when another process is picking at this moment.
    """
    if not locks.try_for(conn, _ALONE):
        return []
    values = {"lease_seconds": lease_seconds, "joint": names.TASK_JOINT}
    large = large_slots if large_slots is not None else slots
    chosen = conn.execute(_PICK_OTHERS, {**values, "slots": slots, "large_slots": large}).all()
    if conn.execute(_UPKEEP_WAITS).scalar_one():
        upkeep = upkeep_slots if upkeep_slots is not None else slots
        room = {"slots": upkeep, "large_slots": upkeep}
        chosen = [*chosen, *conn.execute(_PICK_UPKEEP, {**values, **room})]
    return [
        Dispatched(
            job_id=JobId(row.job_id),
            tenant_id=TenantId(row.tenant_id),
            epoch=row.epoch,
            kind=row.kind,
            task_id=row.celery_task_id,
            trace_parent=row.trace_parent,
        )
        for row in chosen
    ]


def depth(conn: Connection) -> dict[JobState, int]:
    """How many jobs wait and how many are under way, over all tenants."""
    counted: dict[Any, int] = {row.state: row.jobs for row in conn.execute(_DEPTH)}
    unfinished = (JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING)
    return {state: counted.get(state, 0) for state in unfinished}
