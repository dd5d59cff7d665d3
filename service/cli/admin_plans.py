"""`codeloom admin plan`: what tenants may use."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli import limits
from service.cli.admin import Json, admin, database
from service.cli.limits import Limit, NoLimit
from service.cli.screen import answers, as_json, table

if TYPE_CHECKING:
    from graph.storage.plans import Plan

plan = typer.Typer(no_args_is_help=True, help="Plans.")
admin.add_typer(plan, name="plan")

Code = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's code.")]
Title = Annotated[str | None, typer.Option(help="What it is called.")]
Weight = Annotated[
    float | None, typer.Option(help="A tenant's share when workers are few, 1 by default.")
]

# More than anybody sells.
_LISTED = 10_000


@plan.command("create")
def create_plan(
    code: Code,
    title: Title = None,
    weight: Weight = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Make a plan. A resource without a limit may be used without one."""
    from graph.storage import plans
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    own = limits.merged({}, limit)
    share = 1.0 if weight is None else weight
    details = {"title": title or "", "weight": share, "limits": own}
    deed = Deed(COMMAND_LINE, "create_plan", Target("plan", code), details)
    with database() as settings, carried_out(settings, deed) as connection:
        made = plans.create(connection, code=code, title=title or "", weight=share, limits=own)
    _show(made, json=json)


@plan.command("list")
def list_plans(json: Json = False) -> None:
    """All plans, by code."""
    from graph.storage import plans
    from graph.storage.session import system_session

    with (
        database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        found = plans.list_page(connection, limit=_LISTED)
    if json:
        as_json([_told(one) for one in found])
    else:
        rows = [(one.code, one.title, one.weight, limits.told(one.limits)) for one in found]
        table(("plan", "title", "weight", "limits"), rows)


@plan.command("change")
def change_plan(
    code: Code,
    title: Title = None,
    weight: Weight = None,
    limit: Limit = None,
    no_limit: NoLimit = None,
    json: Json = False,
) -> None:
    """Change a plan, for all tenants on it. It holds within 15 seconds."""
    from graph.storage import plans
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    asked = {"title": title, "weight": weight, "limit": limit, "no_limit": no_limit}
    details = {name: value for name, value in asked.items() if value is not None}
    deed = Deed(COMMAND_LINE, "change_plan", Target("plan", code), details)
    with database() as settings, carried_out(settings, deed) as connection:
        own = None
        if limit or no_limit:
            known = plans.get(connection, code=code, lock=True).limits
            own = limits.merged(known, limit, no_limit)
        changed = plans.change(connection, code=code, title=title, weight=weight, limits=own)
    _show(changed, json=json)


def _show(one: "Plan", *, json: bool) -> None:
    if json:
        as_json(_told(one))
    else:
        answers().print(f"{one.code}: {limits.told(one.limits) or 'no limits'}", soft_wrap=True)


def _told(one: "Plan") -> dict[str, Any]:
    return {
        "code": one.code,
        "title": one.title,
        "weight": one.weight,
        "limits": dict(one.limits),
    }
