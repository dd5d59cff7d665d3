"""`codeloom admin tenant`: tenants."""

from typing import Annotated

import typer

from service.cli.admin import Json, admin, database
from service.cli.screen import answers, as_json, remarks, table

tenant = typer.Typer(no_args_is_help=True, help="Tenants.")
admin.add_typer(tenant, name="tenant")


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
        database() as settings,
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
        database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        found = tenants.list_all(connection, limit=10_000)
    rows = [(one.id, one.name, one.plan, one.state, one.created_at) for one in found]
    columns = ("id", "name", "plan", "state", "created_at")
    if json:
        as_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)
