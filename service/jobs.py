"""A job as it is shown, wherever it is shown."""

import hashlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from typing_extensions import TypeAliasType

from graph.model.ids import TenantId
from graph.model.jobs import JobState
from graph.storage.jobs import Attempt as AttemptRow
from graph.storage.jobs import Job as Row
from service.errors import action_of
from service.schemas import Shape
from workers.facade import TaskInfo, TaskStatus


class Progress(Shape):
    """How far a job is."""

    stage: str | None = Field(
        description="checkout, inventory, parse, resolve, load or publish; null before the first.",
    )
    percent: int = Field(ge=0, le=100, description="Over the whole job.")
    files_done: int
    files_total: int
    nodes: int
    edges: int


class JobError(Shape):
    """Why a job did not succeed."""

    code: str = Field(examples=["host_unreachable"])
    message: str
    action: str = Field(description="What to do about it.")


Report = TypeAliasType(
    "Report",
    Annotated[dict[str, Any], Field(description="Counts, times by stage, and notes.")],
)


class Job(Shape):
    """A requested piece of work."""

    id: UUID
    kind: str
    state: JobState
    repository_id: UUID | None
    parent_job_id: UUID | None = Field(description="The job that asked for this one.")
    ref: str | None = Field(description="As requested; null means the default ref.")
    commit: str | None = Field(description="As requested; null means what the ref points at.")
    force: bool
    progress: Progress
    attempt: int = Field(description="How often it was started, as far as it counts.")
    max_attempts: int
    task_id: str | None = Field(description="The Celery task of the latest attempt.")
    error: JobError | None
    snapshot_id: UUID | None = Field(description="What it published.")
    superseded_by: UUID | None = Field(description="The job that made this one pointless.")
    report: Report | None = Field(description="Null before the job has succeeded.")
    created_at: datetime
    run_at: datetime = Field(description="Not before this; later than now between two tries.")
    started_at: datetime | None
    finished_at: datetime | None


class Attempt(Shape):
    """One start of a job on a worker."""

    number: int = Field(description="As far as attempts count: one that was nobody's fault is not.")
    task_id: str = Field(description="Its Celery task.")
    worker: str | None = Field(description="Which worker it was; the same word, the same worker.")
    started_at: datetime
    ended_at: datetime | None = Field(description="Null while it runs.")
    seconds: float | None = Field(description="How long it took; null while it runs.")
    outcome: JobState | None = Field(
        description="What the job went on to; `queued` means that it is tried again.",
    )
    stage: str | None = Field(description="How far it came; null before the first stage.")
    error: JobError | None


class TaskResult(Shape):
    """What came of a task."""

    snapshot_id: UUID | None = Field(description="What it published.")
    report: Report | None


class Task(Shape):
    """A job, seen as the Celery task that runs it."""

    task_id: str
    status: TaskStatus
    ready: bool = Field(description="True once the job has ended, in whatever way.")
    result: TaskResult | None = Field(description="Null unless the status is `success`.")
    job: Job


def job(row: Row) -> Job:
    """The job of a row."""
    return Job(
        id=row.id,
        kind=row.kind,
        state=row.state,
        repository_id=row.repository_id,
        parent_job_id=row.parent_id,
        ref=row.ref,
        commit=row.commit,
        force=row.force,
        progress=Progress(
            stage=row.stage,
            percent=row.percent,
            files_done=row.files_done,
            files_total=row.files_total,
            nodes=row.nodes,
            edges=row.edges,
        ),
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        task_id=row.task_id,
        error=_error(row.error_code, row.error_message),
        snapshot_id=row.snapshot_id,
        superseded_by=row.superseded_by,
        report=row.report,
        created_at=row.created_at,
        run_at=row.run_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def attempt(row: AttemptRow, tenant_id: TenantId) -> Attempt:
    """An attempt of a row. Workers are known by words: the names of machines are not a tenant's."""
    ended = row.ended_at
    return Attempt(
        number=row.number,
        task_id=row.task_id,
        worker=_word(row.worker, tenant_id) if row.worker is not None else None,
        started_at=row.started_at,
        ended_at=ended,
        seconds=round((ended - row.started_at).total_seconds(), 3) if ended is not None else None,
        outcome=row.outcome,
        stage=row.stage,
        error=_error(row.error_code, row.error_message),
    )


def _error(code: str | None, message: str | None) -> JobError | None:
    if code is None:
        return None
    return JobError(code=code, message=message or "", action=action_of(code))


def _word(worker: str, tenant_id: TenantId) -> str:
    digest = hashlib.blake2b(worker.encode(), key=tenant_id.bytes, digest_size=4)
    return f"worker-{digest.hexdigest()}"


def task(info: TaskInfo) -> Task:
    """The job of a task, as one polls it."""
    row, succeeded = info.job, info.status is TaskStatus.SUCCESS
    result = TaskResult(snapshot_id=row.snapshot_id, report=row.report) if succeeded else None
    return Task(
        task_id=info.task_id,
        status=info.status,
        ready=row.finished_at is not None,
        result=result,
        job=job(row),
    )
