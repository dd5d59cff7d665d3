"""What operators did to the installation and its tenants, and what Codeloom itself found wrong.

Events can be added and read, not changed. One that is about a tenant names it, and stays when the
tenant has been erased. It holds no secret: of a key its id, never what opens anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Row,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from graph.model.ids import OperatorEventId, TenantId, new_id
from graph.storage.audit import Outcome, Target
from graph.storage.schema import metadata, moment

ActorKind = Literal["operator", "command_line", "system"]

_TARGET_LENGTH = 1024

operator_events = Table(
    "operator_events",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    moment("at", default_now=True),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Uuid),
    Column("action", Text, nullable=False),
    Column("target_kind", Text),
    Column("target_id", Text),
    Column("tenant_id", Uuid),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("request_id", Text),
    Column("details", JSONB, nullable=False, server_default="{}"),
)
Index(
    "operator_events_tenant",
    operator_events.c.tenant_id,
    operator_events.c.event_id,
    postgresql_where=operator_events.c.tenant_id.is_not(None),
)
Index(
    "operator_events_failures",
    operator_events.c.action,
    postgresql_where=operator_events.c.outcome == "failed",
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the operator of a key, the command line, or Codeloom itself."""

    kind: ActorKind
    id: UUID | None = None  # of the key


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that an operator does; `outcome` and `code` say how it ended."""

    actor: Actor
    action: str
    target: Target | None = None
    tenant_id: TenantId | None = None
    outcome: Outcome = "succeeded"
    code: str | None = None
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OperatorEvent:
    """Something that an operator did, or was refused."""

    id: OperatorEventId
    at: datetime
    actor: Actor
    action: str  # the operation's id in the API document
    target: Target | None
    tenant_id: TenantId | None
    outcome: Outcome
    code: str | None  # of the error; none for what succeeded
    request_id: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; what is not given is not asked about."""

    action: str | None = None
    outcome: Outcome | None = None
    actor_id: UUID | None = None
    tenant_id: UUID | None = None
    target_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(conn: Connection, event: NewEvent) -> None:
    """The event is there when the transaction commits."""
    target = event.target
    values = {
        "event_id": new_id(),
        "actor_kind": event.actor.kind,
        "actor_id": event.actor.id,
        "action": event.action,
        "target_kind": target.kind if target else None,
        "target_id": target.id[:_TARGET_LENGTH] if target else None,
        "tenant_id": event.tenant_id,
        "outcome": event.outcome,
        "code": event.code,
        "request_id": event.request_id,
        "details": dict(event.details),
    }
    conn.execute(insert(operator_events).values(values))


def failures(conn: Connection, *, action: str) -> int:
    """How often this has failed. Needs a session for `administration`."""
    event = operator_events.c
    query = select(func.count()).where(event.action == action, event.outcome == "failed")
    return conn.execute(query).scalar_one()


def list_page(
    conn: Connection, wanted: Filter, *, before: OperatorEventId | None = None, limit: int
) -> list[OperatorEvent]:
    """A page of the events, newest first. Needs a session for `administration`."""
    event = operator_events.c
    conditions = {
        event.action: wanted.action,
        event.outcome: wanted.outcome,
        event.actor_id: wanted.actor_id,
        event.tenant_id: wanted.tenant_id,
        event.target_id: wanted.target_id,
    }
    query = select(operator_events).order_by(event.event_id.desc()).limit(limit)
    for column, value in conditions.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(event.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(event.at < wanted.until)
    if before is not None:
        query = query.where(event.event_id < before)
    return [_event(row) for row in conn.execute(query)]


def _event(row: Row[Any]) -> OperatorEvent:
    return OperatorEvent(
        id=OperatorEventId(row.event_id),
        at=row.at,
        actor=Actor(row.actor_kind, row.actor_id),
        action=row.action,
        target=Target(row.target_kind, row.target_id) if row.target_kind is not None else None,
        tenant_id=TenantId(row.tenant_id) if row.tenant_id is not None else None,
        outcome=row.outcome,
        code=row.code,
        request_id=row.request_id,
        details=row.details,
    )
