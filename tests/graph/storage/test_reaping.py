"""What is taken back, and what is left alone: nobody waits for somebody else's dead worker."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text

from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs
from graph.storage.jobs import standing
from graph.storage.session import system_session
from tests.graph.storage.conftest import new_tenant
from tests.graph.storage.test_jobs import Engine
from tests.seeding import allow


@pytest.fixture
def settings(settings: Settings, fresh_database_url: str) -> Settings:
    """The reaper looks at every tenant, so no other test's may be there."""
    return settings.model_copy(update={"database_url": fresh_database_url})


@pytest.fixture
def tenant(settings):
    return new_tenant(settings, "acme")


@pytest.fixture
def engine(settings, session):
    return Engine(settings, session)


@pytest.fixture
def ask(session, repository):
    def ask(**wanted):
        with session() as conn:
            return jobs.request(conn, repository=repository, **wanted)

    return ask


@pytest.fixture
def frozen(session):
    @contextmanager
    def frozen(statement: str, **values: object) -> Iterator[Connection]:
        """A worker that was stopped in a transaction, and holds what it had changed."""
        with session(role="worker") as conn:
            conn.execute(text(statement), values)
            yield conn

    return frozen


def started(ask, engine, ref):
    job = ask(ref=ref)
    engine.run(job)
    engine.expire(job)
    return job


def test_a_frozen_worker_keeps_its_own_job_alone_from_being_taken_back(
    ask, engine, frozen, settings, tenant
):
    allow(settings, tenant, running_jobs=10)
    stuck, other = started(ask, engine, "stuck"), started(ask, engine, "other")
    waiting = ask(ref="waiting")
    with frozen("update reservations set spent = spent where job_id = :job_id", job_id=stuck.id):
        assert [taken.job_id for taken in engine.reap()] == [other.id]
        assert waiting.id in {chosen.job_id for chosen in engine.pick()}
        assert engine.job(stuck).state is JobState.RUNNING
    assert [taken.job_id for taken in engine.reap()] == [stuck.id]


def test_one_that_is_known_to_be_lost_is_taken_back_beside_a_frozen_one(
    ask, engine, frozen, settings, tenant
):
    allow(settings, tenant, running_jobs=10)
    stuck, lost = started(ask, engine, "stuck"), ask(ref="lost")
    claimed = engine.run(lost)
    silent = jobs.Silent(lost.id, tenant, claimed.epoch)
    with (
        frozen("update reservations set spent = spent where job_id = :job_id", job_id=stuck.id),
        system_session("dispatch", settings=settings) as conn,
    ):
        assert [taken.job_id for taken in jobs.reap(conn, lost=[silent])] == [lost.id]


def test_a_job_that_no_worker_took_keeps_its_place(ask, engine, session, settings, tenant):
    """And its age: a queue that nobody works on does not look like one that is served."""
    allow(settings, tenant, running_jobs=1)
    with session() as conn:
        first = ask(ref="first")
        conn.execute(
            text("update jobs set run_at = now() - interval '1 hour' where job_id = :id"),
            {"id": first.id},
        )
    ask(ref="second")
    for _ in range(2):
        assert [chosen.job_id for chosen in engine.pick()] == [first.id]
        engine.expire(first)
        assert [taken.job_id for taken in engine.reap()] == [first.id]
    with system_session("administration", settings=settings) as conn:
        (queued,) = [
            row
            for row in standing.standing(conn)
            if (row.state, row.kind) == (JobState.QUEUED, "ingest")
        ]
    assert (queued.jobs, queued.oldest_seconds >= 3600) == (2, True)
