"""Jobs that jobs ask for, as rows: chains, and groups that somebody waits for.

A *chain*: what a job asks for when it succeeds is made in the very transaction in which it does; a
job that ends otherwise has asked for nothing. A *group*: children, and one job that waits until
the last of them has ended. Who waits is another follow-up (`Group`), or the job itself (`split`),
which holds no slot meanwhile and begins anew when it is queued again. A trigger sees the last child
end, whoever ended it: in that transaction the job that waits goes on or, if it needs all of its
children and one did not succeed, fails with `child_failed`.

Children belong to the repository and the request of their parent. They were let in with it, so no
limit of the queue counts them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, text

from graph.errors import LeaseLost
from graph.model import names
from graph.model.ids import JobId, RepositoryNumber, new_id
from graph.model.jobs import MAX_ATTEMPTS, MAX_CHILDREN, PARSE_STAGE, JobKind, JobState
from graph.storage import counters, locks, signals
from graph.storage.jobs.flights import flight
from graph.storage.jobs.table import jobs
from graph.storage.session import tenant_of

_PARENT = text("""
select job_id, epoch, repository, priority, large, created_by, trace_parent from jobs
where tenant_id = :tenant_id and job_id = :job_id
""")

_WAIT = text("""
-- To wait is no try: it goes on with the one that it was in.
update jobs
set state = 'waiting', needs_all = :needs_all, attempt = greatest(attempt - 1, 0),
  stage = case when :files > 0 then :stage else stage end,
  percent = greatest(percent, case when :files > 0 then :begins else 0 end),
  files_done = 0, files_total = :files,
  lease_owner = null, lease_until = null
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
returning job_id
""")

# Who waits for a job that ends is waited for: the last one to end has to see what the others did.
_WAITS = """
select p.job_id, p.epoch from jobs c
  join jobs p on p.tenant_id = c.tenant_id and p.job_id = c.parent_job_id
    and p.epoch = c.parent_epoch
where c.tenant_id = :tenant_id and c.job_id = :job_id and p.state = 'waiting' and p.files_total > 0
for no key update of p
"""
_WAITS_NOW, _WAITS_IF_FREE = text(_WAITS), text(f"{_WAITS} skip locked")

_ADD_UP = text("""
-- A child that is tried again begins anew; who waits for it does not go back.
update jobs p
set files_done = least(p.files_total, greatest(p.files_done, s.done)),
  percent = greatest(p.percent,
    :begins + floor(:share * least(1.0, s.done / p.files_total::numeric)))
from (
  select sum(files_done) as done from jobs
  where tenant_id = :tenant_id and parent_job_id = :job_id and parent_epoch = :epoch
) s
where p.tenant_id = :tenant_id and p.job_id = :job_id
returning p.files_done as done, p.files_total as total, p.percent
""")

_HAS_CHILDREN = text("""
select exists (select from jobs where tenant_id = :tenant_id and parent_job_id = :job_id)
""")

# Held by a pass of the dispatcher, see `dispatching`.
_PICK = names.shared_lock("pick")

_BELOW = text("""
-- The unfinished jobs that a job led to, held until the transaction ends; the deepest first,
-- because a child that ends holds its own row while it asks for its parent's.
with recursive below as (
  select tenant_id, job_id, 1 as depth from jobs
  where tenant_id = :tenant_id and parent_job_id = :job_id
  union all
  select j.tenant_id, j.job_id, b.depth + 1
  from below b join jobs j on j.tenant_id = b.tenant_id and j.parent_job_id = b.job_id
)
select j.job_id from below b
  join jobs j on j.tenant_id = b.tenant_id and j.job_id = b.job_id
where j.finished_at is null
order by b.depth desc, j.job_id
for no key update of j
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job to be made, in the repository of the one that asks for it."""

    kind: JobKind
    ref: str | None = None
    commit: str | None = None
    force: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that may run at once, and one that is queued when the last of them has ended."""

    members: Sequence[Wanted]
    join: Wanted
    # Whether a member that does not succeed fails the join, or it goes on with what there is.
    needs_all: bool = True


FollowUp = Wanted | Group


@dataclass(frozen=True, slots=True)
class Shown:
    """How far a job is that waits for its children."""

    job_id: JobId
    done: int
    total: int
    percent: int


def split(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    children: Sequence[Wanted],
    needs_all: bool = True,
    files: int = 0,
) -> list[JobId]:
    """The job waits for these children, and is queued again when the last one has ended.

    `files` is how many it has them parse: it is as far as they are, see `forward`. Its lease is
    over then. Raises LeaseLost, and changes nothing, if it is no longer ours.
    """
    hold(conn)
    held = {"tenant_id": tenant_of(conn), "job_id": job_id, "epoch": epoch}
    shown = {"files": files, "stage": PARSE_STAGE.name, "begins": PARSE_STAGE.begins}
    if conn.execute(_WAIT, {**held, **shown, "needs_all": needs_all}).first() is None:
        raise LeaseLost
    return _make_members(conn, _parent(conn, job_id), children)


