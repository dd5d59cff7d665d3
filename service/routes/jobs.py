"""Ingestions are asked for, and every job is watched and cancelled, here."""

from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from graph.errors import JobNotFound, PermissionMissing, RepositoryNotFound
from graph.model.ids import JobId, RepositoryId
from graph.model.jobs import JobState
from graph.model.tenants import Scope
from graph.queries.page import Page
from graph.storage import jobs, repositories
from graph.storage.keys import Caller
from graph.storage.session import Connection, tenant_session
from service import jobs as shape
from service import schemas
from service.deps import Paged, Paging, Reader, Shared, may_use
from service.reads import RepositoryParameter
from service.wire import Flag, Text
from service.writes import Answer, IngestWrite, Target, Write
from workers import facade

router = APIRouter(prefix="/v1", tags=["jobs"])

JobParameter = Annotated[UUID, Path(description="The job.")]
Kind = Literal["ingest", "purge"]

# What removes something needs more than what adds.
_SCOPES: dict[Kind, Scope] = {"ingest": Scope.INGEST, "purge": Scope.ADMIN}

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"description": "Where to watch the job.", "schema": {"type": "string"}}
        }
    }
}


class _Change(Protocol):
    def __call__(self, conn: Connection, *, job_id: JobId) -> jobs.Job: ...


class Ingestion(schemas.Request):
    """What to ingest; nothing means the default ref."""

    ref: Text | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="A branch or tag; its head becomes this snapshot.",
        examples=["main"],
    )
    commit: str | None = Field(
        default=None,
        pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$",
        description="A commit's full hash. Without a ref, no head is moved.",
    )
    force: Flag = Field(
        default=False,
        description="Build the snapshot anew, even if there is one of this commit.",
    )


class NewJob(schemas.Request):
    """A job of any kind.

    `ingest` takes repository_id, ref, commit and force, `purge` a repository_id.
    """

    kind: Kind
    parameters: dict[str, Any] = Field(
        description="What the job is about.",
        examples=[{"repository_id": "0197a1fb-e97e-7f72-b305-cb318fa2e2c1", "ref": "main"}],
    )


class AttemptPage(schemas.Page[shape.Attempt]):
    """Attempts of a job, oldest first."""


class JobPage(schemas.Page[shape.Job]):
    """Jobs, newest first."""


@router.post(
    "/repositories/{repository_id}/ingestions",
    status_code=202,
    response_model=shape.Job,
    responses=_ACCEPTED,
)
def request_ingestion(
    write: IngestWrite, repository_id: RepositoryParameter, body: Ingestion | None = None
) -> Response:
    """Ask for an ingestion. A request for a ref that already waits answers with the waiting job."""
    wanted = body or Ingestion()

    def work(connection: Connection) -> Answer:
        may_use(write.caller, RepositoryId(repository_id))
        job = facade.request_ingestion(
            connection,
            repository_id=RepositoryId(repository_id),
            ref=wanted.ref,
            commit=wanted.commit,
            force=wanted.force,
            created_by=write.caller.key_id,
        )
        return _accepted(job)

    return write.run(work)


@router.post(
    "/jobs",
    status_code=202,
    response_model=shape.Job,
    # A repository that its parameters name, since the path names nothing.
    responses={**_ACCEPTED, 404: {"$ref": "#/components/responses/NotFound"}},
)
def request_job(write: IngestWrite, body: NewJob) -> Response:
    """Ask for a job of any kind."""
    if _SCOPES[body.kind] not in write.caller.scopes:
        # Before the work: an answer that is kept for a key of another is not this one's either.
        error = PermissionMissing(f"This needs a key with the scope {_SCOPES[body.kind]}.")
        write.refuse(error)
        raise error

    def work(connection: Connection) -> Answer:
        job = facade.request_job(
            connection,
            kind=body.kind,
            parameters=body.parameters,
            may_use=lambda repository_id: may_use(write.caller, repository_id),
            created_by=write.caller.key_id,
        )
        return _accepted(job)

    return write.run(work)


