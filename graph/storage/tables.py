"""Every table, gathered for the migrations: importing a group puts its tables in the metadata."""

from graph.storage import (
    artifact_rows,
    audit,
    counters,
    credentials,
    documents,
    erasures,
    idempotency,
    keys,
    operator_events,
    operator_keys,
    pending,
    periodic,
    plans,
    refs,
    repositories,
    reservations,
    retention,
    rows,
    snapshots,
    tenants,
    usage,
)
from graph.storage.jobs import attempts
from graph.storage.jobs import table as jobs_table
from graph.storage.schema import metadata

GROUPS = (
    plans,
    operator_keys,
    operator_events,
    erasures,
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
    pending,
    audit,
    idempotency,
    usage,
    reservations,
    periodic,
    retention,
    attempts,
)

# The only tables without a tenant, and why.
GLOBAL_TABLES = {
    "periodic_work": "what runs by the clock for the whole installation",
    "plans": "what is sold, the same for everyone",
    "operator_keys": "who runs the installation belongs to no tenant",
    "operator_events": "what operators did, also to tenants that are gone",
    "erasures": "what is left of a tenant that was erased",
    "alembic_version": "which migrations have run",
}

__all__ = ["GLOBAL_TABLES", "GROUPS", "metadata"]
