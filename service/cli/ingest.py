"""`codeloom ingest`: a repository into the graph, watched from beginning to end."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli import app, bar
from service.cli.client import ApiProblem, Client, connected
from service.cli.follow import Stopped, follow
from service.cli.screen import CommandFailed, as_json, remarks
from service.cli.summary import show

_ADDRESS = "Give the path of a repository on this machine, or an https URL."
# What further tries may heal, minutes later. Whoever waits at a terminal wants to know at once.
_HOST_ERRORS = {"host_unreachable", "host_refused", "checkout_timed_out"}


@app.command()
def ingest(
    repository: Annotated[
        str, typer.Argument(metavar="PATH|URL", help="A folder of this machine or an https URL.")
    ],
    ref: Annotated[
        str | None, typer.Option(help="A branch, a tag or a whole commit id; the default is HEAD.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build anew, even if nothing changed.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Wait for further tries if the host does not answer.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Bring a repository into the graph and say what is in it."""
    from graph.settings import get_settings

    with connected(get_settings(), start=True) as client:
        job = run(client, repository, ref=ref, force=force, retry=retry)
    if json:
        as_json(job)
    else:
        show(job)


def run(
    client: Client,
    repository: str,
    *,
    ref: str | None = None,
    force: bool = False,
    retry: bool = False,
    stopped: Stopped = lambda: False,
) -> dict[str, Any]:
    """The job that ingested the repository, with its report.

    Raises CommandFailed when it did not succeed; a job that is no longer waited for is cancelled.
    Without `retry` that is so when its first try failed, though others would follow by themselves.
    """
    known = register(client, repository)
    job = client.post(
        f"/v1/repositories/{known['id']}/ingestions",
        {"ref": ref, "force": force},
    )
    try:
        done = _watch(client, job, known["name"], retry=retry, stopped=stopped)
    except BaseException:
        # Ctrl-C, or an API that went away: nobody is waiting for this job any more.
        _cancel(client, job)
        raise
    if done["state"] != "succeeded":
        raise _failure(done)
    return {**done, "repository": known}


def register(client: Client, repository: str) -> dict[str, Any]:
    """The repository as the API knows it, registered if it was not. Raises CommandFailed."""
    address = address_of(repository)
    try:
        found: dict[str, Any] = client.post("/v1/repositories", {"url": address})
    except ApiProblem as problem:
        if problem.reason != "repository_already_registered":
            raise
        found = client.get("/v1/repositories", url=address)["items"][0]
    return found


def address_of(repository: str) -> str:
    """What the API is to be given for what somebody typed: a URL, or the root of a work tree.

    Raises CommandFailed for a path that is not there.
    """
    if not repository.strip():
        raise CommandFailed("The address is empty.", _ADDRESS)
    if "://" in repository:
        return repository
    path = Path(repository).expanduser().absolute()
    if not path.exists():
        # As in `git@host:path`: the API says what to write instead.
        if ":" in repository.partition("/")[0]:
            return repository
        raise CommandFailed(f"There is nothing at {path}.", _ADDRESS)
    # A folder inside of a work tree stands for the whole of it, as it does for git.
    roots = (folder for folder in (path, *path.parents) if (folder / ".git").exists())
    is_bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
    return str(path if is_bare else next(roots, path))


def _watch(
    client: Client, job: dict[str, Any], name: str, *, retry: bool, stopped: Stopped
) -> dict[str, Any]:
    with bar.opened(name) as shown:
        for now in follow(client, job["id"], stopped=stopped):
            shown(now)
            if not retry and now["state"] == "queued" and _of_the_host(now["error"]):
                raise _failure(now)
    return now


def _of_the_host(error: dict[str, Any] | None) -> bool:
    return error is not None and error["code"] in _HOST_ERRORS


def _cancel(client: Client, job: dict[str, Any]) -> None:
    try:
        client.post(f"/v1/jobs/{job['id']}/cancel")
    except CommandFailed as error:
        remarks().print(f"codeloom: job {job['id']} was not cancelled: {error.message}")


def _failure(job: dict[str, Any]) -> CommandFailed:
    state = job["state"]
    error = job["error"] or {"code": state, "message": f"The job was {state}.", "action": ""}
    return CommandFailed(f"{error['message']} [{error['code']}]", error["action"])
