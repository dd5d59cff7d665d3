"""What runs by the clock: fired once, fired again if it was lost, and by the database's clock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from graph.settings import Settings
from graph.storage import periodic
from graph.storage.periodic import Due
from graph.storage.session import Connection, system_session

HOUR = timedelta(hours=1)
AGAIN = 600


@pytest.fixture
def clocked(fresh_database_url: str, settings: Settings) -> Settings:
    """Settings on a database of which this test has the clock for itself."""
    return settings.model_copy(update={"database_url": fresh_database_url})


def session(settings: Settings):
    return system_session("maintenance", settings=settings)


def pass_time(conn: Connection, seconds: float) -> None:
    """As if so much time had passed: the rows move, because the clock cannot."""
    shift = "due_at = due_at - :by, next_run_at = next_run_at - :by"
    by = timedelta(seconds=seconds)
    conn.execute(text(f"update periodic_work set {shift}"), {"by": by})


def take(settings: Settings) -> list[Due]:
    with session(settings) as conn:
        return periodic.take_due(conn, again_seconds=AGAIN)


def test_rows_are_those_of_the_table_and_due_at_moments_of_their_own(clocked):
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR), ("b", HOUR), ("gone", HOUR)])
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR), ("b", HOUR)])
        states = periodic.states(conn)
        assert [state.name for state in states] == ["a", "b"]
        assert states[0].next_run_at != states[1].next_run_at
    assert take(clocked) == [Due("a", 1)]


def test_a_period_that_became_shorter_is_not_waited_for(clocked):
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR), ("b", 24 * HOUR)])
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR), ("b", timedelta(seconds=1))])
        assert periodic.seconds_to_next(conn) <= 1


def test_what_is_due_is_taken_once_also_by_many_at_once(clocked):
    with session(clocked) as conn:
        periodic.ensure(conn, [(f"n{number}", HOUR) for number in range(10)])
        pass_time(conn, 3600)
    with ThreadPoolExecutor(5) as pool:
        taken = [due for batch in pool.map(lambda _: take(clocked), range(20)) for due in batch]
    assert sorted(taken, key=lambda due: due.name) == [Due(f"n{n}", 1) for n in range(10)]


def test_a_run_that_ended_is_next_due_a_whole_number_of_periods_later(clocked):
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR)])
        planned = periodic.states(conn)[0].next_run_at
        pass_time(conn, 3.5 * 3600)
    (due,) = take(clocked)
    with session(clocked) as conn:
        assert periodic.is_latest(conn, due)
        assert periodic.finish(conn, due, done=7, seconds=0.1)
        (state,) = periodic.states(conn)
        assert state.next_run_at - planned == HOUR / 2, "three were missed, the fourth is next"
        assert (state.done, state.error_code) == (7, None)
        assert not periodic.is_latest(conn, due), "the message may come a second time"
    assert take(clocked) == []


def test_a_run_that_was_lost_is_fired_again_as_another(clocked):
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR)])
    (first,) = take(clocked)
    assert take(clocked) == []
    with session(clocked) as conn:
        pass_time(conn, AGAIN + 1)
    (second,) = take(clocked)
    assert (first.run, second.run) == (1, 2)
    with session(clocked) as conn:
        assert not periodic.is_latest(conn, first)
        assert not periodic.finish(conn, first, done=0, seconds=0)
        assert periodic.is_latest(conn, second)


def test_a_run_that_failed_is_fired_again_and_says_why(clocked):
    with session(clocked) as conn:
        periodic.ensure(conn, [("a", HOUR)])
    (due,) = take(clocked)
    with session(clocked) as conn:
        periodic.finish(conn, due, done=None, seconds=1, code="storage_unavailable")
        (state,) = periodic.states(conn)
        assert state.error_code == "storage_unavailable"
        assert 0 < periodic.seconds_to_next(conn) <= AGAIN
        pass_time(conn, AGAIN + 1)
    (again,) = take(clocked)
    with session(clocked) as conn:
        periodic.finish(conn, again, done=1, seconds=1)
        assert periodic.states(conn)[0].error_code is None
