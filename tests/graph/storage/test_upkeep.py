"""Upkeep takes no turn of what somebody waits for, and a kind of another release none at all."""

import pytest
from sqlalchemy import text

from graph.errors import JobNotRetryable
from graph.model.jobs import PURGE, JobState
from graph.settings import Settings
from graph.storage import jobs, repositories
from graph.storage.session import system_session, tenant_session
from tests.graph.storage.conftest import new_tenant
from tests.graph.storage.test_jobs import Engine
from tests.seeding import allow


@pytest.fixture
def settings(settings: Settings, fresh_database_url: str) -> Settings:
    """A dispatcher looks at every tenant, so no other test's may be there."""
    return settings.model_copy(update={"database_url": fresh_database_url})


@pytest.fixture
def tenant(settings):
    return new_tenant(settings, "acme")


@pytest.fixture
def engine(settings, session):
    return Engine(settings, session)


def ask(settings, tenant, number, **wanted):
    with tenant_session(tenant, settings=settings) as conn:
        url = f"https://example.test/{number}.git"
        repository = repositories.register(conn, url=url, name="r")
        return jobs.request(conn, repository=repository, **wanted)


def pick(settings, **slots):
    with system_session("dispatch", settings=settings) as conn:
        return [each.job_id for each in jobs.pick(conn, **slots)]


def test_upkeep_that_nobody_works_on_keeps_no_ingestion_waiting(settings):
    """A day's purges are asked for at once, and one worker of upkeep takes them one by one."""
    old = [
        ask(settings, new_tenant(settings, f"t{number}"), number, kind=PURGE)
        for number in range(12)
    ]
    new = ask(settings, new_tenant(settings, "new"), 0)
    chosen = pick(settings, slots=4, upkeep_slots=2)
    assert new.id in chosen
    assert len({job.id for job in old} & set(chosen)) == 2
    assert pick(settings, slots=4, upkeep_slots=2) == []


def test_upkeep_of_a_tenant_takes_none_of_the_slots_of_its_plan(settings, tenant):
    allow(settings, tenant, running_jobs=1)
    purges = [ask(settings, tenant, number, kind=PURGE) for number in range(2)]
    (first,) = pick(settings, slots=4, upkeep_slots=4)
    assert first == purges[0].id
    ingestion = ask(settings, tenant, 3)
    assert pick(settings, slots=4, upkeep_slots=4) == [ingestion.id]


def test_upkeep_goes_on_beside_a_long_queue(settings, tenant):
    allow(settings, tenant, running_jobs=1)
    for number in range(5):
        ask(settings, tenant, number)
    purge = ask(settings, tenant, 9, kind=PURGE)
    assert purge.id in pick(settings, slots=1)


def test_a_kind_of_another_release_waits_for_it(settings, tenant, engine):
    """As while one replaces the other: what the new one is asked, the old one cannot tell of."""
    unknown, known = ask(settings, tenant, 1), ask(settings, tenant, 2)
    with tenant_session(tenant, settings=settings) as conn:
        conn.execute(
            text("update jobs set kind = 'of_tomorrow' where job_id = :id"), {"id": unknown.id}
        )
    assert pick(settings, slots=4) == [known.id]
    assert engine.job(unknown).state is JobState.QUEUED
    with tenant_session(tenant, settings=settings) as conn:
        jobs.cancel(conn, job_id=unknown.id)
        with pytest.raises(JobNotRetryable):
            jobs.retry(conn, job_id=unknown.id)
