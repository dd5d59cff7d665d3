"""A job as everyone outside sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from graph.errors import JobNotFound
from graph.model.ids import ApiKeyId, JobId, RepositoryId, RepositoryNumber, SnapshotId
from graph.model.jobs import JobState
from graph.storage.jobs.table import jobs
from graph.storage.repositories import repositories
from graph.storage.session import tenant_of


@dataclass(frozen=True, slots=True)
class Job:
    """A requested piece of work and how it goes."""

    id: JobId
    kind: str
    state: JobState
    repository_id: RepositoryId | None
    repository: RepositoryNumber | None
    ref: str | None  # as requested; None means the default
    commit: str | None  # as requested; None means whatever the ref points at
    force: bool
    parameters: dict[str, Any]
    priority: int
    parent_id: JobId | None  # the job that asked for it
    stage: str | None
    percent: int
    files_done: int
    files_total: int
    nodes: int
    edges: int
    attempt: int
    max_attempts: int
    resets: int
    epoch: int
    task_id: str | None  # of the latest dispatch
    run_at: datetime
    error_code: str | None
    error_message: str | None
    report: dict[str, Any] | None
    snapshot_id: SnapshotId | None
    superseded_by: JobId | None
    created_by: ApiKeyId | None
    trace_parent: str | None
    created_at: datetime
    dispatched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


# Columns of the table that a job carries under the same name.
_SAME = (
    "kind",
    "ref",
    "force",
    "parameters",
    "priority",
    "stage",
    "percent",
    "files_done",
    "files_total",
    "nodes",
    "edges",
    "attempt",
    "max_attempts",
    "resets",
    "epoch",
    "run_at",
    "error_code",
    "error_message",
    "report",
    "trace_parent",
    "created_at",
    "dispatched_at",
    "started_at",
    "finished_at",
)


def query(conn: Connection) -> Select[Any]:
    """Jobs of the tenant, with the public id of their repository."""
    joined = jobs.outerjoin(
        repositories,
        and_(
            repositories.c.tenant_id == jobs.c.tenant_id,
            repositories.c.number == jobs.c.repository,
        ),
    )
    return (
        select(jobs, repositories.c.repository_id)
        .select_from(joined)
        .where(jobs.c.tenant_id == tenant_of(conn))
    )


def one(conn: Connection, job_id: JobId) -> Job:
    """The job; raises JobNotFound."""
    row = conn.execute(query(conn).where(jobs.c.job_id == job_id)).first()
    if row is None:
        raise JobNotFound
    return job_of(row)


def job_of(row: Row[Any]) -> Job:
    """A row of `query` as a job."""
    same = {name: getattr(row, name) for name in _SAME}
    return Job(
        id=JobId(row.job_id),
        state=JobState(row.state),
        # Of a row, these come as they are typed here, or as None.
        repository_id=row.repository_id,
        repository=row.repository,
        commit=row.commit_sha,
        task_id=row.celery_task_id,
        parent_id=row.parent_job_id,
        snapshot_id=row.snapshot_id,
        superseded_by=row.superseded_by,
        created_by=row.created_by,
        **same,
    )
