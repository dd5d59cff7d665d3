"""Answers that are kept for their idempotency keys: a request that is repeated is not done again.

A key belongs to a tenant and to one request, known by its fingerprint. It is taken in the
transaction that does the work and holds the answer when that commits; so there is no work without
its answer, and a request that failed leaves its key free. Whoever comes with the key while the
first request is under way waits for it, as long as the database lets a statement wait for a lock.
"""

from dataclasses import dataclass

import psycopg
import sqlalchemy.exc
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from graph.errors import IdempotencyKeyReused, RequestUnderWay
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

KEPT_HOURS = 24

idempotency_records = Table(
    "idempotency_records",
    metadata,
    tenant_column(),
    Column("idempotency_key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("headers", JSONB, nullable=False, server_default="{}"),
    Column("body", LargeBinary),
    moment("created_at", default_now=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

_TAKE = text("""
-- Take the key, or take over an expired one; waits for a transaction that is about to take it.
insert into idempotency_records as known (tenant_id, idempotency_key, fingerprint, expires_at)
values (:tenant_id, :key, :fingerprint, now() + make_interval(hours => :hours))
on conflict (tenant_id, idempotency_key) do update
set fingerprint = excluded.fingerprint, status = null, headers = '{}', body = null,
  created_at = now(), expires_at = excluded.expires_at
where known.tenant_id = :tenant_id and known.expires_at <= now()
returning true
""")

_KNOWN = text("""
select fingerprint, status, headers, body from idempotency_records
where tenant_id = :tenant_id and idempotency_key = :key
""")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request with a key was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(conn: Connection, *, key: str, fingerprint: bytes) -> KeptAnswer | None:
    """The answer that is kept for the key; None if the work is to be done now, under the key.

    Raises IdempotencyKeyReused when the key belongs to another request, RequestUnderWay when the
    first one takes too long to wait for.
    """
    named = {"tenant_id": tenant_of(conn), "key": key}
    try:
        taken = conn.execute(_TAKE, {**named, "fingerprint": fingerprint, "hours": KEPT_HOURS})
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise RequestUnderWay from error
        raise
    if taken.first() is not None:
        return None
    row = conn.execute(_KNOWN, named).one()
    if bytes(row.fingerprint) != fingerprint:
        raise IdempotencyKeyReused
    return KeptAnswer(row.status, row.headers, bytes(row.body))


def keep(conn: Connection, *, key: str, answer: KeptAnswer) -> None:
    """The answer is kept for the key that `begin` took in this transaction."""
    records = idempotency_records
    which = (records.c.tenant_id == tenant_of(conn), records.c.idempotency_key == key)
    values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
    conn.execute(update(records).where(*which).values(values))
