"""Dead jobs of all tenants: looked at, tried again, put aside."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.queries.page import Page
from graph.storage import jobs
from graph.storage.jobs import dead
from graph.storage.session import Connection, in_tenant, system_session
from service import schemas
from service.dead_jobs import told
from service.deps import Operating, Paged, Shared
from service.operations import Making
from service.wire import Moment, Text
from service.writes import Answer, Target

router = APIRouter(prefix="/v1/admin/dead-jobs", tags=["operator"])

JobParameter = Annotated[UUID, Path(description="The job.")]

# A job dies after three workers; before, it may have been tried and given back more often.
_ATTEMPTS = 100


class DeadJob(schemas.Shape):
    """A job whose workers died with it too often. What it was about is its tenant's to read."""

    id: UUID
    tenant_id: UUID
    kind: str
    repository_id: UUID | None
    large: bool = Field(description="Of a repository with 20,000 files or more.")
    stage: str | None = Field(description="Where it was when the last worker died.")
    error_code: str | None = Field(examples=["worker_lost"])
    workers_lost: int = Field(description="Workers that died with it.")
    created_at: datetime
    died_at: datetime


class DeadJobAttempt(schemas.Shape):
    """One start of a dead job on a worker."""

    task_id: str = Field(description="Its Celery task.")
    worker: str | None = Field(description="The worker, by the name that it goes by in logs.")
    started_at: datetime
    ended_at: datetime | None
    outcome: JobState | None = Field(description="What the job went on to.")
    stage: str | None
    error_code: str | None


class InspectedDeadJob(DeadJob):
    """A dead job, and how each of its starts went."""

    attempts: list[DeadJobAttempt] = Field(description="The first hundred, oldest first.")


class DeadJobPage(schemas.Page[DeadJob]):
    """Dead jobs, newest first."""


class ReleasedJob(schemas.Shape):
    """A job that is no longer among the dead ones."""

    id: UUID
    tenant_id: UUID
    state: JobState


async def _filter(
    tenant_id: Annotated[UUID | None, Query(description="Only of this tenant.")] = None,
    kind: Annotated[
        Text | None, Query(min_length=1, max_length=40, description="Only of this kind.")
    ] = None,
    error_code: Annotated[
        Text | None, Query(min_length=1, max_length=100, description="Only with this error.")
    ] = None,
    since: Annotated[
        Moment | None, Query(description="Only those that died then or later.")
    ] = None,
    until: Annotated[Moment | None, Query(description="Only those that died before.")] = None,
) -> dead.Filter:
    return dead.Filter(tenant_id, kind, error_code, since, until)


@router.get("")
def list_dead_jobs(
    _: Operating,
    backend: Shared,
    paging: Paged,
    wanted: Annotated[dead.Filter, Depends(_filter)],
) -> DeadJobPage:
    """Dead jobs of all tenants, newest first."""
    after, _snapshot = paging.position()
    with system_session("administration", settings=backend.settings) as connection:
        found = dead.list_page(
            connection,
            wanted,
            before=JobId(UUID(str(after[0]))) if after else None,
            limit=paging.limit + 1,
        )
    page = Page.cut(found, paging.limit, lambda row: (str(row.id),))
    return DeadJobPage(
        items=[DeadJob(**told(row)) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/{job_id}")
def get_dead_job(_: Operating, backend: Shared, job_id: JobParameter) -> InspectedDeadJob:
    """A dead job, and how each of its starts went; 404 for one that is not dead."""
    with system_session("administration", settings=backend.settings) as connection:
        row = dead.get(connection, job_id=JobId(job_id))
        started = jobs.attempts(
            in_tenant(connection, row.tenant_id), job_id=row.id, limit=_ATTEMPTS
        )
    return InspectedDeadJob(**told(row), attempts=[_attempt(one) for one in started])


@router.post("/{job_id}/replay", response_model=ReleasedJob)
def replay_dead_job(operation: Making, job_id: JobParameter) -> Response:
    """Have a dead job tried again, with all its attempts before it, as its tenant could."""
    return _let_go(operation, job_id, dead.replay, JobState.QUEUED)


@router.post("/{job_id}/discard", response_model=ReleasedJob)
def discard_dead_job(operation: Making, job_id: JobParameter) -> Response:
    """Put a dead job aside: it is a failed one from now on. Its tenant may still retry it."""
    return _let_go(operation, job_id, dead.discard, JobState.FAILED)


def _let_go(
    operation: Making,
    job_id: UUID,
    do: Callable[[Connection, dead.DeadJob], None],
    state: JobState,
) -> Response:
    """Do it to the dead job, and say in which state it is then."""

    def work(connection: Connection) -> Answer:
        row = dead.get(connection, job_id=JobId(job_id))
        operation.concerns(row.tenant_id)
        do(connection, row)
        body = ReleasedJob(id=row.id, tenant_id=row.tenant_id, state=state)
        return Answer(body, target=Target("job", row.id))

    return operation.run(work)


def _attempt(one: jobs.Attempt) -> DeadJobAttempt:
    return DeadJobAttempt(
        task_id=one.task_id,
        worker=one.worker,
        started_at=one.started_at,
        ended_at=one.ended_at,
        outcome=one.outcome,
        stage=one.stage,
        error_code=one.error_code,
    )