def forward(conn: Connection, *, job_id: JobId, last: bool = False) -> Shown | None:
    """How far the job is now that waits for this one and its like: its files are the sum of theirs.

    None if none waits, or somebody else is at its row: unless this is the last word of a child that
    ends in this transaction, there will be another.
    """
    child = _of(conn, job_id)
    waits = conn.execute(_WAITS_NOW if last else _WAITS_IF_FREE, child).first()
    if waits is None:
        return None
    share = {"begins": PARSE_STAGE.begins, "share": PARSE_STAGE.ends - PARSE_STAGE.begins}
    parent = {"tenant_id": tenant_of(conn), "job_id": waits.job_id, "epoch": waits.epoch}
    row = conn.execute(_ADD_UP, {**parent, **share}).one()
    return Shown(JobId(waits.job_id), row.done, row.total, row.percent)


def hold(conn: Connection) -> None:
    """Nobody else makes children, or cancels any, in this tenant until the transaction ends.

    Ask before any row of a job is changed: whoever cancels holds this, and then wants the rows.
    """
    locks.wait_for(conn, names.lock(tenant_of(conn), "families"))


def follow(conn: Connection, *, job_id: JobId, then: Sequence[FollowUp]) -> None:
    """Make what the job asks for, which succeeds in this transaction. Call `hold` before."""
    parent = _parent(conn, job_id)
    for wanted in then:
        match wanted:
            case Wanted():
                _make(conn, parent, [wanted])
            case Group():
                (join,) = _make(
                    conn,
                    parent,
                    [wanted.join],
                    state=JobState.WAITING,
                    needs_all=wanted.needs_all,
                )
                _make_members(conn, _parent(conn, join), wanted.members)


def hold_below(conn: Connection, *, job_id: JobId) -> list[JobId]:
    """The unfinished jobs that the job led to, locked; until the transaction ends it gets no more.

    Ask before the row of the job itself is changed.
    """
    hold(conn)
    if not conn.execute(_HAS_CHILDREN, _of(conn, job_id)).scalar_one():
        return []
    # Beside us, the dispatcher could lock several of them in another order.
    locks.wait_for(conn, _PICK)
    return [JobId(each) for each in conn.execute(_BELOW, _of(conn, job_id)).scalars()]


def _parent(conn: Connection, job_id: JobId) -> Row[Any]:
    return conn.execute(_PARENT, _of(conn, job_id)).one()


def _make_members(conn: Connection, parent: Row[Any], members: Sequence[Wanted]) -> list[JobId]:
    if not 0 < len(members) <= MAX_CHILDREN:
        raise ValueError(f"A group has 1 to {MAX_CHILDREN} members.")
    return _make(conn, parent, members)


def _make(
    conn: Connection,
    parent: Row[Any],
    members: Sequence[Wanted],
    *,
    state: JobState = JobState.QUEUED,
    needs_all: bool = True,
) -> list[JobId]:
    inherited = {
        "tenant_id": tenant_of(conn),
        "repository": parent.repository,
        "parent_job_id": parent.job_id,
        "parent_epoch": parent.epoch,
        "priority": parent.priority,
        "created_by": parent.created_by,
        "trace_parent": parent.trace_parent,
        "max_attempts": MAX_ATTEMPTS,
        "state": state,
        "needs_all": needs_all,
    }
    rows = [{**inherited, **_own(conn, parent, wanted)} for wanted in members]
    conn.execute(insert(jobs), rows)
    signals.tell(conn)
    return [row["job_id"] for row in rows]


def _own(conn: Connection, parent: Row[Any], wanted: Wanted) -> dict[str, Any]:
    generation = None
    if wanted.commit is not None:
        # Which commit to look at is decided now; see `graph.storage.refs`.
        number = RepositoryNumber(parent.repository)
        generation = counters.take(conn, name="generations", repository=number)
    job_id = JobId(new_id())
    own_flight = f"job:{job_id}" if wanted.kind.many else None
    return {
        "job_id": job_id,
        "kind": wanted.kind.name,
        "ref": wanted.ref,
        "commit_sha": wanted.commit,
        "force": wanted.force,
        "parameters": wanted.parameters,
        # A piece is as small as any other, so it takes none of the slots for large jobs.
        "large": parent.large and not wanted.kind.many,
        "flight": own_flight or flight(wanted.kind, wanted.ref, wanted.commit),
        "generation": generation,
    }


def _of(conn: Connection, job_id: JobId) -> dict[str, Any]:
    return {"tenant_id": tenant_of(conn), "job_id": job_id}
