"""Narrow numbers, handed out once: of repositories in a tenant, of documents in a repository.

A number is never handed out again, also when what it named is gone: rows that are still being
removed must not come to belong to something new. Gaps are harmless. A sequence of PostgreSQL
would be one for all tenants, and four bytes would not last.
"""

from typing import Literal

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Integer, Table, Text, text

from graph.storage.schema import metadata, tenant_column
from graph.storage.session import tenant_of

counters = Table(
    "counters",
    metadata,
    tenant_column(),
    Column("repository", Integer, primary_key=True),  # 0: the tenant itself
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),  # the last number that was handed out
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

Name = Literal["repositories", "documents", "snapshots", "generations"]

_TAKE = text("""
-- Hand out the next numbers; the row stays locked until the transaction ends.
insert into counters (tenant_id, repository, name, value)
values (:tenant_id, :repository, :name, :count)
on conflict (tenant_id, repository, name) do update set value = counters.value + :count
returning value
""")


def take(conn: Connection, *, name: Name, repository: int = 0, count: int = 1) -> int:
    """The first of `count` new numbers in a row, from 1 at the first call."""
    values = {"tenant_id": tenant_of(conn), "repository": repository, "name": name, "count": count}
    last: int = conn.execute(_TAKE, values).scalar_one()
    return last - count + 1
