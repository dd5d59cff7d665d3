"""The suite notices when what it relies on is taken away, each time a single thing."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.model.jobs import JobState
from tests.chaos.processes import send
from tests.chaos.schedule import Schedule
from tests.chaos.yard import BEATS, DISPATCHERS, WORKERS, Place, Yard

NOTICED_SECONDS = 30.0


@pytest.fixture(params=["fenced", "unfenced"])
def maybe_fenced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Yard, bool]]:
    fenced = request.param == "fenced"
    with Yard(tmp_path, **({} if fenced else {"CHAOS_UNFENCED": "1"})) as yard:
        yield yard, fenced


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_without_the_fence_a_frozen_worker_that_wakes_is_noticed(
    maybe_fenced: tuple[Yard, bool],
) -> None:
    yard, fenced = maybe_fenced
    for name in (DISPATCHERS[0], *WORKERS):
        yard.start(name)
    yard.learn()
    schedule = Schedule(yard, 0)
    place = schedule.places[0]
    frozen = hold_at_publishing(yard, place)
    send(frozen, signal.SIGSTOP)
    yard.until(lambda: resets(yard, place) == 1, "the job is taken back")
    if not fenced:
        yard.until(lambda: states(yard, place) == [JobState.SUCCEEDED], "another worker does it")
    (yard.faults / "held publish").unlink()
    send(frozen, signal.SIGCONT)
    yard.until(lambda: states(yard, place) == [JobState.SUCCEEDED], "the job is done")

    def noticed() -> bool:
        found = schedule.broken_rows()
        return any("a job was published twice" in each for each in found)

    deadline = time.monotonic() + (2 if fenced else NOTICED_SECONDS)
    while not noticed() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert noticed() is not fenced, schedule.broken_rows()
    if fenced:
        assert schedule.broken_rows() == []


def hold_at_publishing(yard: Yard, place: Place) -> int:
    """The process that waits before it publishes the place's first job."""
    (yard.faults / "hold publish").touch()
    place.ask()
    held = yard.faults / "held publish"
    yard.until(lambda: held.exists() and held.read_text(), "a worker is about to publish")
    return int(held.read_text())


def resets(yard: Yard, place: Place) -> int:
    ((number,),) = yard.ask("select resets from jobs where tenant_id = %s", place.tenant_id)
    return int(number)


def states(yard: Yard, place: Place) -> list[str]:
    rows = yard.ask("select state from jobs where tenant_id = %s", place.tenant_id)
    return [state for (state,) in rows]


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("announced", [True, False])
def test_an_object_that_nobody_announced_is_noticed(tmp_path: Path, announced: bool) -> None:
    with Yard(tmp_path, **({} if announced else {"CHAOS_UNANNOUNCED": "1"})) as yard:
        for name in (DISPATCHERS[0], *WORKERS, *BEATS):
            yard.start(name)
        place = yard.place()
        (yard.faults / "die uploaded").touch()
        place.ask()
        yard.until(lambda: not (yard.faults / "die uploaded").exists(), "a worker dies")
        # Other bytes than those that the dead worker stored.
        place.repo.commit({"b.py": "def other():\n    return 1\n"})
        yard.until(lambda: states(yard, place) == [JobState.SUCCEEDED], "the job is done")
        schedule = Schedule(yard, 0)
        schedule.places = [place]
        schedule.sweep(NOTICED_SECONDS)
        found = [each for each in schedule.broken_rows() if "an object has no row" in each]
        assert bool(found) is not announced


@pytest.mark.parametrize(
    "dispatcher",
    ["tests.chaos.unreaped", pytest.param("workers.dispatcher", marks=pytest.mark.chaos)],
)
def test_without_the_reaper_a_lost_message_is_noticed(tmp_path: Path, dispatcher: str) -> None:
    with Yard(tmp_path) as yard:
        yard.dispatcher = dispatcher
        yard.start(DISPATCHERS[0])
        place = yard.place()
        log = yard.logs / f"{DISPATCHERS[0]}.log"
        place.ask()
        yard.until(lambda: "job.dispatched" in log.read_text(), "the message is sent")
        with yard.redis() as client:
            client.flushall()
        yard.start(WORKERS[0])
        reaped = dispatcher == "workers.dispatcher"
        seconds = NOTICED_SECONDS if reaped else 3 * yard.settings.dispatch_lease_seconds
        deadline = time.monotonic() + seconds
        while states(yard, place) != [JobState.SUCCEEDED] and time.monotonic() < deadline:
            time.sleep(0.2)
        schedule = Schedule(yard, 0)
        schedule.places = [place]
        unfinished = [each for each in schedule.broken_rows() if "unfinished" in each]
        assert bool(unfinished) is not reaped
