"""Snapshots: which there are, and what one of them holds."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field

from graph.errors import SnapshotNotFound
from graph.model.ids import RepositoryId, SnapshotId
from graph.queries import snapshots
from graph.queries.snapshots import PublishedSnapshot
from graph.storage.session import tenant_session
from service import jobs, schemas, shapes
from service.deps import Paged, Reader, Shared, may_use
from service.reads import RepositoryParameter
from service.wire import Text

router = APIRouter(prefix="/v1", tags=["snapshots"])


class SnapshotItem(schemas.Snapshot):
    """A snapshot in a list."""

    coverage: schemas.Coverage
    nodes: int
    edges: int


class SnapshotDetail(SnapshotItem):
    """A snapshot with everything that is known about how it was made."""

    repository_id: UUID
    job_id: UUID = Field(description="The job that published it.")
    pipeline: str = Field(description="The version of the rules it was made by.")
    report: jobs.Report


class SnapshotPage(schemas.Page[SnapshotItem]):
    """Snapshots, newest first."""


@router.get("/repositories/{repository_id}/snapshots")
def list_snapshots(
    *,
    caller: Reader,
    backend: Shared,
    paging: Paged,
    repository_id: RepositoryParameter,
    ref: Annotated[
        Text | None, Query(min_length=1, max_length=1024, description="Only made for this ref.")
    ] = None,
    commit: Annotated[
        str | None,
        Query(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$", description="Only of this commit."),
    ] = None,
) -> SnapshotPage:
    """The published snapshots of a repository, newest first."""
    may_use(caller, RepositoryId(repository_id))
    after, _ = paging.position()
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        page = snapshots.list_all(
            connection,
            repository_id=RepositoryId(repository_id),
            ref=ref,
            commit=commit,
            after=after,
            limit=paging.limit,
        )
    return SnapshotPage(
        items=[SnapshotItem(**_common(row)) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/snapshots/{snapshot_id}")
def get_snapshot(
    caller: Reader,
    backend: Shared,
    snapshot_id: Annotated[UUID, Path(description="The snapshot.")],
) -> SnapshotDetail:
    """One snapshot: its commit, its coverage and the report of its ingestion."""
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        row = snapshots.get(connection, snapshot_id=SnapshotId(snapshot_id))
    may_use(caller, row.repository_id, SnapshotNotFound)
    return SnapshotDetail(
        **_common(row),
        repository_id=row.repository_id,
        job_id=row.job_id,
        pipeline=row.pipeline,
        report=dict(row.report),
    )


def _common(row: PublishedSnapshot) -> dict[str, Any]:
    return {
        **dict(shapes.snapshot(row)),
        "coverage": shapes.coverage(row),
        "nodes": row.nodes,
        "edges": row.edges,
    }
