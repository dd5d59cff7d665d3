"""How everything is done that an operator does, over HTTP or at the command line.

One transaction holds the work and the operator event that tells of it. What concerns one tenant is
told in that tenant's own audit events too, so that it sees what was done to it. Work that is
refused, or fails, leaves an operator event in a transaction of its own.

Operators' requests have no idempotency keys: a kept answer belongs to a tenant and goes with it.
All but making a tenant can be repeated without harm anyway; who cannot tell whether one was made
finds it in the list by its name.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from graph.errors import StorageError
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import audit, operator_events
from graph.storage.audit import Target
from graph.storage.operator_events import Actor, NewEvent
from graph.storage.operator_keys import Operator
from graph.storage.session import Connection, in_tenant, system_session
from service import etags
from service.deps import Operating, Shared
from service.writes import Answer, IfMatch, Work, outcome_of

log = structlog.get_logger(__name__)

COMMAND_LINE = Actor("command_line")


@dataclass(slots=True)
class Deed:
    """What is being done; the target may be named as late as in the work itself."""

    actor: Actor
    action: str
    target: Target | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None

    @property
    def tenant_id(self) -> TenantId | None:
        """The tenant that it is done to, if it is done to one."""
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
        log.warning("operator_event.missed", action=deed.action, outcome=outcome, code=code)


class Operation:
    """One request of an operator that changes something."""

    def __init__(
        self,
        request: Request,
        operator: Operator,
        settings: Settings,
        if_match: str | None = None,
    ) -> None:
        self.operator = operator
        self._request = request
        self._settings = settings
        self._if_match = if_match

    def run(
        self,
        work: Work,
        *,
        details: BaseModel | None = None,
        current: Callable[[Connection], BaseModel] | None = None,
    ) -> Response:
        """The answer of the work, done in a session for administration.

        `details` is what was asked for, and is kept with the event: it must hold no secret.
        `current` reads the resource as it is told, locked, for a request that is conditional.
        Raises what the work raises, and PreconditionFailed.
        """
        deed = Deed(
            actor=Actor("operator", self.operator.key_id),
            action=self._request.scope["route"].name,
            target=self._named(),
            details=details.model_dump(mode="json", exclude_unset=True) if details else {},
            request_id=self._request.scope["state"]["request_id"],
        )
        with carried_out(self._settings, deed) as connection:
            if self._if_match is not None and current is not None:
                etags.require(self._if_match, current(connection))
            answer: Answer = work(connection)
            deed.target = answer.target or deed.target
        return answer.response()

    def _named(self) -> Target | None:
        """What the path names last."""
        named = [*self._request.path_params.items()]
        return Target(named[-1][0].removesuffix("_id"), str(named[-1][1])) if named else None


# `async`, so that they cost no thread.
async def _making(request: Request, operator: Operating, backend: Shared) -> Operation:
    return Operation(request, operator, backend.settings)


async def _changing(
    request: Request, operator: Operating, backend: Shared, if_match: IfMatch = None
) -> Operation:
    return Operation(request, operator, backend.settings, if_match)


# What makes something or sets something going (POST), and what changes what there is (PATCH).
Making = Annotated[Operation, Depends(_making)]
Changing = Annotated[Operation, Depends(_changing)]
