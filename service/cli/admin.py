"""`codeloom admin`: what an operator does to the installation, straight on its database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from graph.model.ids import TenantId
from graph.settings import Settings
from service.cli import app
from service.cli.screen import CommandFailed, answers, remarks

if TYPE_CHECKING:
    from graph.storage.audit import Target
    from graph.storage.session import Connection

admin = typer.Typer(no_args_is_help=True, help="Tenants and keys, for whoever runs this.")
app.add_typer(admin, name="admin")

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's id or name.")]

Result = TypeVar("Result")


@admin.command("seed")
def seed() -> None:
    """Make the demonstration tenant and the key that the other commands use."""
    from service.cli.seed import ensure_key

    with database() as settings:
        kept = ensure_key(settings)
    if kept.new:
        answers().print(kept.secret)
    remarks().print(f"The key is kept in {kept.path}.", style="dim")


@contextmanager
def database() -> Iterator[Settings]:
    """The settings of a database that runs for the time of the context."""
    from graph.settings import get_settings
    from service.embedded import stack

    with stack.opened(get_settings(), say=lambda _: None) as settings:
        yield settings


def tenant_id(settings: Settings, of: str) -> TenantId:
    """The tenant that an id or a name means; raises CommandFailed for a name of several."""
    from graph.storage import tenants
    from graph.storage.session import system_session

    with system_session("administration", settings=settings) as connection:
        try:
            return tenants.get(connection, tenant_id=TenantId(UUID(of))).id
        except ValueError:
            found = tenants.find_by_name(connection, name=of)
    if len(found) != 1:
        several = "Several tenants are" if found else "No tenant is"
        raise CommandFailed(f"{several} called {of}.", "Use the id: codeloom admin tenant list")
    return found[0].id


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
