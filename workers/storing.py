"""What an attempt puts into the object store: nothing of it outlives the attempt without a row.

See `graph.storage.pending`. However an attempt ends, what it has stored and not made visible is
removed; what a killed one left, the next attempt at the job removes, or else the clock does.
"""

from types import TracebackType
from typing import Self

import structlog

from graph.errors import CodeloomError
from graph.model.ids import JobId, TenantId
from graph.settings import Settings
from graph.storage import pending, retention
from graph.storage.artifacts import Artifact, open_store
from graph.storage.jobs import ClaimedJob
from graph.storage.pending import Pending
from graph.storage.session import system_session, tenant_session

# What one look finds; there are rarely more than a few.
_PAGE = 500

_log = structlog.get_logger(__name__)


class Stored:
    """What one attempt stores, from its beginning to its end."""

    def __init__(self, job: ClaimedJob, settings: Settings) -> None:
        self._job = job
        self._settings = settings
        self._announced: list[Artifact] = []

    def announce(self, artifact: Artifact) -> None:
        """To be called before it is stored. Raises LeaseLost if the job is no longer ours."""
        # First: whether the commit succeeded may not be known.
        self._announced.append(artifact)
        job = self._job
        with tenant_session(job.tenant_id, role="worker", settings=self._settings) as conn:
            pending.announce(conn, job_id=job.id, epoch=job.epoch, artifact=artifact)

    def __enter__(self) -> Self:
        if self._job.epoch > 1:
            settle_left(self._settings, self._job.tenant_id, job_id=self._job.id)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is not None:
                self._discard()
            settle_left(self._settings, self._job.tenant_id, job_id=self._job.id)
        except CodeloomError as unsettled:
            # Why the attempt ended matters more; the next one, or the clock, goes on from here.
            _log.warning("storing.not_settled", error=unsettled.code)

    def _discard(self) -> None:
        """Also what is not pending any more: we may have stored it after we had lost the job."""
        job = self._job
        unwanted = [Pending(job.id, job.epoch, a.kind, a.sha256) for a in self._announced]
        with tenant_session(job.tenant_id, role="worker", settings=self._settings) as conn:
            pending.discard(conn, unwanted)


def settle(settings: Settings, tenant_id: TenantId, found: list[Pending]) -> int:
    """Remove the objects of these; returns how many were removed."""
    store = open_store(settings.artifacts)
    removed = 0
    for each in found:
        with tenant_session(tenant_id, role="worker", settings=settings) as conn:
            removed += pending.settle(conn, store, each)
    return removed


def settle_all(settings: Settings) -> int:
    """Remove what attempts that are over have left, of every tenant; returns how many objects."""
    with system_session("maintenance", settings=settings) as conn:
        tenants = retention.tenants_with_pending(conn)
    return sum(settle_left(settings, tenant_id) for tenant_id in tenants)


def settle_left(settings: Settings, tenant_id: TenantId, *, job_id: JobId | None = None) -> int:
    """The same for one tenant, or for one of its jobs."""
    removed = 0
    while True:
        with tenant_session(tenant_id, role="worker", settings=settings) as conn:
            found = pending.left(conn, job_id=job_id, limit=_PAGE)
        removed += settle(settings, tenant_id, found)
        if len(found) < _PAGE:
            return removed
