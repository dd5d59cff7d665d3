"""Erasures: that a tenant is to be removed with all that it has, how far that is, and the evidence.

The row is the truth of the work, and what is left of the tenant afterwards. It is asked for here,
handed out here, and done by `graph.storage.erasing` and `workers.erasure`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from graph.errors import ErasureNotFound
from graph.model.evidence import Evidence
from graph.model.ids import ErasureId, OperatorKeyId, TenantId, new_id
from graph.storage import signals, tenants
from graph.storage.schema import metadata, moment

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", Uuid, primary_key=True),
    # No reference to the tenant: this is what is left of it.
    Column("tenant_id", Uuid, nullable=False),
    Column("tenant_name", Text, nullable=False),
    Column("requested_by", Uuid),
    moment("requested_at", default_now=True),
    Column("state", Text, nullable=False, server_default="requested"),
    Column("counts", JSONB, nullable=False, server_default="{}"),
    # What is being removed outside of the database, so that after a crash nothing counts twice.
    Column("in_hand", JSONB),
    # One higher with each step: whoever has read an older one changes nothing any more.
    Column("revision", Integer, nullable=False, server_default="0"),
    moment("nudged_at"),
    moment("worked_at"),
    moment("finished_at"),
    moment("checked_at"),
    UniqueConstraint("tenant_id"),
)

ErasureState = Literal["requested", "stopping", "erasing", "finished"]

_DUE = text("""
-- Erasures that nobody seems to be at work on, to be told of once in a while.
update erasures set nudged_at = now()
where state <> 'finished'
  and coalesce(nudged_at, '-infinity') < now() - make_interval(secs => :silent_seconds)
  and coalesce(worked_at, '-infinity') < now() - make_interval(secs => :silent_seconds)
returning erasure_id
""")

_TO_CHECK = text("""
-- Finished not long ago: a worker that was frozen while its tenant was erased may have woken since.
select * from erasures
where state = 'finished' and finished_at > now() - make_interval(hours => :hours)
order by erasure_id
""")


@dataclass(frozen=True, slots=True)
class Erasure:
    """The removal of one tenant."""

    id: ErasureId
    tenant_id: TenantId
    tenant_name: str
    requested_by: OperatorKeyId | None  # None: at the command line
    requested_at: datetime
    state: ErasureState
    evidence: Evidence
    finished_at: datetime | None
    checked_at: datetime | None  # when it was last made sure that nothing came back


def request(
    conn: Connection, *, tenant_id: TenantId, requested_by: OperatorKeyId | None = None
) -> Erasure:
    """The tenant will be erased; its keys open nothing from now on. Asking again changes nothing.

    Needs a session for `administration`. Raises TenantNotFound, also for an erased tenant.
    """
    tenant = tenants.get(conn, tenant_id=tenant_id, lock=True)
    if tenant.state == "erasing":
        return _one(conn, erasures.c.tenant_id, tenant_id)
    which = tenants.tenants.c.tenant_id == tenant_id
    ending = {"state": "erasing", "suspended_reason": None}
    conn.execute(update(tenants.tenants).where(which).values(ending))
    values = {
        "erasure_id": new_id(),
        "tenant_id": tenant_id,
        "tenant_name": tenant.name,
        "requested_by": requested_by,
    }
    row = conn.execute(insert(erasures).values(values).returning(erasures)).one()
    signals.tell(conn)  # the dispatcher tells a worker
    return erasure_of(row)


def get(conn: Connection, *, erasure_id: ErasureId) -> Erasure:
    """The erasure; raises ErasureNotFound."""
    return _one(conn, erasures.c.erasure_id, erasure_id)


def list_page(
    conn: Connection,
    *,
    before: ErasureId | None = None,
    limit: int,
    tenant_id: UUID | None = None,
) -> list[Erasure]:
    """A page of the erasures, newest first."""
    query = select(erasures).order_by(erasures.c.erasure_id.desc()).limit(limit)
    if tenant_id is not None:
        query = query.where(erasures.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(erasures.c.erasure_id < before)
    return [erasure_of(row) for row in conn.execute(query)]


def due(conn: Connection, *, silent_seconds: int) -> list[ErasureId]:
    """Erasures that a worker has to be told of now. Needs a session for `dispatch`.

    One comes again when that time has passed and nobody was seen at work on it.
    """
    rows = conn.execute(_DUE, {"silent_seconds": silent_seconds})
    return [ErasureId(row.erasure_id) for row in rows]


def finished_within(conn: Connection, *, hours: int) -> list[Erasure]:
    """What is worth another look."""
    return [erasure_of(row) for row in conn.execute(_TO_CHECK, {"hours": hours})]


def _one(conn: Connection, column: Column[Any], value: UUID) -> Erasure:
    row = conn.execute(select(erasures).where(column == value)).first()
    if row is None:
        raise ErasureNotFound
    return erasure_of(row)


def erasure_of(row: Row[Any]) -> Erasure:
    """The erasure that a row of the table tells of."""
    return Erasure(
        id=ErasureId(row.erasure_id),
        tenant_id=TenantId(row.tenant_id),
        tenant_name=row.tenant_name,
        requested_by=OperatorKeyId(row.requested_by) if row.requested_by is not None else None,
        requested_at=row.requested_at,
        state=cast("ErasureState", row.state),
        evidence=Evidence.read(row.counts),
        finished_at=row.finished_at,
        checked_at=row.checked_at,
    )
