"""How the queue stands, over all tenants: for those who are woken when it does not move.

Needs a session for `administration`. It counts jobs that somebody has yet to do something about,
never those that ended well or were put aside: these are many, and nobody waits for them.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from graph.model.jobs import JOB_KINDS, JobState

# States that are counted: where a job has yet to move, or to be looked at.
COUNTED = (
    JobState.QUEUED,
    JobState.WAITING,
    JobState.DISPATCHED,
    JobState.RUNNING,
    JobState.DEAD,
)

_STANDING = text("""
-- Each part in the words of a partial index: what has ended is not read.
select state, kind, count(*) as jobs, extract(epoch from now() - min(since)) as oldest
from (
  select state, kind, case when state = 'waiting' then created_at
    -- One that is to wait until later is not late.
    when run_at <= now() then run_at end as since
  from jobs where state in ('queued', 'waiting')
  union all
  select state, kind, dispatched_at from jobs
  where state in ('dispatched', 'running')
  union all
  select state, kind, finished_at from jobs where state = 'dead'
) counted
group by state, kind
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """How many jobs of a kind are in a state, and how long the oldest has been."""

    state: JobState
    kind: str
    jobs: int
    # Seconds since it could have started, was dispatched, or died; 0 when there is none.
    oldest_seconds: float


def standing(conn: Connection) -> list[Standing]:
    """Every kind in every counted state, also where there is none."""
    found = {(row.state, row.kind): row for row in conn.execute(_STANDING)}
    # A kind that this release does not know may still be in the rows of another.
    kinds = dict.fromkeys([kind.name for kind in JOB_KINDS] + [kind for _, kind in found])
    return [
        Standing(
            state,
            kind,
            jobs=row.jobs if row is not None else 0,
            oldest_seconds=max(0.0, float(row.oldest or 0)) if row is not None else 0.0,
        )
        for state in COUNTED
        for kind in kinds
        for row in [found.get((state, kind))]
    ]
