"""What runs by the clock, by real processes: two beats fire once, and one outlives the other."""

import re
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from graph.storage import periodic
from graph.storage.periodic import Due, PeriodicState
from graph.storage.session import system_session
from tests.workers.stand import Stand
from workers import schedule
from workers.schedule import PERIODIC
from workers.tasks import periodic as tasks

SWEEP = "sweep_scratch"


@pytest.fixture(autouse=True)
def no_rows(stand: Stand) -> None:
    """Tests of one worker share a database, and these look at all of its rows."""
    with system_session("maintenance", settings=stand.settings) as conn:
        conn.execute(text("delete from periodic_work"))


def start_beat(stand: Stand, name: str) -> None:
    stand.start(name, ["-m", "celery", "-A", "workers.celery_app", "-q", "beat", "--pidfile="])


def rows(stand: Stand) -> dict[str, PeriodicState]:
    with system_session("maintenance", settings=stand.settings) as conn:
        return {state.name: state for state in periodic.states(conn)}


def runs(stand: Stand) -> dict[str, int]:
    with system_session("maintenance", settings=stand.settings) as conn:
        return {row.name: row.run for row in conn.execute(text("select * from periodic_work"))}


def make_due(stand: Stand) -> None:
    with system_session("maintenance", settings=stand.settings) as conn:
        due = "due_at = now() - interval '1 second', next_run_at = now() - interval '1 second'"
        conn.execute(text(f"update periodic_work set {due}"))


def waiting(stand: Stand) -> int:
    return stand.redis().llen("maintenance")


def test_every_row_has_its_work_and_its_queue() -> None:
    assert {row.name for row in PERIODIC} == set(tasks.WORK)
    assert len(schedule.BY_NAME) == len(PERIODIC)


def test_two_beats_fire_each_run_once_and_one_outlives_the_other(stand: Stand) -> None:
    start_beat(stand, "one")
    stand.until(lambda: sum(runs(stand).values()) == 1, "the first beat leads and fires")
    start_beat(stand, "two")
    time.sleep(2 * schedule._LOOK_SECONDS)
    make_due(stand)
    stand.until(lambda: min(runs(stand).values()) >= 1, "all are fired")
    assert sum(runs(stand).values()) == 1 + len(PERIODIC)
    # A message that Redis did not take in time is fired again later; none is ever sent twice.
    assert waiting(stand) <= 1 + len(PERIODIC)
    stand.kill("one")
    make_due(stand)
    stand.until(lambda: sum(runs(stand).values()) == 1 + 2 * len(PERIODIC), "the second leads")
    assert list(Path(stand.settings.codeloom_home).rglob("*schedule*")) == []


def fired(stand: Stand, *beats: str) -> list[tuple[str, str]]:
    """Each row and run that a beat says it has told, as often as one says so."""
    said = "".join((stand.logs / f"{beat}.log").read_text() for beat in beats)
    lines = [line for line in said.splitlines() if "beat.fired" in line]
    found = [re.search(r"name=(\w+).* run=(\d+)", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


def test_a_frozen_beat_is_replaced_and_fires_nothing_again_when_it_wakes(stand: Stand) -> None:
    start_beat(stand, "frozen")
    stand.until(lambda: sum(runs(stand).values()) == 1, "the first beat leads and fires")
    start_beat(stand, "other")
    other = stand.logs / "other.log"
    stand.until(lambda: "beat.stands_by" in other.read_text(), "the other stands by")
    stand.processes["frozen"].send_signal(signal.SIGSTOP)
    make_due(stand)
    stand.until(lambda: sum(runs(stand).values()) == 1 + len(PERIODIC), "the other leads")
    stand.processes["frozen"].send_signal(signal.SIGCONT)
    # It has the time to look, several times, at rows that are due; one of the two takes each.
    time.sleep(2 * schedule._LOOK_SECONDS)
    make_due(stand)
    stand.until(lambda: sum(runs(stand).values()) == 1 + 2 * len(PERIODIC), "all are fired again")
    stand.until(lambda: fired(stand, "other"), "the other says what it has told")
    told = fired(stand, "frozen", "other")
    assert len(set(told)) == len(told)
    leads = {beat: (stand.logs / f"{beat}.log").read_text() for beat in ("frozen", "other")}
    assert [text.count("beat.leads") for text in leads.values()] == [1, 1]


def test_a_worker_does_what_was_fired_and_writes_how_it_ended(stand: Stand) -> None:
    left = stand.settings.scratch / "left-by-a-killed-worker"
    start_beat(stand, "beat")
    stand.until(lambda: sum(runs(stand).values()) == 1, "the beat leads")
    left.mkdir(parents=True)
    stand.start_worker()
    make_due(stand)
    stand.until(lambda: all(row.finished_at for row in rows(stand).values()), "all have ended")
    assert {row.error_code for row in rows(stand).values()} == {None}
    assert not left.exists()


def test_a_run_that_was_superseded_or_has_ended_is_not_done(stand: Stand) -> None:
    settings = stand.settings
    with system_session("maintenance", settings=settings) as conn:
        periodic.ensure(conn, [(SWEEP, schedule.BY_NAME[SWEEP].every)])
        (due,) = periodic.take_due(conn, again_seconds=60)
    assert tasks.do(Due(SWEEP, due.run + 1), settings) == "stale"
    assert tasks.do(due, settings) == "done"
    assert tasks.do(due, settings) == "stale"
    assert tasks.do(Due("rm -rf", 1), settings) == "malformed"
    assert tasks.do(Due(SWEEP, "1"), settings) == "malformed"
