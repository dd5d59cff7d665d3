"""Removing what is a tenant's: a bounded piece in each transaction, counted in the same one.

What is a tenant's is found from the metadata, so a table that is added later cannot be forgotten.
Rows go in an order in which nothing is referred to that is gone, the tenant's own row last and only
when there is nothing else. From then on nothing can be written for the tenant, however late a
writer is: every table refers to it, and nodes and edges come in one transaction with documents,
which do.

Each step raises the revision of the erasure's row and names the one it has read. So of two that
think they are at work, one changes nothing any more, and nothing is counted twice.
"""

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy.exc
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    delete,
    exists,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)

from graph.errors import LeaseLost
from graph.model.evidence import Evidence
from graph.model.ids import ErasureId, JobId, TenantId
from graph.settings import Settings
from graph.storage import operator_events
from graph.storage.audit import Target
from graph.storage.erasures import ErasureState, erasures
from graph.storage.session import system_session, tenant_of, tenant_session
from graph.storage.tables import GLOBAL_TABLES, metadata
from graph.storage.tenants import tenants

# Every table of tenants but their own, those that refer to others first.
TABLES: tuple[Table, ...] = tuple(
    table
    for table in reversed(metadata.sorted_tables)
    if table.name not in GLOBAL_TABLES and table is not tenants
)

_CANCEL = text("""
-- Children are locked before their parents: one that ends asks for the row of its parent.
with unfinished as materialized (
  select tenant_id, job_id from jobs
  where tenant_id = :tenant_id and state in ('queued', 'dispatched', 'running', 'waiting')
  order by parent_job_id is null, job_id limit :limit for no key update
)
update jobs j
set state = 'cancelled', finished_at = now(), lease_owner = null, lease_until = null
from unfinished u where j.tenant_id = u.tenant_id and j.job_id = u.job_id
""")

_TOUCHED = text("""
-- Jobs that a worker may still be at, also when they ended for everybody else a while ago.
select job_id from jobs
where tenant_id = :tenant_id and started_at is not null
  and coalesce(finished_at, now()) > now() - interval '1 day'
""")

# Of erasures of one tenant at once there is one; the action is of Codeloom itself.
_FINISHED = "finish_erasure"


@dataclass(frozen=True, slots=True)
class InHand:
    """What is being removed outside of the database: written down before it is, counted after."""

    kind: str  # "objects" or "redis_keys"
    names: tuple[tuple[str, int], ...]  # each with its bytes

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {"kind": self.kind, "names": [list(each) for each in self.names]}


