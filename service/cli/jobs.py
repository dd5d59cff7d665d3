"""`codeloom jobs`: what is being done, what was, and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from graph.model.jobs import JobState
from service.cli import app, bar
from service.cli.client import Client, connected
from service.cli.follow import follow
from service.cli.query import Json, Limit
from service.cli.screen import answers, as_json, remarks, table
from service.cli.target import Target, opened

jobs = typer.Typer(no_args_is_help=True, help="What is being done, and what became of it.")
app.add_typer(jobs, name="jobs")

JobId = Annotated[UUID, typer.Argument(metavar="JOB", help="The job's id.")]

# How `watch` ends, by the state in which the job did. 1 is a command that could not be done, 2 one
# that was not understood.
EXIT_CODES = {"succeeded": 0, "failed": 3, "dead": 4, "cancelled": 5, "superseded": 6}

_COLUMNS = ("job", "kind", "state", "repository", "ref", "stage", "%", "attempt", "created")
_ATTEMPT_COLUMNS = ("attempt", "outcome", "stage", "seconds", "started", "worker", "error")
# Names that are looked up for a list, and attempts that are shown of a job.
_NAMES = 500
_ATTEMPTS = 1000


@jobs.command("list")
def list_jobs(
    state: Annotated[
        list[JobState] | None, typer.Option(help="Only in this state; repeatable.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    repo: Annotated[
        str | None, typer.Option("--repo", help="Only of this repository: id, name or address.")
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """The jobs, newest first."""
    with opened(repo, None, whole_tenant=repo is None) as target:
        asked = {"repository_id": target.repository_id or None, "state": state, "kind": kind}
        answer = target.client.pages("/v1/jobs", limit=limit, **asked)
        names = {} if json else _names(target.client)
    if json:
        as_json(answer)
    elif not answer["items"]:
        remarks().print("There is no such job.")
    else:
        table(_COLUMNS, [_row(job, names) for job in answer["items"]])
        if answer["next_cursor"]:
            Target.more()


@jobs.command("show")
def show_job(job_id: JobId, json: Json = False) -> None:
    """A job, and how each of its attempts went."""
    from graph.settings import get_settings

    with connected(get_settings(), start=True) as client:
        job = client.get(f"/v1/jobs/{job_id}")
        attempts = client.pages(f"/v1/jobs/{job_id}/attempts", limit=_ATTEMPTS)["items"]
        names = {} if json else _names(client)
    if json:
        as_json({**job, "attempts": attempts})
        return
    table(("job", job["id"]), _facts(job, names))
    if attempts:
        answers().print()
        table(_ATTEMPT_COLUMNS, [_attempt(one) for one in attempts])


@jobs.command("watch")
def watch_job(job_id: JobId, json: Json = False) -> None:
    """Wait for the end of a job, and say how it ended.

    The exit code says so as well: 0 succeeded, 3 failed, 4 dead, 5 cancelled, 6 superseded.
    Ctrl-C ends the watching, not the job.
    """
    from graph.settings import get_settings

    with connected(get_settings(), start=True) as client, bar.opened(str(job_id)) as shown:
        for job in follow(client, str(job_id)):
            shown(job)
    _tell(job, json=json)
    raise typer.Exit(EXIT_CODES[job["state"]])


def _changing(what: str, meaning: str) -> None:
    """A command that asks the API to do something to a job."""

    @jobs.command(what, help=meaning)
    def _(job_id: JobId, json: Json = False) -> None:
        from graph.settings import get_settings

        with connected(get_settings(), start=True) as client:
            job = client.post(f"/v1/jobs/{job_id}/{what}")
        _tell(job, json=json)


_changing("cancel", "Cancel a job that has not ended; a worker that holds it stops in seconds.")
_changing("retry", "Try a job again that failed, was cancelled or is dead.")
_changing("discard", "Put a dead job aside: it counts as failed from then on.")


def _tell(job: Mapping[str, Any], *, json: bool) -> None:
    if json:
        as_json(job)
        return
    answers().print(Text(f"{job['id']} {job['state']}"))
    if job["error"] is not None:
        remarks().print(Text(f"codeloom: {_why(job)}\n  {job['error']['action']}"))
    if job["superseded_by"] is not None:
        remarks().print(Text(f"codeloom: job {job['superseded_by']} does what this one was to do"))


def _row(job: Mapping[str, Any], names: Mapping[str, str]) -> tuple[object, ...]:
    progress = job["progress"]
    return (
        job["id"],
        job["kind"],
        job["state"],
        _name(job, names),
        job["ref"] or (job["commit"] or "")[:12],
        progress["stage"],
        progress["percent"],
        f"{job['attempt']}/{job['max_attempts']}",
        _time(job["created_at"]),
    )


def _facts(job: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, object]]:
    progress = job["progress"]
    facts: list[tuple[str, object]] = [
        ("kind", job["kind"]),
        ("state", job["state"]),
        ("repository", _name(job, names)),
        ("asked for by", job["parent_job_id"]),
        ("ref", job["ref"]),
        ("commit", job["commit"]),
        ("stage", progress["stage"]),
        ("progress", f"{progress['percent']}%"),
        ("attempt", f"{job['attempt']} of {job['max_attempts']}"),
        ("task", job["task_id"]),
        ("created", _time(job["created_at"])),
        ("started", _time(job["started_at"])),
        ("finished", _time(job["finished_at"])),
        ("snapshot", job["snapshot_id"]),
        ("superseded by", job["superseded_by"]),
        ("error", _why(job)),
    ]
    return [(name, value) for name, value in facts if value]


def _attempt(one: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        one["number"],
        one["outcome"],
        one["stage"],
        one["seconds"],
        _time(one["started_at"]),
        one["worker"],
        _why(one),
    )


def _why(failed: Mapping[str, Any]) -> str:
    error = failed["error"]
    return f"{error['message']} [{error['code']}]" if error is not None else ""


def _names(client: Client) -> dict[str, str]:
    """What repositories are called; of very many, some stay without a name."""
    known = client.pages("/v1/repositories", limit=_NAMES)["items"]
    return {one["id"]: one["name"] for one in known}


def _name(job: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The repository's name, or its id: it may have been removed."""
    found = str(job["repository_id"] or "")
    return names.get(found, found)


def _time(text: str | None) -> str:
    """`2026-11-21T09:40:01Z`, without what is below a second."""
    return f"{text[:19]}Z" if text else ""
