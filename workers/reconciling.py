"""Are refs still where their remotes have them? Looked at by the clock, for hosts that tell nobody.

A ref that moved is asked for like anybody would ask: the same admission, limits and single flight,
so a pass that is killed and run again asks for nothing twice. What a pass may cost is bounded for
each tenant, in refs and in seconds, and tenants come in an order that is drawn anew each time: who
has many refs, or slow hosts, takes nobody else's turn.
"""

import random
import time
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import structlog

from graph.errors import (
    CodeloomError,
    HostRefused,
    HostUnreachable,
    QuotaExceeded,
    StorageError,
)
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import jobs, repositories, tracking
from graph.storage.session import tenant_session
from graph.storage.tracking import Tracked
from workers import scratch, stopping
from workers.git import remotes
from workers.git.targets import Target
from workers.stages import checkout
from workers.tenantry import every_tenant

PERIOD_SECONDS = 15 * 60
# Of one look at a ref, of those of one tenant, and of a pass: the next one is not to wait for it.
_LOOK_SECONDS = 20.0
_TENANT_SECONDS = 60.0
_PASS_SECONDS = 8 * 60.0
# No answer is written to a file; this is for what git itself may need.
_FILE_BYTES = 64 << 20

_log = structlog.get_logger(__name__)


def reconcile_refs(settings: Settings) -> int:
    """Ask for an ingestion of every tracked ref that has moved; returns how many were asked for."""
    if settings.reconciled_refs == 0:
        return 0
    tenants = list(every_tenant(settings))
    random.shuffle(tenants)
    until = time.monotonic() + _PASS_SECONDS
    number = int(time.time()) // PERIOD_SECONDS
    asked = 0
    with scratch.folder(settings.scratch, f"reconcile.{uuid4().hex}") as folder:
        for tenant_id in tenants:
            if time.monotonic() > until or stopping.announced():
                break
            asked += reconcile_tenant(settings, tenant_id, folder, number)
    return asked


def reconcile_tenant(settings: Settings, tenant_id: TenantId, folder: Path, number: int) -> int:
    """As much of it as is one tenant's turn in pass `number`."""
    with tenant_session(tenant_id, role="worker", settings=settings) as conn:
        refs = tracking.tracked(conn, number=number, most=settings.reconciled_refs)
    until = time.monotonic() + _TENANT_SECONDS
    asked = 0
    for ref in _moved(settings, refs, folder, until):
        try:
            _ask(settings, tenant_id, ref)
        except QuotaExceeded:
            _log.info("reconcile.postponed", tenant_id=str(tenant_id))
            break
        except CodeloomError as error:
            if isinstance(error, StorageError):
                raise
            _log.info("reconcile.refused", tenant_id=str(tenant_id), error=error.code)
        else:
            asked += 1
    return asked


def _moved(
    settings: Settings, refs: Iterable[Tracked], folder: Path, until: float
) -> Iterable[Tracked]:
    """Those whose remotes have another commit; a host that has no time is asked no further."""
    silent: set[str] = set()
    default_asked = None
    for ref in refs:
        if time.monotonic() > until or stopping.announced():
            return
        if ref.url in silent or (ref.name == "HEAD" and ref.repository_id == default_asked):
            continue
        try:
            target = _target(settings, ref, folder)
        except StorageError:
            raise
        except CodeloomError as error:
            # Its owner learns it from the next ingestion that is asked for.
            _log.info("reconcile.not_found_out", error=error.code)
            if isinstance(error, HostRefused | HostUnreachable):
                silent.add(ref.url)
            continue
        if target.commit != ref.commit:
            if target.is_default:
                default_asked = ref.repository_id
            yield ref


def _target(settings: Settings, ref: Tracked, folder: Path) -> Target:
    access = checkout.access(
        settings,
        folder,
        seconds=_LOOK_SECONDS,
        file_bytes=_FILE_BYTES,
        should_stop=stopping.announced,
    )
    remote = remotes.parse(ref.url, allow_local=settings.allow_local_repositories)
    return checkout.locate(remote, ref.name, access).target


def _ask(settings: Settings, tenant_id: TenantId, ref: Tracked) -> None:
    with tenant_session(tenant_id, role="worker", settings=settings) as conn:
        repository = repositories.get(conn, repository_id=ref.repository_id)
        job = jobs.request(conn, repository=repository, ref=ref.name)
    _log.info("reconcile.asked", tenant_id=str(tenant_id), job_id=str(job.id))
