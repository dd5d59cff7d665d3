"""Jobs as they go on, told as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from graph.errors import PermissionMissing
from graph.model.ids import JobId
from service.deps import Reader, Shared
from service.watching import Watch

router = APIRouter(prefix="/v1", tags=["jobs"])

LastEventId = Annotated[
    str | None,
    Header(
        pattern=r"^[0-9]{1,19}-[0-9]{1,19}$",
        description="The id of the last event that was seen: what came after it is told again.",
        examples=["1795240000000-0"],
    ),
]

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Events of two kinds: `job` (its data is a job, as GET /v1/jobs/{job_id} answers) and"
            " `progress` (job_id, stage, percent, done, total, and nodes and edges once there are"
            " any). First comes what there is. Comments keep a quiet stream alive; it is closed"
            " after a quarter of an hour at most, and goes on where it was with Last-Event-ID."
        ),
        "content": {
            "text/event-stream": {
                "itemSchema": {
                    "type": "object",
                    "required": ["event", "data"],
                    "properties": {
                        "data": {"type": "string", "contentMediaType": "application/json"},
                    },
                }
            }
        },
    },
}


async def _watch_job(
    request: Request,
    caller: Reader,
    backend: Shared,
    job_id: Annotated[UUID, Path(description="The job.")],
    last_event_id: LastEventId = None,
) -> Watch:
    watch = Watch(request, caller, backend, job_id=JobId(job_id), after=last_event_id)
    await watch.check()
    return watch


async def _watch_tenant(
    request: Request, caller: Reader, backend: Shared, last_event_id: LastEventId = None
) -> Watch:
    if caller.repositories is not None:
        raise PermissionMissing("This key is for certain repositories: watch single jobs.")
    watch = Watch(request, caller, backend, after=last_event_id)
    await watch.check()
    return watch


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=_STREAM)
async def watch_job(
    watch: Annotated[Watch, Depends(_watch_job)],
) -> AsyncIterator[ServerSentEvent]:
    """A job as it goes on, until it has ended."""
    async for event in watch.events():
        yield event


@router.get("/events", response_class=EventSourceResponse, responses=_STREAM)
async def watch_tenant(
    watch: Annotated[Watch, Depends(_watch_tenant)],
) -> AsyncIterator[ServerSentEvent]:
    """All of the tenant's jobs as they go on."""
    async for event in watch.events():
        yield event
