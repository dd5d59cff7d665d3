"""`codeloom admin`: what an operator does to tenants and keys, straight on the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer

from graph.model.ids import TenantId
from graph.settings import Settings
from service.cli import app
from service.cli.screen import CommandFailed, answers, as_json, remarks, table

admin = typer.Typer(no_args_is_help=True, help="Tenants and keys, for whoever runs this.")
tenant = typer.Typer(no_args_is_help=True, help="Tenants.")
key = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(admin, name="admin")
admin.add_typer(tenant, name="tenant")
admin.add_typer(key, name="key")

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@tenant.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="A label; need not be unique.")],
    plan: Annotated[str, typer.Option(help="What the tenant is on.")] = "standard",
    json: Json = False,
) -> None:
    """Make a tenant. It has no keys and no repositories yet."""
    from graph.storage import tenants
    from graph.storage.session import system_session

    with (
        _database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        made = tenants.create(connection, name=name, plan=plan)
    if json:
        as_json({"id": made.id, "name": made.name, "plan": made.plan})
    else:
        answers().print(str(made.id))
        remarks().print(f"Next: codeloom admin key create {made.id} --scope admin", style="dim")


@tenant.command("list")
def list_tenants(json: Json = False) -> None:
    """All tenants, oldest first."""
    from graph.storage import tenants
    from graph.storage.session import system_session

    with (
        _database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        found = tenants.list_all(connection, limit=10_000)
    rows = [(one.id, one.name, one.plan, one.state, one.created_at) for one in found]
    columns = ("id", "name", "plan", "state", "created_at")
    if json:
        as_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


@key.command("create")
def create_key(
    of: Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's id or name.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, ingest or admin; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    json: Json = False,
) -> None:
    """Make a key and print its secret, which cannot be shown again."""
    from graph.storage import keys
    from graph.storage.session import tenant_session

    with _database() as settings:
        tenant_id = _tenant_id(settings, of)
        with tenant_session(tenant_id, settings=settings) as connection:
            made, secret = keys.create(
                connection, tenant_id=tenant_id, scopes=scope or ["read"], name=name
            )
    if json:
        scopes = sorted(made.scopes)
        as_json({"id": made.id, "tenant_id": tenant_id, "scopes": scopes, "secret": secret})
    else:
        answers().print(secret)
        remarks().print("This is the only time that the secret is shown.", style="dim")


@admin.command("seed")
def seed() -> None:
    """Make the demonstration tenant and the key that the other commands use."""
    from service.cli.seed import ensure_key

    with _database() as settings:
        kept = ensure_key(settings)
    if kept.new:
        answers().print(kept.secret)
    remarks().print(f"The key is kept in {kept.path}.", style="dim")


@contextmanager
def _database() -> Iterator[Settings]:
    from graph.settings import get_settings
    from service.embedded import stack

    with stack.opened(get_settings(), say=lambda _: None) as settings:
        yield settings


def _tenant_id(settings: Settings, of: str) -> TenantId:
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
