"""`codeloom admin tenant`: tenants, from the first day to the last."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli import limits
from service.cli.admin import Json, Tenant, admin, database, tenant_id
from service.cli.limits import Limit, NoLimit
from service.cli.screen import CommandFailed, answers, as_json, remarks, table

if TYPE_CHECKING:
    from graph.model.ids import ErasureId, TenantId
    from graph.settings import Settings
    from graph.storage.erasures import Erasure
    from graph.storage.session import Connection
    from graph.storage.tenants import Tenant as Row

tenant = typer.Typer(no_args_is_help=True, help="Tenants.")
admin.add_typer(tenant, name="tenant")

# More than a person reads; the API lists them in pages.
_LISTED = 10_000
_POLL_SECONDS = 0.5


@tenant.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="A label; need not be unique.")],
    plan: Annotated[str, typer.Option(help="What the tenant is on.")] = "standard",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Make a tenant. It has no keys and no repositories yet."""
    from graph.storage import tenants
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    own = limits.merged({}, limit)
    details = {"name": name, "plan": plan, "limits": own}
    deed = Deed(COMMAND_LINE, "create_tenant", details=details)
    with database() as settings, carried_out(settings, deed) as connection:
        made = tenants.create(connection, name=name, plan=plan, limits=own)
        deed.target = Target("tenant", str(made.id))
        shown = _told(connection, made)
    if json:
        as_json(shown)
    else:
        answers().print(str(made.id))
        remarks().print(f"Next: codeloom admin key create {made.id} --scope admin", style="dim")


