"""What is done inside a tenant from the command line, so that nothing of it stays untold."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from graph.model.ids import TenantId
from graph.settings import Settings

if TYPE_CHECKING:
    from graph.storage.audit import Target
    from graph.storage.session import Connection

Result = TypeVar("Result")


def done_to(
    settings: Settings,
    tenant: TenantId,
    action: str,
    work: "Callable[[Connection], tuple[Target, Result]]",
) -> Result:
    """The result of the work inside a tenant, which its audit and the operators' events tell of.

    The work says first what it was done to. The operators' event stands ready before the work is
    committed: only the very end of it could still be lost.
    """
    from graph.storage import audit, operator_events
    from graph.storage.operator_events import Actor, NewEvent
    from graph.storage.session import system_session, tenant_session

    with (
        system_session("administration", settings=settings) as told,
        tenant_session(tenant, settings=settings) as connection,
    ):
        target, result = work(connection)
        actor = audit.Actor("operator", None)
        audit.record(connection, actor=actor, action=action, target=target)
        operator_events.record(told, NewEvent(Actor("command_line"), action, target, tenant))
    return result
