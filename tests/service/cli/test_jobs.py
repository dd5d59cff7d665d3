"""`codeloom jobs` against a real API whose dispatcher and workers the test itself is."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from graph.model.jobs import ENDED
from graph.storage import jobs
from service.cli.jobs import EXIT_CODES
from tests.service.cli.shell import Shell
from tests.service.conftest import Member
from tests.service.test_events import serve
from tests.service.test_job_history import Engine
from tests.service.test_job_requests import in_state, request_commit

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graph.settings import Settings


class Asking:
    """A shell of somebody who has a key to an API that runs elsewhere."""

    def __init__(self, shell: Shell, address: str, key: str) -> None:
        self._shell = shell
        self._named = {"CODELOOM_API_URL": address, "CODELOOM_API_KEY": key}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return self._shell.start(*arguments, **self._named)

    def run(self, *arguments: object, code: int = 0) -> tuple[str, str]:
        return self._shell.run("jobs", *map(str, arguments), code=code, **self._named)

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code)[0])


@pytest.fixture
def api(app: "FastAPI") -> Iterator[str]:
    with serve(app) as address:
        yield address


@pytest.fixture
def asking(api: str, acme: Member, tmp_path: Path) -> Asking:
    return Asking(Shell(tmp_path / "home", tmp_path), api, acme.ingest)


@pytest.fixture
def engine(settings: "Settings", acme: Member) -> Engine:
    return Engine(settings, acme)


def test_jobs_are_listed_and_filtered(asking: Asking, engine: Engine) -> None:
    engine.act(jobs.fail, engine.start(), code="repository_too_large", message="too large")
    second = request_commit(engine, "a" * 40).id
    out, _ = asking.run("list")
    heading, newest, oldest = out.splitlines()
    assert heading.split()[:4] == ["job", "kind", "state", "repository"]
    assert newest.split()[:5] == [str(second), "ingest", "queued", "r", "main"]
    assert oldest.split()[:4] == [str(engine.job_id), "ingest", "failed", "r"]
    chosen = asking.json("list", "--state", "failed", "--state", "dead", "--repo", "r")["items"]
    assert [job["id"] for job in chosen] == [str(engine.job_id)]
    assert asking.json("list", "--kind", "purge")["items"] == []
    _, err = asking.run("list", "--kind", "purge")
    assert "There is no such job." in err
    _, err = asking.run("list", "--limit", "1")
    assert "raise --limit" in err
    _, err = asking.run("list", "--state", "lost", code=2)
    assert "superseded" in err


def test_a_job_is_shown_with_its_attempts(asking: Asking, engine: Engine) -> None:
    epoch = engine.start()
    engine.act(jobs.progress, epoch, stage="parse", done=1, total=2, percent=30)
    engine.act(jobs.retry_later, epoch, code="host_unreachable", message="no way")
    engine.act(jobs.fail, engine.start(), code="repository_too_large", message="too large")
    out, _ = asking.run("show", engine.job_id)
    for line in (
        rf"^job +{engine.job_id} *$",
        r"^state +failed *$",
        r"^attempt +2 of 4 *$",
        r"^error +too large \[repository_too_large\] *$",
        r"^ +1 +queued +parse +[\d.]+ +\S+Z +worker-\w+ +no way \[host_unreachable\] *$",
        r"^ +2 +failed +[\d.]+ +\S+Z +worker-\w+ +too large \[repository_too_large\] *$",
    ):
        assert re.search(line, out, re.MULTILINE), (line, out)
    told = asking.json("show", engine.job_id)
    assert [one["outcome"] for one in told["attempts"]] == ["queued", "failed"]
    _, err = asking.run("show", uuid4(), code=1)
    assert "There is no such job." in err
    asking.run("show", "nonsense", code=2)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_the_exit_code_of_a_watch_says_how_the_job_ended(
    state: str, asking: Asking, engine: Engine
) -> None:
    if state == "cancelled":
        asking.run("cancel", engine.job_id)
    job_id = in_state(engine, state)
    out, err = asking.run("watch", job_id, code=EXIT_CODES[state])
    assert out == f"{job_id} {state}\n"
    said = {
        "failed": "too large [repository_too_large]",
        "dead": "[worker_lost]",
        "superseded": "does what this one was to do",
    }
    assert said.get(state, "") in err


def test_a_watch_goes_on_until_the_job_has_ended(asking: Asking, engine: Engine) -> None:
    process = asking.start("jobs", "watch", str(engine.job_id), "--json")
    assert process.stderr is not None
    assert process.stderr.readline() == f"codeloom: {engine.job_id}: waiting\n"
    epoch = engine.start()
    engine.act(jobs.progress, epoch, stage="load", done=1, total=2, percent=85)
    engine.act(jobs.finish, epoch, report={})
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["state"]) == (0, "succeeded")


def test_ctrl_c_ends_the_watching_and_not_the_job(asking: Asking, engine: Engine) -> None:
    process = asking.start("jobs", "watch", str(engine.job_id))
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert asking.json("show", engine.job_id)["state"] == "queued"


def test_ctrl_c_cancels_an_ingestion_that_nobody_waits_for(asking: Asking) -> None:
    process = asking.start("ingest", "https://example.org/shop")
    assert process.stderr is not None
    assert process.stderr.readline() == "codeloom: shop: waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
    (job,) = asking.json("list")["items"]
    assert job["state"] == "cancelled"


def test_a_job_is_cancelled_tried_again_and_put_aside(asking: Asking, engine: Engine) -> None:
    _, err = asking.run("retry", engine.job_id, code=1)
    assert "Only a job that ended without success" in err
    assert asking.run("cancel", engine.job_id)[0] == f"{engine.job_id} cancelled\n"
    assert asking.json("retry", engine.job_id)["state"] == "queued"
    _, err = asking.run("discard", engine.job_id, code=1)
    assert "Only a dead job" in err
    engine.die()
    assert str(engine.job_id) in asking.run("list", "--state", "dead")[0]
    out, err = asking.run("discard", engine.job_id)
    assert out == f"{engine.job_id} failed\n"
    _, err = asking.run("cancel", engine.job_id, code=1)
    assert "already ended" in err