@tenant.command("list")
def list_tenants(
    state: Annotated[
        str | None, typer.Option(help="Only active, suspended or erasing ones.")
    ] = None,
    json: Json = False,
) -> None:
    """All tenants, oldest first."""
    from graph.storage import tenants
    from graph.storage.session import system_session

    with (
        database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        found = tenants.list_all(connection, limit=_LISTED)
    wanted = [one for one in found if state in {None, one.state}]
    rows = [(one.id, one.name, one.plan, one.state, one.created_at) for one in wanted]
    columns = ("id", "name", "plan", "state", "created_at")
    if json:
        as_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


@tenant.command("show")
def show_tenant(of: Tenant, json: Json = False) -> None:
    """A tenant, what it may use, and what it uses."""
    from graph.storage import tenants, usage
    from graph.storage.session import in_tenant, system_session

    with database() as settings:
        wanted = tenant_id(settings, of)
        with system_session("administration", settings=settings) as connection:
            shown = _told(connection, tenants.get(connection, tenant_id=wanted))
            used = usage.of_tenant(in_tenant(connection, wanted)).standings
    resources = [
        {
            "resource": one.resource.name,
            "used": one.resource.units(one.used),
            "limit": None if one.limit is None else one.resource.units(one.limit),
        }
        for one in used
    ]
    if json:
        as_json({**shown, "usage": resources})
        return
    _print(shown)
    answers().print()
    table(("resource", "used", "limit"), [list(one.values()) for one in resources])


@tenant.command("change")
def change_tenant(
    of: Tenant,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    plan: Annotated[str | None, typer.Option(help="Its new plan.")] = None,
    limit: Limit = None,
    no_limit: NoLimit = None,
    json: Json = False,
) -> None:
    """Change a tenant's name, plan or own limits. It holds within 15 seconds."""
    from graph.storage import tenants

    details = {"name": name, "plan": plan, "limit": limit, "no_limit": no_limit}

    def work(connection: "Connection", wanted: "TenantId") -> "Row":
        own = None
        if limit or no_limit:
            known = tenants.get(connection, tenant_id=wanted, lock=True).limits
            own = limits.merged(known, limit, no_limit)
        return tenants.change(connection, tenant_id=wanted, name=name, plan=plan, limits=own)

    _done(of, "change_tenant", work, details, json=json)


@tenant.command("suspend")
def suspend_tenant(
    of: Tenant,
    reason: Annotated[str, typer.Option(help="Told to everyone who uses a key of the tenant.")],
    json: Json = False,
) -> None:
    """Refuse the tenant's keys and let its jobs wait, until it is resumed."""
    from graph.storage import tenants

    def work(connection: "Connection", wanted: "TenantId") -> "Row":
        return tenants.suspend(connection, tenant_id=wanted, reason=reason)

    _done(of, "suspend_tenant", work, {"reason": reason}, json=json)


@tenant.command("resume")
def resume_tenant(of: Tenant, json: Json = False) -> None:
    """Let the tenant's keys open again and its jobs go on."""
    from graph.storage import tenants

    def work(connection: "Connection", wanted: "TenantId") -> "Row":
        return tenants.resume(connection, tenant_id=wanted)

    _done(of, "resume_tenant", work, {}, json=json)


@tenant.command("erase")
def erase_tenant(
    of: Tenant,
    yes: Annotated[
        bool, typer.Option("--yes", help="Really. What is erased does not come back.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove a tenant with all that it has, wait for the end of it, and say what was removed."""
    with database() as settings:
        wanted = tenant_id(settings, of)
        if not yes:
            raise CommandFailed(
                f"Tenant {wanted} would be erased with all that it has, and not come back.",
                "If that is meant, say --yes.",
            )
        done = _wait(settings, _request(settings, wanted))
    evidence = done.evidence
    if json:
        told = {"id": done.id, "tenant_id": done.tenant_id, "tenant_name": done.tenant_name}
        as_json({**told, "finished_at": done.finished_at, **evidence.stored()})
        return
    rows: list[tuple[object, ...]] = [(f"rows of {name}", n) for name, n in evidence.rows.items()]
    rows += [(f"objects of {kind}", each.objects) for kind, each in evidence.objects.items()]
    table(("removed", "count"), [*rows, ("keys in Redis", evidence.redis_keys)])
    remarks().print(f"Tenant {done.tenant_id} ({done.tenant_name}) is erased: {done.id}.")


def _request(settings: "Settings", wanted: "TenantId") -> "ErasureId":
    from graph.storage import erasures
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    deed = Deed(COMMAND_LINE, "erase_tenant", Target("tenant", str(wanted)))
    with carried_out(settings, deed) as connection:
        return erasures.request(connection, tenant_id=wanted).id


def _wait(settings: "Settings", erasure_id: "ErasureId") -> "Erasure":
    """The finished erasure: done here, unless a worker does it already."""
    from graph.storage import erasures
    from graph.storage.session import system_session
    from workers import facade

    while not facade.erase(settings, erasure_id=erasure_id):
        time.sleep(_POLL_SECONDS)
    with system_session("administration", settings=settings) as connection:
        return erasures.get(connection, erasure_id=erasure_id)


def _done(of: str, action: str, work: Any, details: dict[str, Any], *, json: bool) -> None:  # noqa: ANN401
    """Do it, let it be told of, and show the tenant as it is now."""
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    with database() as settings:
        wanted = tenant_id(settings, of)
        given = {name: value for name, value in details.items() if value is not None}
        deed = Deed(COMMAND_LINE, action, Target("tenant", str(wanted)), given)
        with carried_out(settings, deed) as connection:
            shown = _told(connection, work(connection, wanted))
    if json:
        as_json(shown)
    else:
        _print(shown)


def _told(connection: "Connection", row: "Row") -> dict[str, Any]:
    from graph.storage import plans

    of_plan = plans.get(connection, code=row.plan).limits
    return {
        "id": row.id,
        "name": row.name,
        "plan": row.plan,
        "state": row.state,
        "suspended_reason": row.suspended_reason,
        "limits": dict(row.limits),
        "effective_limits": {**of_plan, **row.limits},
        "created_at": row.created_at,
    }


def _print(shown: dict[str, Any]) -> None:
    for name, value in shown.items():
        if value is not None and name != "effective_limits":
            text = limits.told(value) if name == "limits" else value
            answers().print(f"{name:<18} {text}".rstrip(), soft_wrap=True)
