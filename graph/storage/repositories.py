"""Repositories that a tenant registered.

Wide tables refer to a repository by its `number`; the outside knows its id. A removed repository
keeps its row, without which its number could not be told from a free one while its graph is being
purged.
"""

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from graph.storage.schema import metadata, moment, tenant_column

repositories = Table(
    "repositories",
    metadata,
    tenant_column(),
    Column("number", Integer, primary_key=True),
    Column("repository_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Without it, whatever the remote calls its HEAD.
    Column("default_ref", Text),
    moment("created_at", default_now=True),
    moment("deleted_at"),
    UniqueConstraint("tenant_id", "repository_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
Index(
    "repositories_url",
    repositories.c.tenant_id,
    repositories.c.url,
    unique=True,
    postgresql_where=repositories.c.deleted_at.is_(None),
)
