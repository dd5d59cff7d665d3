"""The work of a purge: what nobody can ask a repository for any more is removed, piece by piece."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from typing import TypeVar

from graph.settings import Settings
from graph.storage import jobs, pending, purging
from graph.storage.pending import Pending
from graph.storage.purging import Removed, Retention
from graph.storage.session import Connection, tenant_session
from workers import storing
from workers.lease import Lease

# What one transaction removes: short enough that a cancelled purge stops within seconds.
_SNAPSHOTS = 100
_DOCUMENTS = 500
_ARTIFACTS = 100

Piece = TypeVar("Piece")


def purge(held: Lease, settings: Settings) -> None:
    """Do it, and report what was removed. Raises what `Lease.check` raises between two pieces."""
    work = _Purge(held, settings)
    removed = {
        "refs": work.forget_refs(),
        "snapshots": work.remove_snapshots(),
        **asdict(work.remove_documents()),
        "artifacts": work.remove_artifacts(),
    }
    with work.session() as conn:
        jobs.finish(conn, job_id=held.job.id, epoch=held.job.epoch, report={"removed": removed})


class _Purge:
    """One attempt."""

    def __init__(self, held: Lease, settings: Settings) -> None:
        self._held = held
        self._settings = settings
        self._repository = held.job.repository.number
        self._everything = held.job.repository.removed

    def session(self) -> AbstractContextManager[Connection]:
        """One transaction in the tenant of the job."""
        return tenant_session(self._held.job.tenant_id, role="worker", settings=self._settings)

    def forget_refs(self) -> int:
        """What still points at a snapshot of a removed repository."""
        if not self._everything:
            return 0
        return self._piece(partial(purging.forget_refs, repository=self._repository))

    def remove_snapshots(self) -> int:
        """Those that are not to be kept."""
        retention = Retention(
            keep=self._settings.snapshots_kept,
            days=self._settings.snapshot_retention_days,
            all=self._everything,
        )
        remove = partial(
            purging.remove_snapshots,
            repository=self._repository,
            retention=retention,
            batch=_SNAPSHOTS,
        )
        removed = 0
        while True:
            count = self._piece(remove)
            removed += count
            if count < _SNAPSHOTS:
                return removed

    def remove_documents(self) -> Removed:
        """Those that no snapshot holds, with their nodes and edges."""
        remove = partial(
            purging.remove_unheld,
            repository=self._repository,
            everything=self._everything,
            batch=_DOCUMENTS,
        )
        removed = Removed()
        while True:
            piece = self._piece(remove)
            removed += piece
            if piece.documents < _DOCUMENTS:
                return removed

    def remove_artifacts(self) -> int:
        """Those that no snapshot names: first the row, and after its commit the object."""
        storing.settle_left(self._settings, self._held.job.tenant_id)
        removed = 0
        while True:
            discarded = self._piece(self._discard)
            storing.settle(self._settings, self._held.job.tenant_id, discarded)
            removed += len(discarded)
            if len(discarded) < _ARTIFACTS:
                return removed

    def _discard(self, conn: Connection) -> list[Pending]:
        forgotten = purging.forget_artifacts(
            conn, repository=self._repository, everything=self._everything, batch=_ARTIFACTS
        )
        job = self._held.job
        discarded = [Pending(job.id, job.epoch, each.kind, each.sha256) for each in forgotten]
        pending.discard(conn, discarded)
        return discarded

    def _piece(self, remove: Callable[[Connection], Piece]) -> Piece:
        self._held.check()
        with self.session() as conn:
            return remove(conn)
