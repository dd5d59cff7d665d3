"""Loaded documents -> a snapshot that its refs answer with, in one transaction."""

from typing import Any

from graph.settings import Settings
from graph.storage import publish as storage
from graph.storage import snapshots
from graph.storage.jobs import ClaimedJob
from graph.storage.publish import NewSnapshot
from graph.storage.refs import DEFAULT
from graph.storage.session import tenant_session
from graph.storage.snapshots import Snapshot
from workers.git.targets import Target


def heads(job: ClaimedJob, target: Target) -> tuple[str, ...]:
    """The refs that answer with the commit: as it was asked for, as people call it, the default.

    None for a job that asked for a commit: it was not asked where a ref points.
    """
    if job.commit is not None and job.ref is None:
        return ()
    names = [job.ref or DEFAULT, target.branch_or_tag, DEFAULT if target.is_default else None]
    return tuple(dict.fromkeys(name for name in names if name is not None))


def find(job: ClaimedJob, target: Target, pipeline: str, *, settings: Settings) -> Snapshot | None:
    """The snapshot of this commit by this version of the pipeline, if there is one."""
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        return snapshots.of_commit(
            conn, repository=job.repository.number, commit=target.commit, pipeline=pipeline
        )


def publish(
    job: ClaimedJob, snapshot: NewSnapshot, report: dict[str, Any], *, settings: Settings
) -> Snapshot:
    """The snapshot is visible and the job has succeeded. Raises LeaseLost, SnapshotIncomplete."""
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        return storage.publish(
            conn, job_id=job.id, epoch=job.epoch, snapshot=snapshot, report=report
        )


def publish_again(
    job: ClaimedJob,
    snapshot: Snapshot,
    names: tuple[str, ...],
    report: dict[str, Any],
    *,
    settings: Settings,
) -> None:
    """The refs answer with a snapshot that exists, and the job has succeeded. Raises LeaseLost."""
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        storage.publish_again(
            conn,
            job_id=job.id,
            epoch=job.epoch,
            snapshot=snapshot,
            heads=names,
            report=report,
        )
