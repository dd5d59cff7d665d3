"""Documents: a file at one path with one content and one resolution.

The unit that is stored, shared between snapshots and removed. `key` digests what makes two
documents the same one: path, fingerprint of the facts, digest of the resolution.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from graph.storage.schema import metadata, moment, tenant_column

documents = Table(
    "documents",
    metadata,
    tenant_column(),
    Column("repository", Integer, primary_key=True),
    Column("document", Integer, primary_key=True),
    # 16 bytes, because a path may be longer than what an index takes.
    Column("key", LargeBinary, nullable=False),
    Column("path_hash", BigInteger, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("display_path", Text(collation="C"), nullable=False),
    Column("blob_sha", LargeBinary, nullable=False),
    Column("language", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("resolution", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("skip_reason", Text),
    Column("lines", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # References by what became of them.
    Column("resolved", Integer, nullable=False),
    Column("external", Integer, nullable=False),
    Column("unresolved", Integer, nullable=False),
    # How many rows lie under it; publishing compares.
    Column("node_count", Integer, nullable=False),
    Column("edge_count", Integer, nullable=False),
    moment("loaded_at", default_now=True),
    UniqueConstraint("tenant_id", "repository", "key"),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
)
Index(
    "documents_path_hash",
    documents.c.tenant_id,
    documents.c.repository,
    documents.c.path_hash,
)
