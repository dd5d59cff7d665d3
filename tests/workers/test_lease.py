"""A lease: who holds it works alone, and learns soon when the work is no longer wanted."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from graph.errors import JobCancelled, LeaseLost
from graph.model import names
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs
from graph.storage.locks import SessionLock
from graph.storage.session import system_session
from tests.workers.stand import Stand
from workers import lease


def dispatch(stand: Stand, job_id: JobId) -> int:
    with system_session("dispatch", settings=stand.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
    assert chosen.job_id == job_id
    return chosen.epoch


@contextmanager
def working(stand: Stand, settings: Settings | None = None) -> Iterator[lease.Lease]:
    """The lease of a job that this test works on."""
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    with lease.hold(settings or stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
        assert held is not None
        yield held


def wait(true: Callable[[], object], seconds: float = 5) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)
    return time.monotonic() - started


def test_only_the_first_message_of_the_latest_dispatch_gets_the_job(stand: Stand) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    for wrong in (epoch - 1, epoch + 1):
        with lease.hold(stand.settings, stand.tenant_id, job_id, wrong, "me") as held:
            assert held is None
    with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
        assert held is not None
        assert stand.job(job_id).state is JobState.RUNNING
        with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "other") as second:
            assert second is None
        held.check()


def test_a_cancelled_job_is_noticed_within_seconds(stand: Stand) -> None:
    with working(stand) as held:
        stand.cancel(held.job.id)
        assert wait(held.should_stop) < 2
        with pytest.raises(JobCancelled):
            held.check()


def test_a_job_that_was_taken_back_is_lost(stand: Stand) -> None:
    with working(stand) as held:
        assert stand.settings.database_url is not None
        with psycopg.connect(stand.settings.database_url, autocommit=True) as conn:
            conn.execute("set role codeloom_dispatcher; set search_path = codeloom")
            conn.execute("update jobs set lease_until = now() - interval '1 second'")
        with system_session("dispatch", settings=stand.settings) as conn:
            (reaped,) = jobs.reap(conn)
        assert reaped.state is JobState.QUEUED
        wait(held.should_stop)
        with pytest.raises(LeaseLost):
            held.check()


def test_the_lease_of_a_working_job_is_extended(stand: Stand) -> None:
    with working(stand) as held:
        time.sleep(stand.settings.lease_seconds + 0.5)
        with system_session("dispatch", settings=stand.settings) as conn:
            assert jobs.reap(conn) == []
        held.check()


def test_while_the_former_worker_lives_the_job_waits(stand: Stand) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    with SessionLock(stand.settings, names.job_lock(stand.tenant_id, job_id)) as frozen:
        assert frozen.acquire()
        with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
            assert held is None
        job = stand.job(job_id)
        assert (job.state, job.attempt, job.error_code) == (JobState.QUEUED, 0, "lease_lost")
    time.sleep(2.1)
    again = dispatch(stand, job_id)
    with lease.hold(stand.settings, stand.tenant_id, job_id, again, "me") as held:
        assert held is not None


def test_the_lock_is_taken_anew_when_its_session_was_cut(stand: Stand) -> None:
    with working(stand) as held:
        assert stand.settings.database_url is not None
        with psycopg.connect(stand.settings.database_url, autocommit=True) as conn:
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        time.sleep(2.5)
        held.check()
        with SessionLock(stand.settings, names.job_lock(stand.tenant_id, held.job.id)) as other:
            assert not other.acquire()
    with SessionLock(stand.settings, names.job_lock(stand.tenant_id, held.job.id)) as other:
        assert other.acquire()


def test_progress_reaches_the_row_and_the_stream(stand: Stand) -> None:
    key = names.event_stream(stand.tenant_id)
    with working(stand) as held:
        for done in range(1000):
            held.progress.report("parse", done, 1000)
        held.progress.report("load", 50, 100)
        held.progress.count(jobs.Counts(nodes=7, edges=9))
        wait(lambda: stand.job(held.job.id).stage == "load")
        job = stand.job(held.job.id)
        assert (job.files_done, job.files_total, job.nodes, job.edges) == (50, 100, 7, 9)
        assert 80 <= job.percent < 97
        wait(lambda: stand.redis().xlen(key))
        assert stand.redis().xlen(key) <= 3
        assert 0 < stand.redis().ttl(key) <= 3600


def test_a_redis_that_is_away_does_not_hurt_a_job(stand: Stand) -> None:
    settings = stand.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with working(stand, settings) as held:
        held.progress.report("parse", 1, 2)
        wait(lambda: stand.job(held.job.id).stage == "parse")
        held.check()
