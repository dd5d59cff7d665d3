"""Every table, gathered for the migrations: importing a group puts its tables in the metadata."""

from graph.storage import (
    artifact_rows,
    audit,
    counters,
    credentials,
    documents,
    idempotency,
    keys,
    refs,
    repositories,
    rows,
    snapshots,
    tenants,
)
from graph.storage.jobs import table as jobs_table
from graph.storage.schema import metadata

GROUPS = (
    tenants,
    keys,
    credentials,
    counters,
    repositories,
    refs,
    jobs_table,
    documents,
    snapshots,
    rows,
    artifact_rows,
    audit,
    idempotency,
)

# The only tables without a tenant, and why.
GLOBAL_TABLES = {
    "plans": "what is sold, the same for everyone",
    "alembic_version": "which migrations have run",
}

__all__ = ["GLOBAL_TABLES", "GROUPS", "metadata"]
