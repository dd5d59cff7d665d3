"""What an operator does, over HTTP or at the command line: carried out and told of as one.

One transaction holds the work and the operator event that tells of it. What concerns one tenant is
told in that tenant's own audit events too, so that it sees what was done to it. Work that is
refused, or fails, leaves an operator event in a transaction of its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog

from graph.errors import CodeloomError, ErrorKind, StorageError
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import audit, operator_events
from graph.storage.audit import Outcome, Target
from graph.storage.operator_events import Actor, NewEvent
from graph.storage.session import Connection, in_tenant, system_session

_log = structlog.get_logger(__name__)

COMMAND_LINE = Actor("command_line")

# What an error means for those who read of it; what is merely malformed was never a deed.
_OUTCOMES: dict[ErrorKind, Outcome] = {
    "forbidden": "refused",
    "not_found": "refused",
    "conflict": "refused",
    "precondition": "refused",
    "quota": "refused",
    "unavailable": "failed",
    "internal": "failed",
}


@dataclass(slots=True)
class Deed:
    """What is being done; the target may be named as late as in the work itself."""

    actor: Actor
    action: str
    target: Target | None = None
    # What was asked for; it must hold no secret.
    details: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    # Whose the target is, if it is something of a tenant's; the work may say it.
    owner: TenantId | None = None

    @property
    def tenant_id(self) -> TenantId | None:
        """The tenant that it is done to, or to something of which, if it is done to one."""
        if self.owner is not None:
            return self.owner
        if self.target is None or self.target.kind != "tenant":
            return None
        return TenantId(UUID(self.target.id))

    def event(self) -> NewEvent:
        """What the operators' own list says of it."""
        return NewEvent(
            actor=self.actor,
            action=self.action,
            target=self.target,
            tenant_id=self.tenant_id,
            request_id=self.request_id,
            details=self.details,
        )


def outcome_of(error: Exception) -> tuple[Outcome, str] | None:
    """How something ended that raised this, and its code; None if it was never a deed."""
    known = error if isinstance(error, CodeloomError) else CodeloomError()
    outcome = _OUTCOMES.get(known.kind)
    return (outcome, known.code) if outcome is not None else None


@contextmanager
def carried_out(settings: Settings, deed: Deed) -> Iterator[Connection]:
    """The transaction of an operator; told of when the block ends, however it ends."""
    try:
        with system_session("administration", settings=settings) as connection:
            yield connection
            _tell(connection, deed)
    except Exception as error:
        _tell_of_failure(settings, deed, error)
        raise


def _tell(connection: Connection, deed: Deed) -> None:
    operator_events.record(connection, deed.event())
    if deed.tenant_id is not None:
        audit.record(
            in_tenant(connection, deed.tenant_id),
            actor=audit.Actor("operator", deed.actor.id),
            action=deed.action,
            target=deed.target,
            request_id=deed.request_id,
        )


def _tell_of_failure(settings: Settings, deed: Deed, error: Exception) -> None:
    ended = outcome_of(error)
    if ended is None:
        return
    outcome, code = ended
    try:
        with system_session("administration", settings=settings) as connection:
            event = replace(deed.event(), outcome=outcome, code=code)
            operator_events.record(connection, event)
    except StorageError:
        # The database is away: most likely that is why the work failed, and it is answered so.
        _log.warning("operator_event.missed", action=deed.action, outcome=outcome, code=code)
