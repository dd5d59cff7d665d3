"""What was done in a tenant, and by whom."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from graph.model.ids import AuditEventId
from graph.queries.page import Page
from graph.settings import Settings
from graph.storage import audit
from graph.storage.audit import ActorKind
from graph.storage.keys import Caller
from graph.storage.session import tenant_session
from service import schemas
from service.deps import Admin, Paged, Shared
from service.wire import Moment, Text

router = APIRouter(prefix="/v1", tags=["tenant"])

_NDJSON = "application/x-ndjson"


class Actor(schemas.Shape):
    """Who did it."""

    kind: ActorKind
    id: UUID | None = Field(description="Of the key; null for Codeloom itself.")


class Target(schemas.Shape):
    """What it was done to."""

    kind: str = Field(examples=["repository"])
    id: str = Field(description="As it was asked for; of a refused write, there may be no such.")


class AuditEvent(schemas.Shape):
    """A write, or one that was refused."""

    id: UUID
    at: datetime
    actor: Actor
    action: str = Field(
        description="The operation's id in this document.", examples=["register_repository"]
    )
    target: Target | None
    outcome: schemas.OutcomeName
    code: str | None = Field(description="Of the error; null for what succeeded.")
    request_id: str | None = Field(description="As in the answer's X-Request-Id.")


class AuditEventPage(schemas.Page[AuditEvent]):
    """Audit events, newest first."""


async def _filter(
    action: Annotated[
        Text | None, Query(min_length=1, max_length=100, description="Only of this operation.")
    ] = None,
    outcome: Annotated[
        schemas.OutcomeName | None, Query(description="Only with this outcome.")
    ] = None,
    actor_id: Annotated[UUID | None, Query(description="Only by this key.")] = None,
    target_id: Annotated[
        Text | None, Query(min_length=1, max_length=1024, description="Only on this.")
    ] = None,
    since: Annotated[
        Moment | None,
        Query(description="From this time on.", examples=["2026-01-31T00:00:00Z"]),
    ] = None,
    until: Annotated[
        Moment | None,
        Query(description="Before this time.", examples=["2026-02-28T00:00:00Z"]),
    ] = None,
) -> audit.Filter:
    return audit.Filter(action, outcome, actor_id, target_id, since, until)


Wanted = Annotated[audit.Filter, Depends(_filter)]


@router.get("/audit-events")
def list_audit_events(
    caller: Admin, backend: Shared, paging: Paged, wanted: Wanted
) -> AuditEventPage:
    """Every write in the tenant and every one that was refused, newest first."""
    after, _ = paging.position()
    last = AuditEventId(UUID(str(after[0]))) if after else None
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        found = audit.list_page(connection, wanted, before=last, limit=paging.limit + 1)
    page = Page.cut(found, paging.limit, lambda event: (str(event.id),))
    return AuditEventPage(
        items=[_shape(event) for event in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get(
    "/audit-events/export",
    response_class=Response,
    responses={
        200: {
            "description": "One audit event on each line, oldest first.",
            "content": {
                _NDJSON: {
                    "schema": {"type": "string"},
                    "itemSchema": {"$ref": "#/components/schemas/AuditEvent"},
                }
            },
        }
    },
)
def export_audit_events(caller: Admin, backend: Shared, wanted: Wanted) -> Response:
    """All of the events that are wanted, in one stream of JSON lines, oldest first."""
    lines = _lines(caller, backend.settings, wanted)
    # What the database has against it is said before the stream begins, with a status.
    first = next(lines, b"")
    return StreamingResponse(_after(first, lines), media_type=_NDJSON)


def _after(first: bytes, lines: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from lines


def _lines(caller: Caller, settings: Settings, wanted: audit.Filter) -> Iterator[bytes]:
    """A batch of lines at a time; no transaction is open while the client takes them."""
    after: AuditEventId | None = None
    while True:
        with tenant_session(caller.tenant_id, settings=settings) as connection:
            events = audit.export_batch(connection, wanted, after=after)
        if not events:
            return
        yield b"".join(_shape(event).model_dump_json().encode() + b"\n" for event in events)
        after = events[-1].id


def _shape(event: audit.AuditEvent) -> AuditEvent:
    target = event.target
    return AuditEvent(
        id=event.id,
        at=event.at,
        actor=Actor(kind=event.actor.kind, id=event.actor.id),
        action=event.action,
        target=Target(kind=target.kind, id=target.id) if target is not None else None,
        outcome=event.outcome,
        code=event.code,
        request_id=event.request_id,
    )
