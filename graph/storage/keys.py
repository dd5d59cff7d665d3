"""API keys: what a caller shows, and what it may do.

A key is a prefix that secret scanners know, 36 random characters and a checksum, so that a typing
error costs no look-up. Only its SHA-256 is kept: 214 random bits need no slow hash, and a slow
hash on every request would be an attack on ourselves.

The look-up runs before a tenant is known. It is the one function of the database that reads over
all tenants, and it belongs to a role that can do nothing else.
"""

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

from graph.storage.schema import metadata, moment, tenant_column

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
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
# Not unique and not led by the tenant, because the look-up does not know it. A unique index would
# tell one tenant that another has the same hash.
Index("api_keys_secret_hash", api_keys.c.secret_hash)
