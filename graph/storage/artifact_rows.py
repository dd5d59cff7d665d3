"""Which artifacts a tenant has: the rows about what `artifacts` keeps.

The row is written after the bytes, so that a row without bytes is an alarm and bytes without a
row are merely rubbish.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from graph.storage.schema import metadata, moment, tenant_column

artifacts = Table(
    "artifacts",
    metadata,
    tenant_column(),
    Column("kind", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("repository", Integer),
    moment("created_at", default_now=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
)
