"""What is done by the clock. Each function may be killed anywhere and may run twice."""

from collections.abc import Callable
from itertools import islice

import structlog

from graph.errors import QuotaExceeded
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import orphans, purging, retention
from graph.storage.artifacts import ArtifactStore, FileStore, open_store
from graph.storage.session import Connection, system_session, tenant_session
from workers import facade, scratch
from workers.tenantry import every_tenant

# What one transaction removes.
_BATCH = 5000
# Whose rows one statement looks for.
_OBJECTS = 500
# No upload takes a day: a job has an hour.
_ORPHANED_SECONDS = 24 * 60 * 60

_log = structlog.get_logger(__name__)


def remove_expired(settings: Settings) -> int:
    """Remove idempotency records and keys that are past their time."""
    return _all_batches(
        settings, lambda conn: retention.remove_expired_records(conn, batch=_BATCH)
    ) + _all_batches(
        settings,
        lambda conn: retention.remove_old_keys(
            conn, days=settings.key_retention_days, batch=_BATCH
        ),
    )


def archive_audit_events(settings: Settings) -> int:
    """Move old audit events of every tenant into the object store."""
    store = open_store(settings.artifacts)
    return sum(_archive(settings, store, tenant_id) for tenant_id in every_tenant(settings))


def purge_repositories(settings: Settings) -> int:
    """Ask for a purge of every repository that has something to purge."""
    return sum(_ask_for_purges(settings, tenant_id) for tenant_id in every_tenant(settings))


def sweep_scratch(settings: Settings) -> int:
    """Remove what killed workers of this machine left."""
    removed = scratch.sweep(settings.scratch)
    store = open_store(settings.artifacts)
    if isinstance(store, FileStore):  # others let their service expire unfinished uploads
        removed += store.sweep(older_than_seconds=_ORPHANED_SECONDS)
    return removed


def sweep_objects(settings: Settings) -> int:
    """Remove what killed workers stored and no row names."""
    store = open_store(settings.artifacts)
    return sum(_sweep_objects(settings, store, each) for each in every_tenant(settings))


def _sweep_objects(settings: Settings, store: ArtifactStore, tenant_id: TenantId) -> int:
    found = orphans.old(store, tenant_id, older_than_seconds=_ORPHANED_SECONDS)
    removed = 0
    while page := list(islice(found, _OBJECTS)):
        with tenant_session(tenant_id, role="worker", settings=settings) as conn:
            unnamed = orphans.unnamed(conn, page)
        removed += orphans.remove(store, unnamed, older_than_seconds=_ORPHANED_SECONDS)
    return removed


def _ask_for_purges(settings: Settings, tenant_id: TenantId) -> int:
    with tenant_session(tenant_id, role="worker", settings=settings) as conn:
        wanted = purging.to_purge(conn, keep=settings.snapshots_kept)
    asked = 0
    for repository_id in wanted:
        try:
            with tenant_session(tenant_id, role="worker", settings=settings) as conn:
                facade.request_purge(conn, repository_id=repository_id)
        except QuotaExceeded:
            # The tenant's queue is full; tomorrow is soon enough.
            _log.info("purge.postponed", repository_id=str(repository_id))
            break
        asked += 1
    return asked


def _archive(settings: Settings, store: ArtifactStore, tenant_id: TenantId) -> int:
    moved = 0
    while True:
        with tenant_session(tenant_id, role="maintainer", settings=settings) as conn:
            count = retention.archive_audit_events(
                conn, store, days=settings.audit_retention_days, batch=_BATCH
            )
        moved += count
        if count < _BATCH:
            return moved


def _all_batches(settings: Settings, remove: Callable[[Connection], int]) -> int:
    removed = 0
    while True:
        with system_session("maintenance", settings=settings) as conn:
            count = remove(conn)
        removed += count
        if count < _BATCH:
            return removed
