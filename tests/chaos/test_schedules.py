"""Random faults, and what must hold when it is quiet again; `make chaos SEED=1 COUNT=1`."""

import os

import pytest

from tests.chaos.schedule import FILES, Schedule
from tests.workers.conftest import own_settings, repo, stand
from tests.workers.stand import Stand
from workers import facade

__all__ = ["own_settings", "repo", "stand"]

FIRST = int(os.environ.get("SEED") or 1)
COUNT = int(os.environ.get("COUNT") or 50)


def run(stand: Stand, seed: int) -> None:
    schedule = Schedule(stand, seed)
    schedule.play()
    schedule.settle()
    broken = schedule.broken()
    assert not broken, f"SEED={seed}: {broken} after {schedule.told}"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_few_schedules(stand: Stand, seed: int) -> None:
    run(stand, seed)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_many_schedules(stand: Stand, seed: int) -> None:
    run(stand, seed)


def test_without_the_reaper_a_lost_message_is_noticed(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start("dispatcher", ["-m", "tests.chaos.unreaped"])
    stand.until(lambda: facade.dispatcher_ready(stand.settings), "a dispatcher leads")
    schedule = Schedule(stand, 0)
    schedule.jobs.append(stand.request())
    log = stand.logs / "dispatcher.log"
    stand.until(lambda: "job.dispatched" in log.read_text(), "the message is sent")
    schedule.empty_broker()
    schedule.new_worker()
    schedule.settle(3 * stand.settings.dispatch_lease_seconds)
    assert any(each.startswith("a job is unfinished") for each in schedule.broken())