@router.get("/jobs")
def list_jobs(
    caller: Reader,
    backend: Shared,
    paging: Paged,
    repository_id: Annotated[UUID | None, Query(description="Only of this repository.")] = None,
    state: Annotated[
        list[JobState] | None, Query(max_length=len(JobState), description="Only in these states.")
    ] = None,
    kind: Annotated[
        Text | None, Query(min_length=1, max_length=40, description="Only of this kind.")
    ] = None,
) -> JobPage:
    """The tenant's jobs, newest first. An unknown repository has none."""
    if caller.repositories is not None and repository_id not in caller.repositories:
        raise PermissionMissing("This key must name one of its repositories.")
    after, _ = paging.position()
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        number = None
        if repository_id is not None:
            try:
                known = repositories.get(connection, repository_id=RepositoryId(repository_id))
            except RepositoryNotFound:
                # A filter that nothing passes, not a thing that was asked for by name.
                return JobPage(items=[], next_cursor=None, truncated=False)
            number = known.number
        found = jobs.list_page(
            connection,
            repository=number,
            states=state or (),
            kind=kind,
            before=JobId(UUID(str(after[0]))) if after else None,
            limit=paging.limit + 1,
        )
    return _page(paging, found)


@router.get("/jobs/{job_id}")
def get_job(caller: Reader, backend: Shared, job_id: JobParameter) -> shape.Job:
    """A job: its state, how far it is, and in the end its report."""
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        return shape.job(_seen(caller, jobs.get(connection, job_id=JobId(job_id))))


@router.post("/jobs/{job_id}/cancel", response_model=shape.Job)
def cancel_job(write: IngestWrite, job_id: JobParameter) -> Response:
    """Cancel a job that has not ended. A worker that holds it stops within seconds."""
    return _changed(write, JobId(job_id), facade.cancel)


@router.post("/jobs/{job_id}/retry", response_model=shape.Job)
def retry_job(write: IngestWrite, job_id: JobParameter) -> Response:
    """Try a job again that failed, was cancelled or is dead, with all its attempts before it."""
    return _changed(write, JobId(job_id), facade.retry)


@router.post("/jobs/{job_id}/discard", response_model=shape.Job)
def discard_job(write: IngestWrite, job_id: JobParameter) -> Response:
    """Put a dead job aside: it is a failed one from now on. `state=dead` lists those that wait."""
    return _changed(write, JobId(job_id), facade.discard)


@router.get("/jobs/{job_id}/attempts")
def list_job_attempts(
    caller: Reader, backend: Shared, paging: Paged, job_id: JobParameter
) -> AttemptPage:
    """How each start of a job went, oldest first."""
    after, _ = paging.position()
    last = int(after[0]) if after else 0
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        _seen(caller, jobs.get(connection, job_id=JobId(job_id)))
        found = jobs.attempts(connection, job_id=JobId(job_id), after=last, limit=paging.limit + 1)
    page = Page.cut(found, paging.limit, lambda row: (row.epoch,))
    return AttemptPage(
        items=[shape.attempt(row, caller.tenant_id) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/jobs/{job_id}/children")
def list_job_children(
    caller: Reader, backend: Shared, paging: Paged, job_id: JobParameter
) -> JobPage:
    """The jobs that a job asked for, newest first."""
    after, _ = paging.position()
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        _seen(caller, jobs.get(connection, job_id=JobId(job_id)))
        found = jobs.list_page(
            connection,
            parent=JobId(job_id),
            before=JobId(UUID(str(after[0]))) if after else None,
            limit=paging.limit + 1,
        )
    return _page(paging, found)


@router.get("/tasks/{task_id}")
def get_task(
    caller: Reader,
    backend: Shared,
    task_id: Annotated[
        Text,
        Path(
            max_length=64,
            description="The Celery task's id, as a job's `task_id` says it.",
        ),
    ],
) -> shape.Task:
    """The job that a Celery task works on, in the words that one polls a task for."""
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        info = facade.task_info(connection, task_id=task_id)
    _seen(caller, info.job)
    return shape.task(info)


def _accepted(job: jobs.Job) -> Answer:
    return Answer(shape.job(job), 202, target=Target("job", job.id), location=f"/v1/jobs/{job.id}")


def _page(paging: Paging, found: list[jobs.Job]) -> JobPage:
    page = Page.cut(found, paging.limit, lambda job: (str(job.id),))
    return JobPage(
        items=[shape.job(job) for job in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


def _changed(write: Write, job_id: JobId, change: _Change) -> Response:
    """The job, after a change to it that the caller may make."""

    def work(connection: Connection) -> Answer:
        _seen(write.caller, jobs.get(connection, job_id=job_id))
        return Answer(shape.job(change(connection, job_id=job_id)))

    return write.run(work)


def _seen(caller: Caller, job: jobs.Job) -> jobs.Job:
    may_use(caller, job.repository_id, JobNotFound)
    return job
