"""`codeloom admin`: what an operator does to the installation, straight on its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer

from graph.model.ids import TenantId
from graph.settings import Settings
from service.cli import app
from service.cli.screen import CommandFailed, answers, remarks

admin = typer.Typer(no_args_is_help=True, help="Tenants and keys, for whoever runs this.")
app.add_typer(admin, name="admin")

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's id or name.")]


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
