"""What is kept for a time only, and removed when that is over.

The role that removes is bound by policies of its own: whatever a statement here says, it cannot
remove what is younger than the least retention there is.
"""

from typing import Any

import msgspec
import zstandard
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    delete,
    insert,
    select,
    text,
)

from graph.errors import ArtifactDamaged
from graph.model.ids import TenantId
from graph.storage.artifacts import ArtifactStore, artifact_key, digest_of
from graph.storage.audit import audit_events
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of
from graph.storage.tenants import tenants

AUDIT_KIND = "audit"

audit_archives = Table(
    "audit_archives",
    metadata,
    tenant_column(),
    Column("sha256", LargeBinary, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    moment("archived_at", default_now=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

_PAGE = 500

_EXPIRED_RECORDS = text("""
delete from idempotency_records where (tenant_id, idempotency_key) in (
  select tenant_id, idempotency_key from idempotency_records
  where expires_at < now() order by tenant_id, idempotency_key limit :batch
)
""")

_WITH_PENDING = text("""
select distinct p.tenant_id from pending_artifacts p
  join tenants t on t.tenant_id = p.tenant_id and t.state <> 'erasing'
""")

_OLD_KEYS = text("""
-- A key that opens nothing any more; what it did is in the audit, by its id.
delete from api_keys where (tenant_id, key_id) in (
  select tenant_id, key_id from api_keys
  where least(revoked_at, expires_at) < now() - make_interval(days => :days)
  order by tenant_id, key_id limit :batch
)
""")

_ENDED_EVENTS = text("""
select * from audit_events
where tenant_id = :tenant_id and at < now() - make_interval(days => :days)
order by event_id limit :batch
""")


def remove_expired_records(conn: Connection, *, batch: int) -> int:
    """How many idempotency records were removed whose time is over; fewer than `batch`: all."""
    return conn.execute(_EXPIRED_RECORDS, {"batch": batch}).rowcount


def remove_old_keys(conn: Connection, *, days: int, batch: int) -> int:
    """How many keys were removed that ended so long ago; fewer than `batch`: all of them."""
    return conn.execute(_OLD_KEYS, {"days": days, "batch": batch}).rowcount


def tenants_with_pending(conn: Connection) -> list[TenantId]:
    """Those of which something is on its way into the object store, or out of it."""
    return [TenantId(each) for each in conn.execute(_WITH_PENDING).scalars()]


def every_tenant(conn: Connection, *, after: TenantId | None = None) -> list[TenantId]:
    """The next tenants in the order of their ids; none at their end.

    Not those that are being erased: nothing of theirs is to be kept any more.
    """
    query = select(tenants.c.tenant_id).where(tenants.c.state != "erasing")
    query = query.order_by(tenants.c.tenant_id).limit(_PAGE)
    if after is not None:
        query = query.where(tenants.c.tenant_id > after)
    return [TenantId(each) for each in conn.execute(query).scalars()]


def archive_audit_events(conn: Connection, store: ArtifactStore, *, days: int, batch: int) -> int:
    """How many of the tenant's audit events older than that are now in the object store only.

    At most `batch`, as one object of JSON lines, compressed. They are read back before they leave
    the table, in the same transaction that records the archive. Raises ArtifactDamaged when what
    is read back is not what was written.
    """
    tenant_id = tenant_of(conn)
    values = {"tenant_id": tenant_id, "days": days, "batch": batch}
    rows = [dict(row) for row in conn.execute(_ENDED_EVENTS, values).mappings()]
    if not rows:
        return 0
    packed = zstandard.compress(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    sha256 = digest_of([packed])
    key = artifact_key(tenant_id, AUDIT_KIND, sha256)
    store.put_if_absent(key, [packed])
    if digest_of(store.get(key)) != sha256:
        raise ArtifactDamaged
    archive = {
        "tenant_id": tenant_id,
        "sha256": sha256,
        "size_bytes": len(packed),
        "events": len(rows),
        "first_at": min(row["at"] for row in rows),
        "last_at": max(row["at"] for row in rows),
    }
    conn.execute(insert(audit_archives).values(archive))
    event = audit_events.c
    archived = [row["event_id"] for row in rows]
    which = event.tenant_id == tenant_id, event.event_id.in_(archived)
    return conn.execute(delete(audit_events).where(*which)).rowcount


def archived_events(
    store: ArtifactStore, tenant_id: TenantId, sha256: bytes
) -> list[dict[str, Any]]:
    """The events of an archive, oldest first. Raises ArtifactNotFound."""
    packed = b"".join(store.get(artifact_key(tenant_id, AUDIT_KIND, sha256)))
    return [msgspec.json.decode(line) for line in zstandard.decompress(packed).splitlines()]
