"""How every route of operators that changes something does it (see `service.deeds`).

Operators' requests have no idempotency keys: a kept answer belongs to a tenant and goes with it.
All but making a tenant can be repeated without harm anyway; who cannot tell whether one was made
finds it in the list by its name.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage.audit import Target
from graph.storage.operator_events import Actor
from graph.storage.operator_keys import Operator
from graph.storage.session import Connection
from service import etags
from service.deeds import Deed, carried_out
from service.deps import Operating, Shared
from service.writes import Answer, IfMatch, Work


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
        self._owner: TenantId | None = None

    def concerns(self, tenant_id: TenantId) -> None:
        """What is done is done to something of this tenant: it is told of it as well."""
        self._owner = tenant_id

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
            try:
                answer: Answer = work(connection)
            finally:
                deed.owner = self._owner
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
