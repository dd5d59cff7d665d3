"""A job followed by the command line's client: by events, by looks, and when to give up."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from graph.storage import jobs
from service import watching
from service.cli import follow as following
from service.cli.client import ApiProblem, Client, Unreachable
from service.cli.screen import CommandFailed
from tests.service.conftest import Member
from tests.service.serving import free_port
from tests.service.test_events import PATIENCE, serve, until
from tests.service.test_job_history import Engine
from workers.events import EventWriter

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graph.settings import Settings


@pytest.fixture
def api(app: "FastAPI") -> Iterator[str]:
    with serve(app) as address:
        yield address


@pytest.fixture
def engine(settings: "Settings", acme: Member) -> Engine:
    return Engine(settings, acme)


class Follower:
    """Follows a job in a thread, to its end."""

    def __init__(self, address: str, key: str, job_id: object) -> None:
        self.heard: list[dict[str, Any]] = []
        self.error: CommandFailed | None = None
        self.stopped = False
        self._asked = (address, key, str(job_id))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        address, key, job_id = self._asked
        try:
            with Client(address, key) as client:
                for job in following.follow(client, job_id, stopped=lambda: self.stopped):
                    self.heard.append(job)
        except CommandFailed as error:
            self.error = error

    def end(self) -> list[dict[str, Any]]:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.heard


def test_what_only_events_tell_is_heard(
    api: str, acme: Member, engine: Engine, settings: "Settings"
) -> None:
    epoch = engine.start()
    writer = EventWriter(settings.redis_url)
    follower = Follower(api, acme.read, engine.job_id)
    position = {"stage": "parse", "percent": 40, "done": 3, "total": 9, "nodes": 5, "edges": 7}

    def told() -> bool:
        writer.append(acme.tenant_id, engine.job_id, "progress", position)
        return any(job["progress"]["percent"] == 40 for job in follower.heard)

    until(told)
    assert follower.heard[-1]["progress"] == {
        "stage": "parse",
        "percent": 40,
        "files_done": 3,
        "files_total": 9,
        "nodes": 5,
        "edges": 7,
    }
    # What is late does not take a job back.
    writer.append(acme.tenant_id, engine.job_id, "progress", {**position, "percent": 30})
    writer.append(acme.tenant_id, engine.job_id, "progress", {**position, "percent": 50})
    until(lambda: follower.heard[-1]["progress"]["percent"] == 50)
    engine.act(jobs.finish, epoch, report={})
    writer.append(acme.tenant_id, engine.job_id, "state", {"state": "succeeded"})
    heard = follower.end()
    assert heard[-1]["state"] == "succeeded"
    assert [job["progress"]["percent"] for job in heard] == sorted(
        job["progress"]["percent"] for job in heard
    )
    writer.close()


def test_where_no_events_can_be_had_the_job_is_looked_at(
    api: str, acme: Member, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_STREAMS", 0)
    follower = Follower(api, acme.read, engine.job_id)
    epoch = engine.start()
    until(lambda: follower.heard and follower.heard[-1]["state"] == "running")
    engine.act(jobs.progress, epoch, stage="load", done=1, total=2, percent=85)
    until(lambda: follower.heard[-1]["progress"]["percent"] == 85)
    engine.act(jobs.finish, epoch, report={})
    assert follower.end()[-1]["state"] == "succeeded"


def test_a_stream_that_says_nothing_is_not_waited_for(
    api: str, acme: Member, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing forwards what the database tells, and the server looks at the rows seldom.
    monkeypatch.setattr(following, "QUIET_SECONDS", 0.5)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 3600)
    follower = Follower(api, acme.read, engine.job_id)
    until(lambda: follower.heard)
    engine.act(jobs.finish, engine.start(), report={})
    assert follower.end()[-1]["state"] == "succeeded"


def test_a_job_that_has_ended_is_told_once(api: str, acme: Member, engine: Engine) -> None:
    engine.act(jobs.finish, engine.start(), report={})
    assert len(Follower(api, acme.read, engine.job_id).end()) == 1


def test_who_is_told_to_stop_does_so_while_nothing_happens(
    api: str, acme: Member, engine: Engine
) -> None:
    follower = Follower(api, acme.read, engine.job_id)
    until(lambda: follower.heard)
    follower.stopped = True
    assert follower.end()[-1]["state"] == "queued"
    assert follower.error is not None


def test_an_api_that_stays_away_and_a_job_that_is_nobodys_end_it(
    api: str, acme: Member, rival: Member, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = Follower(api, rival.read, engine.job_id)
    assert foreign.end() == []
    assert isinstance(foreign.error, ApiProblem)
    assert foreign.error.reason == "job_not_found"
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.1)
    away = Follower(f"http://127.0.0.1:{free_port()}", acme.read, engine.job_id)
    assert away.end() == []
    assert isinstance(away.error, Unreachable)
