"""Refs: which snapshot a branch or tag answers with.

A ref has a counter, `generation`. Whoever is about to find out what the ref points at takes the
next value first; a snapshot becomes the head only if its generation is higher than that of the
head. So a result that was found out earlier never replaces one that was found out later, whatever
order they finish in.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    Table,
    Text,
)

from graph.storage.schema import metadata, moment, tenant_column

refs = Table(
    "refs",
    metadata,
    tenant_column(),
    Column("repository", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    # The last generation that was handed out.
    Column("generation", BigInteger, nullable=False, server_default="0"),
    # The published snapshot the ref answers with, and the generation it has; null before the first.
    Column("head", Integer),
    Column("head_generation", BigInteger, nullable=False, server_default="0"),
    moment("head_moved_at"),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
    ForeignKeyConstraint(
        ["tenant_id", "repository", "head"],
        ["snapshots.tenant_id", "snapshots.repository", "snapshots.snapshot"],
    ),
)