@dataclass(frozen=True, slots=True)
class Work:
    """An erasure as whoever is at work on it has left it."""

    id: ErasureId
    tenant_id: TenantId
    state: ErasureState
    evidence: Evidence
    in_hand: InHand | None
    revision: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were deleted, and after which to go on; None when there are no more."""

    rows: int
    last: tuple[Any, ...] | None


def take_up(conn: Connection, *, erasure_id: ErasureId) -> Work | None:
    """The erasure as it was left; None if there is none. Needs a session for `erasure`."""
    row = conn.execute(select(erasures).where(erasures.c.erasure_id == erasure_id)).first()
    if row is None:
        return None
    hand = row.in_hand
    return Work(
        id=ErasureId(row.erasure_id),
        tenant_id=TenantId(row.tenant_id),
        state=row.state,
        evidence=Evidence.read(row.counts),
        in_hand=InHand(hand["kind"], tuple(map(tuple, hand["names"]))) if hand else None,
        revision=row.revision,
    )


def write_down(conn: Connection, work: Work, **changes: Any) -> Work:  # noqa: ANN401  as it has them
    """The work with these changes, kept when the transaction commits.

    Raises LeaseLost when somebody else went on with it.
    """
    after = replace(work, **changes, revision=work.revision + 1)
    values = {
        "state": after.state,
        "counts": after.evidence.stored(),
        "in_hand": after.in_hand.stored() if after.in_hand else None,
        "revision": after.revision,
        "worked_at": func.now(),
    }
    _step(conn, work, values)
    return after


def cancel_jobs(conn: Connection, *, limit: int = 1000) -> bool:
    """Whether there were jobs to be cancelled; again, until there are none.

    Needs a worker's session, since only workers may end jobs.
    """
    return conn.execute(_CANCEL, {"tenant_id": tenant_of(conn), "limit": limit}).rowcount > 0


def jobs_to_wait_for(conn: Connection) -> list[JobId]:
    """Jobs that may have a worker; whether they have one, their locks say."""
    rows = conn.execute(_TOUCHED, {"tenant_id": tenant_of(conn)})
    return [JobId(row.job_id) for row in rows]


def delete_batch(
    conn: Connection, table: Table, *, after: tuple[Any, ...] | None, limit: int
) -> Batch:
    """Delete the tenant's next rows in the order of the table's key: about `limit` of them.

    In that order, so that no row that is gone is looked at again. Where the order is that of an
    index whose entries are not unique, rows that stand in one place go together.
    """
    columns = _order_of(table)
    rest = [table.c.tenant_id == tenant_of(conn)]
    if not columns:
        return Batch(conn.execute(delete(table).where(*rest)).rowcount, None)
    if after is not None:
        rest.append(_beside(columns) > _beside(columns, after))
    reach = select(*columns).where(*rest).order_by(*columns).offset(limit - 1).limit(1)
    last = conn.execute(reach).first()
    if last is not None:
        rest.append(_beside(columns) <= _beside(columns, tuple(last)))
    return Batch(
        conn.execute(delete(table).where(*rest)).rowcount,
        tuple(last) if last is not None else None,
    )


class _NotEmpty(Exception):
    """Something was written for the tenant since it was last looked at."""


def finish(settings: Settings, work: Work) -> Work | None:
    """The finished work: the tenant's row is gone, and its id is nobody's any more.

    None, and nothing has changed, if a table has rows of the tenant again: a request that had been
    let in before the tenant's end may have written them.
    """
    try:
        with tenant_session(work.tenant_id, role="eraser", settings=settings) as conn:
            return _finish(conn, work)
    except _NotEmpty:
        return None


def _finish(conn: Connection, work: Work) -> Work:
    _check_empty(conn)
    try:
        # Waits for whoever is just referring to the row.
        gone = conn.execute(delete(tenants).where(tenants.c.tenant_id == work.tenant_id)).rowcount
    except sqlalchemy.exc.IntegrityError as error:
        raise _NotEmpty from error
    # Nobody can refer to it from here on; whatever was written before is visible now.
    _check_empty(conn)
    evidence = work.evidence.and_rows(tenants.name, gone)
    after = write_down(conn, work, evidence=evidence)
    finished = {"state": "finished", "finished_at": func.now(), "checked_at": func.now()}
    _step(conn, after, finished)
    event = operator_events.NewEvent(
        actor=operator_events.Actor("system"),
        action=_FINISHED,
        target=Target("erasure", str(work.id)),
        tenant_id=work.tenant_id,
        details=evidence.stored(),
    )
    operator_events.record(conn, event)
    return replace(after, state="finished")


def note_check(settings: Settings, work: Work) -> None:
    """It was made sure again that nothing came back."""
    with system_session("erasure", settings=settings) as conn:
        _step(conn, work, {"checked_at": func.now()})


def _step(conn: Connection, work: Work, values: dict[str, Any]) -> None:
    which = erasures.c.erasure_id == work.id, erasures.c.revision == work.revision
    if conn.execute(update(erasures).where(*which).values(values)).rowcount == 0:
        raise LeaseLost


def _check_empty(conn: Connection) -> None:
    for table in TABLES:
        if conn.execute(select(exists().where(table.c.tenant_id == tenant_of(conn)))).scalar_one():
            raise _NotEmpty(table.name)


def _order_of(table: Table) -> list[Column[Any]]:
    """What the tenant's rows are ordered by in an index that the tenant leads; may be nothing."""
    if len(table.primary_key.columns):
        return [column for column in table.primary_key.columns if column.name != "tenant_id"]
    found = [
        list(index.columns)
        for index in sorted(table.indexes, key=lambda index: str(index.name))
        # A partial index does not lead to every row.
        if index.dialect_options["postgresql"]["where"] is None
    ]
    led = [columns[1:] for columns in found if columns[0].name == "tenant_id"]
    return min(led, key=len, default=[])


def _beside(
    columns: list[Column[Any]], values: tuple[Any, ...] | None = None
) -> ColumnElement[Any]:
    if values is None:
        return tuple_(*columns)
    return tuple_(*(literal(value, c.type) for value, c in zip(values, columns, strict=True)))
