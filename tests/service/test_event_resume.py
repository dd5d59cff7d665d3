"""A server that stops ends its streams of events in good order, and the next one goes on."""

import itertools
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from graph.storage import jobs
from service.cli import follow
from tests.service.cli.test_follow import Follower
from tests.service.conftest import bearer, make_tenant
from tests.service.serving import PATIENCE_SECONDS, READY_SECONDS, serving
from tests.service.test_events import Watcher, until
from tests.service.test_job_history import Engine
from workers.events import EventWriter

if TYPE_CHECKING:
    from graph.settings import Settings


class Told(Engine):
    """A job whose progress is told, and not in its row: whoever knows of it has it from events."""

    def __init__(self, settings: "Settings") -> None:
        super().__init__(settings, make_tenant(settings, "watcher"))
        self.path = f"/v1/jobs/{self.job_id}/events"
        self.epoch = self.start()
        self._writer = EventWriter(settings.redis_url)
        self._percent = itertools.count(1)

    def move(self) -> int:
        percent = next(self._percent)
        position = {"stage": "parse", "percent": percent, "done": 0, "total": 0}
        self._writer.append(self.member.tenant_id, self.job_id, "progress", position)
        return percent

    def finish(self) -> None:
        self.act(jobs.finish, self.epoch, report={})
        self._writer.append(self.member.tenant_id, self.job_id, "state", {"state": "succeeded"})
        self._writer.close()


@pytest.fixture
def job(server_settings: "Settings") -> Told:
    return Told(server_settings)


def percents(watcher: Watcher) -> list[int]:
    return [event.data["percent"] for event in watcher.events if event.kind == "progress"]


def heard(follower: Follower) -> list[int]:
    running = (job for job in follower.heard if job["state"] == "running")
    return [job["progress"]["percent"] for job in running if job["progress"]["percent"]]


def test_a_stop_ends_streams_in_good_order_and_the_next_server_tells_what_was_missed(
    job: Told, server_settings: "Settings", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server of a busy machine begins late.
    monkeypatch.setattr(follow, "PATIENCE_SECONDS", READY_SECONDS * 2)
    with serving(server_settings, tmp_path) as first:
        address = f"http://127.0.0.1:{first.port}"
        seen = Watcher(address + job.path, bearer(job.member.read))
        follower = Follower(address, job.member.read, job.job_id)
        # Both listen, from some event on.
        until(lambda: job.move() and percents(seen) and heard(follower))
        first.process.send_signal(signal.SIGTERM)
        assert seen.over.wait(PATIENCE_SECONDS), "the stream was not ended but cut off"
        assert first.process.wait(PATIENCE_SECONDS) == 0
        assert "Traceback" not in first.log()
        last = next(event.id for event in reversed(seen.events) if event.id)
        seen.close()
    newest = max(job.move() for _ in range(3))
    with serving(server_settings, tmp_path, codeloom_port=first.port):
        again = Watcher(address + job.path, {**bearer(job.member.read), "last-event-id": last})
        until(lambda: percents(again)[-1:] == heard(follower)[-1:] == [newest])
        newest = job.move()
        until(lambda: percents(again)[-1:] == heard(follower)[-1:] == [newest])
        job.finish()
        assert again.over.wait(PATIENCE_SECONDS)
        assert again.states(job.job_id)[-1] == "succeeded"
        assert follower.end()[-1]["state"] == "succeeded"
        again.close()
    # Each once and none left out, for whoever comes back by hand and for the command line.
    for told in (percents(seen) + percents(again), heard(follower)):
        assert told == list(range(told[0], newest + 1))
