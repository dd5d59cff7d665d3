"""Two dispatchers, of which one leads: whatever happens to it, jobs are dispatched all the same."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
import pytest

from graph.model.jobs import JobState
from tests.workers.stand import Stand
from workers import facade

# What is promised, by the clock of the database: from the fault to the next job's dispatch.
PROMISED_SECONDS = 3


@pytest.fixture
def database(fresh_database_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(fresh_database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def pair(stand: Stand) -> Stand:
    """Where `one` leads and `two` is ready to."""
    stand.start_dispatcher("one")
    stand.start("two", ["-m", "workers.dispatcher"])
    stand.until(lambda: has_said(stand, "two", "dispatcher.stands_by"), "two stands by")
    return stand


def has_said(stand: Stand, name: str, words: str) -> bool:
    return words in (stand.logs / f"{name}.log").read_text()


def now(database: psycopg.Connection[tuple[Any, ...]]) -> datetime:
    row = database.execute("select clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def cut(database: psycopg.Connection[tuple[Any, ...]], which: str) -> int:
    """End sessions of dispatchers; returns how many."""
    row = database.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity a"
        " where datname = current_database() and application_name = 'codeloom dispatcher'"
        f" and {which}"  # words of this file
    ).fetchone()
    assert row is not None
    return int(row[0])


HOLDS_THE_LOCK = "exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory')"
LISTENS = "a.query like 'listen \"codeloom_jobs\"%' or a.query like 'LISTEN%'"


def kill(stand: Stand, _: psycopg.Connection[tuple[Any, ...]]) -> None:
    stand.kill("one")


def cut_the_lock(_: Stand, database: psycopg.Connection[tuple[Any, ...]]) -> None:
    assert cut(database, HOLDS_THE_LOCK) == 1


def cut_all(_: Stand, database: psycopg.Connection[tuple[Any, ...]]) -> None:
    assert cut(database, "true") >= 3


Fault = Callable[[Stand, psycopg.Connection[tuple[Any, ...]]], None]


@pytest.mark.parametrize("fault", [kill, cut_the_lock, cut_all], ids=lambda each: each.__name__)
def test_another_dispatches_within_three_seconds_when_the_leader(
    pair: Stand, database: psycopg.Connection[tuple[Any, ...]], fault: Fault
) -> None:
    at = now(database)
    fault(pair, database)
    job = pair.in_state(pair.request("main"), JobState.DISPATCHED)
    assert job.dispatched_at is not None
    assert (job.dispatched_at - at).total_seconds() < PROMISED_SECONDS
    # Whoever is left answers for the next job as well, and for nothing twice.
    assert pair.in_state(pair.request("next"), JobState.DISPATCHED).epoch == 1


@contextmanager
def frozen(stand: Stand, name: str) -> Iterator[None]:
    process = stand.processes[name]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_another_dispatches_while_the_leader_is_frozen_and_it_stands_by_when_it_wakes(
    pair: Stand,
) -> None:
    with frozen(pair, "one"):
        first = pair.request("main")
        # No promise in seconds is tried here: it may have been stopped inside of a transaction.
        pair.in_state(first, JobState.DISPATCHED)
        assert has_said(pair, "two", "dispatcher.leads")
    pair.until(lambda: has_said(pair, "one", "dispatcher.stands_by"), "one stands by")
    second = pair.request("next")
    assert pair.in_state(second, JobState.DISPATCHED).epoch == 1
    # And it takes over in its turn.
    pair.kill("two")
    third = pair.request("other")
    pair.in_state(third, JobState.DISPATCHED)


def test_a_leader_that_is_told_to_stop_leaves_the_lead(pair: Stand) -> None:
    assert pair.terminate("one") == 0
    pair.in_state(pair.request("main"), JobState.DISPATCHED)
    assert pair.terminate("two") == 0
    pair.until(lambda: not facade.dispatcher_ready(pair.settings), "nobody leads")


def test_the_listening_connection_may_be_lost(
    stand: Stand, database: psycopg.Connection[tuple[Any, ...]]
) -> None:
    stand.start_dispatcher()
    stand.until(lambda: cut(database, f"({LISTENS})") > 0, "a listening session is cut")
    stand.in_state(stand.request("main"), JobState.DISPATCHED)


def test_what_nobody_calls_for_is_found_by_looking(
    stand: Stand, database: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """The end of a delay calls nobody, and neither does a row that was changed by hand."""
    job_id = stand.request("main")
    database.execute("set role codeloom_dispatcher")
    database.execute("update codeloom.jobs set run_at = now() + interval '1 s'")
    stand.start_dispatcher()
    job = stand.in_state(job_id, JobState.DISPATCHED)
    assert job.dispatched_at is not None
    assert job.dispatched_at >= job.run_at
