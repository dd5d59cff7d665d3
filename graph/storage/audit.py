"""Audit events: who did what to what, and how it ended. They can be added and read, not changed.

An event of a write that succeeded is recorded in the transaction of the write: there is none
without the other. An event of one that was refused is recorded by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    insert,
    select,
)

from graph.model.ids import AuditEventId, new_id
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

ActorKind = Literal["key", "operator", "system"]
Outcome = Literal["succeeded", "refused", "failed"]

ACTOR_KINDS: tuple[ActorKind, ...] = get_args(ActorKind)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_TARGET_LENGTH = 1024
# Events that are read at a time for an export.
EXPORT_BATCH = 1000

audit_events = Table(
    "audit_events",
    metadata,
    tenant_column(),
    Column("event_id", Uuid, primary_key=True),
    moment("at", default_now=True),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Uuid),
    Column("action", Text, nullable=False),
    Column("target_kind", Text),
    Column("target_id", Text),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("request_id", Text),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: an API key, an operator, or Codeloom itself."""

    kind: ActorKind
    id: UUID | None


@dataclass(frozen=True, slots=True)
class Target:
    """To what something is done. The id is as it was asked for: there may be no such thing."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that was done, or that somebody was refused."""

    id: AuditEventId
    at: datetime
    actor: Actor
    action: str  # the operation's id in the API document
    target: Target | None
    outcome: Outcome
    code: str | None  # of the error; none for what succeeded
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; what is not given is not asked about."""

    action: str | None = None
    outcome: Outcome | None = None
    actor_id: UUID | None = None
    target_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(
    conn: Connection,
    *,
    actor: Actor,
    action: str,
    target: Target | None = None,
    outcome: Outcome = "succeeded",
    code: str | None = None,
    request_id: str | None = None,
) -> None:
    """The event is there when the transaction of the tenant's session commits."""
    values = {
        "tenant_id": tenant_of(conn),
        "event_id": new_id(),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "action": action,
        "target_kind": target.kind if target else None,
        "target_id": target.id[:_TARGET_LENGTH] if target else None,
        "outcome": outcome,
        "code": code,
        "request_id": request_id,
    }
    conn.execute(insert(audit_events).values(values))


def list_page(
    conn: Connection, wanted: Filter, *, before: AuditEventId | None = None, limit: int
) -> list[AuditEvent]:
    """A page of the tenant's events, newest first."""
    query = _matching(conn, wanted).order_by(audit_events.c.event_id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_events.c.event_id < before)
    return [_event(row) for row in conn.execute(query)]


def export_batch(
    conn: Connection, wanted: Filter, *, after: AuditEventId | None = None
) -> list[AuditEvent]:
    """The next of the tenant's events that are wanted, oldest first; none at their end."""
    query = _matching(conn, wanted).order_by(audit_events.c.event_id).limit(EXPORT_BATCH)
    if after is not None:
        query = query.where(audit_events.c.event_id > after)
    return [_event(row) for row in conn.execute(query)]


def _matching(conn: Connection, wanted: Filter) -> Select[Any]:
    event = audit_events.c
    conditions = {
        event.action: wanted.action,
        event.outcome: wanted.outcome,
        event.actor_id: wanted.actor_id,
        event.target_id: wanted.target_id,
    }
    query = select(audit_events).where(event.tenant_id == tenant_of(conn))
    for column, value in conditions.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(event.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(event.at < wanted.until)
    return query


def _event(row: Row[Any]) -> AuditEvent:
    target = Target(row.target_kind, row.target_id) if row.target_kind is not None else None
    return AuditEvent(
        id=AuditEventId(row.event_id),
        at=row.at,
        actor=Actor(row.actor_kind, row.actor_id),
        action=row.action,
        target=target,
        outcome=row.outcome,
        code=row.code,
        request_id=row.request_id,
    )
