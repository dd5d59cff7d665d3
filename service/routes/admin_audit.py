"""What operators did, and to whom."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from graph.model.ids import OperatorEventId
from graph.queries.page import Page
from graph.storage import operator_events
from graph.storage.operator_events import ActorKind
from graph.storage.session import system_session
from service import schemas
from service.deps import Operating, Paged, Shared
from service.wire import Moment, Text

router = APIRouter(prefix="/v1/admin", tags=["operator"])


class OperatorActor(schemas.Shape):
    """Who did it."""

    kind: ActorKind = Field(description="system: Codeloom itself, on somebody's earlier word.")
    id: UUID | None = Field(description="Of the operator's key; null for the others.")


class OperatorTarget(schemas.Shape):
    """What it was done to."""

    kind: str = Field(examples=["tenant"])
    id: str = Field(description="As it was asked for; of what was refused, there may be no such.")


class OperatorEvent(schemas.Shape):
    """Something that an operator did, or was refused."""

    id: UUID
    at: datetime
    actor: OperatorActor
    action: str = Field(
        description="The operation's id in this document, or the command line's word for it.",
        examples=["suspend_tenant"],
    )
    target: OperatorTarget | None
    tenant_id: UUID | None = Field(description="The tenant that it was done to; it may be gone.")
    outcome: schemas.OutcomeName
    code: str | None = Field(description="Of the error; null for what succeeded.")
    request_id: str | None = Field(description="As in the answer's X-Request-Id.")
    details: dict[str, Any] = Field(description="What was asked for, or what came of it.")


class OperatorEventPage(schemas.Page[OperatorEvent]):
    """Operator events, newest first."""


async def _filter(
    action: Annotated[
        Text | None, Query(min_length=1, max_length=100, description="Only of this operation.")
    ] = None,
    outcome: Annotated[
        schemas.OutcomeName | None, Query(description="Only with this outcome.")
    ] = None,
    actor_id: Annotated[UUID | None, Query(description="Only by this key.")] = None,
    tenant_id: Annotated[UUID | None, Query(description="Only to this tenant.")] = None,
    target_id: Annotated[
        Text | None, Query(min_length=1, max_length=1024, description="Only on this.")
    ] = None,
    since: Annotated[Moment | None, Query(description="From this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
) -> operator_events.Filter:
    return operator_events.Filter(action, outcome, actor_id, tenant_id, target_id, since, until)


Wanted = Annotated[operator_events.Filter, Depends(_filter)]


@router.get("/operator-events")
def list_operator_events(
    _: Operating, backend: Shared, paging: Paged, wanted: Wanted
) -> OperatorEventPage:
    """Everything that operators did and everything that they were refused, newest first."""
    after, _snapshot = paging.position()
    last = OperatorEventId(UUID(str(after[0]))) if after else None
    with system_session("administration", settings=backend.settings) as connection:
        found = operator_events.list_page(connection, wanted, before=last, limit=paging.limit + 1)
    page = Page.cut(found, paging.limit, lambda event: (str(event.id),))
    return OperatorEventPage(
        items=[_shape(event) for event in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


def _shape(event: operator_events.OperatorEvent) -> OperatorEvent:
    target = event.target
    return OperatorEvent(
        id=event.id,
        at=event.at,
        actor=OperatorActor(kind=event.actor.kind, id=event.actor.id),
        action=event.action,
        target=OperatorTarget(kind=target.kind, id=target.id) if target is not None else None,
        tenant_id=event.tenant_id,
        outcome=event.outcome,
        code=event.code,
        request_id=event.request_id,
        details=dict(event.details),
    )
