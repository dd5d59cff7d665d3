"""The table of API keys, and what can be read of it.

Of a key only its SHA-256 is kept. A key stays listed after its end, so that what it did can still
be told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from graph.errors import ApiKeyNotFound
from graph.model.ids import ApiKeyId, RepositoryId
from graph.model.tenants import Scope
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

# Which repositories, or None: all of the tenant's.
Reach = frozenset[RepositoryId] | None

api_keys = Table(
    "api_keys",
    metadata,
    tenant_column(),
    Column("key_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("last_characters", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    # Null means every repository of the tenant.
    Column("repositories", ARRAY(Uuid)),
    Column("created_by", Uuid),
    moment("created_at", default_now=True),
    moment("expires_at"),
    moment("revoked_at"),
    moment("last_used_at"),
    # The key that a rotation made in the place of this one.
    Column("replaced_by", Uuid),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
# Not unique and not led by the tenant, because the look-up does not know it. A unique index would
# tell one tenant that another has the same hash.
Index("api_keys_secret_hash", api_keys.c.secret_hash)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its tenant sees it; the secret is shown once, when it is made."""

    id: ApiKeyId
    name: str
    last_characters: str
    scopes: frozenset[Scope]
    repositories: Reach
    created_by: ApiKeyId | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: ApiKeyId | None


def get(conn: Connection, *, key_id: ApiKeyId, within: Reach = None, lock: bool = False) -> ApiKey:
    """The key; raises ApiKeyNotFound, also for one that reaches further than `within`.

    With `lock`, nobody else changes it before the transaction ends.
    """
    query = _own(conn, within).where(api_keys.c.key_id == key_id)
    row = conn.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise ApiKeyNotFound
    return key_of(row)


def list_page(
    conn: Connection, *, after: ApiKeyId | None = None, limit: int, within: Reach = None
) -> list[ApiKey]:
    """A page of the tenant's keys, oldest first, also expired and revoked ones."""
    query = _own(conn, within).order_by(api_keys.c.key_id).limit(limit)
    if after is not None:
        query = query.where(api_keys.c.key_id > after)
    return [key_of(row) for row in conn.execute(query)]


def key_of(row: Row[Any]) -> ApiKey:
    """The key that a row of the table tells of."""
    reach = row.repositories
    return ApiKey(
        id=ApiKeyId(row.key_id),
        name=row.name,
        last_characters=row.last_characters,
        scopes=frozenset(map(Scope, row.scopes)),
        repositories=frozenset(map(RepositoryId, reach)) if reach is not None else None,
        created_by=ApiKeyId(row.created_by) if row.created_by is not None else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        replaced_by=ApiKeyId(row.replaced_by) if row.replaced_by is not None else None,
    )


def _own(conn: Connection, within: Reach) -> Select[Any]:
    query = select(api_keys).where(api_keys.c.tenant_id == tenant_of(conn))
    if within is not None:
        # Null, the reach of everything, is contained in nothing.
        query = query.where(api_keys.c.repositories.contained_by(sorted(within)))
    return query
