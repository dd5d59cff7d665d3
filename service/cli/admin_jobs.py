"""`codeloom admin job`: dead jobs of all tenants."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from graph.model.ids import JobId
from service.cli.admin import Json, admin, database, tenant_id
from service.cli.screen import CommandFailed, answers, as_json, remarks, table
from service.dead_jobs import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from graph.storage.jobs.dead import DeadJob
    from graph.storage.session import Connection

job = typer.Typer(no_args_is_help=True, help="Dead jobs: those whose workers died too often.")
admin.add_typer(job, name="job")

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]

# More than a person reads; the API lists them in pages.
_LISTED = 1_000
_ATTEMPTS = 100


@job.command("list")
def list_jobs(
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant: id or name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    error: Annotated[str | None, typer.Option(help="Only with this error code.")] = None,
    json: Json = False,
) -> None:
    """The dead jobs of all tenants, newest first."""
    from graph.storage.jobs import dead
    from graph.storage.session import system_session

    with database() as settings:
        of = tenant_id(settings, tenant) if tenant is not None else None
        wanted = dead.Filter(tenant_id=of, kind=kind, error_code=error)
        with system_session("administration", settings=settings) as connection:
            found = [told(one) for one in dead.list_page(connection, wanted, limit=_LISTED)]
    if json:
        as_json(found)
    elif not found:
        remarks().print("No job is dead.")
    else:
        columns = ("id", "tenant_id", "kind", "stage", "error_code", "died_at")
        table(columns, [[_cell(one[name]) for name in columns] for one in found])


@job.command("show")
def show_job(which: Job, json: Json = False) -> None:
    """A dead job, and how each of its starts went."""
    from graph.storage import jobs
    from graph.storage.jobs import dead
    from graph.storage.session import in_tenant, system_session

    with (
        database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        row = dead.get(connection, job_id=_id(which))
        theirs = in_tenant(connection, row.tenant_id)
        started = [
            {
                "task_id": one.task_id,
                "worker": one.worker,
                "started_at": one.started_at,
                "ended_at": one.ended_at,
                "outcome": one.outcome,
                "stage": one.stage,
                "error_code": one.error_code,
            }
            for one in jobs.attempts(theirs, job_id=row.id, limit=_ATTEMPTS)
        ]
    if json:
        as_json({**told(row), "attempts": started})
        return
    for name, value in told(row).items():
        answers().print(f"{name:<14} {_cell(value)}".rstrip(), soft_wrap=True)
    answers().print()
    columns = ("worker", "started_at", "outcome", "stage", "error_code")
    table(columns, [[_cell(one[name]) for name in columns] for one in started])


@job.command("replay")
def replay_job(which: Job, json: Json = False) -> None:
    """Have a dead job tried again, with all its attempts before it."""
    from graph.storage.jobs import dead

    _let_go(which, "replay_dead_job", dead.replay, "queued", json=json)


@job.command("discard")
def discard_job(which: Job, json: Json = False) -> None:
    """Put a dead job aside: it is a failed one from now on."""
    from graph.storage.jobs import dead

    _let_go(which, "discard_dead_job", dead.discard, "failed", json=json)


def _let_go(
    which: str,
    action: str,
    do: "Callable[[Connection, DeadJob], None]",
    state: str,
    *,
    json: bool,
) -> None:
    """Do it, let it be told of to operators and to the tenant, and say what came of it."""
    from graph.storage.audit import Target
    from graph.storage.jobs import dead
    from service.deeds import COMMAND_LINE, Deed, carried_out

    wanted = _id(which)
    deed = Deed(COMMAND_LINE, action, Target("job", str(wanted)))
    with database() as settings, carried_out(settings, deed) as connection:
        row = dead.get(connection, job_id=wanted)
        deed.owner = row.tenant_id
        do(connection, row)
    if json:
        as_json({"id": row.id, "tenant_id": row.tenant_id, "state": state})
    else:
        answers().print(f"{row.id} {state}")


def _id(named: str) -> JobId:
    try:
        return JobId(UUID(named))
    except ValueError:
        raise CommandFailed(
            f"{named} is not the id of a job.", "List them: codeloom admin job list"
        ) from None


def _cell(value: object) -> object:
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else value
