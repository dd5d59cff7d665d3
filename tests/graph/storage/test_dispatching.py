"""Who comes next, and whose job is taken back early: over all tenants, in a database alone."""

from collections import Counter

import pytest
from sqlalchemy import text

from graph.model.ids import new_id
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs, repositories, tenants
from graph.storage.session import system_session, tenant_session
from tests import seeding
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


@pytest.fixture
def ask(session, repository):
    def ask(**wanted):
        with session() as conn:
            return jobs.request(conn, repository=repository, **wanted)

    return ask


def test_plans_with_more_weight_have_more_under_way(settings, engine):
    """Two tenants of weights 1 and 3, each with many jobs: the slots are shared as the weights."""
    members = []
    for number, weight in enumerate((1, 3)):
        with system_session("administration", settings=settings) as conn:
            code = f"weight{weight}-{new_id().hex[:8]}"
            conn.execute(
                text("insert into plans (code, weight, limits) values (:code, :weight, '{}')"),
                {"code": code, "weight": weight},
            )
            tenant = tenants.create(conn, name=f"w{number}", plan=code).id
        with tenant_session(tenant, settings=settings) as conn:
            for one in range(12):
                repository = repositories.register(
                    conn, url=f"https://example.test/{one}.git", name="r"
                )
                jobs.request(conn, repository=repository)
        members.append(tenant)
    with system_session("dispatch", settings=settings) as conn:
        chosen = jobs.pick(conn, slots=8)
    count = Counter(one.tenant_id for one in chosen)
    assert [count[tenant] for tenant in members] == [2, 6]


def test_large_repositories_cannot_take_every_slot(ask, engine, settings, session, tenant):
    refs = [f"r{number}" for number in range(4)]
    waiting = [ask(ref=ref) for ref in refs]
    with session() as conn:
        conn.execute(
            text("update jobs set large = true where ref = any(:refs)"), {"refs": refs[:3]}
        )
    allow(settings, tenant, running_jobs=10)
    with system_session("dispatch", settings=settings) as conn:
        chosen = {one.job_id for one in jobs.pick(conn, slots=10, large_slots=1)}
    assert [job.id in chosen for job in waiting] == [True, False, False, True]


def test_a_repository_is_large_by_what_was_published(settings, tenant, session):
    shop = seeding.shop(settings, tenant)
    for files, large in ((19_999, False), (20_000, True)):
        with session(role="owner") as conn:
            conn.execute(text("update snapshots set document_count = :n"), {"n": files})
        with session() as conn:
            job = jobs.request(conn, repository=shop.repository, ref=f"of-{files}")
            marked = conn.execute(
                text("select large from jobs where job_id = :id"), {"id": job.id}
            ).scalar_one()
        assert marked is large


def test_a_job_that_is_known_to_be_lost_is_taken_back_before_its_lease_ends(ask, engine, settings):
    job = ask()
    epoch = engine.run(job).epoch
    with system_session("dispatch", settings=settings) as conn:
        quiet = jobs.silent(conn, lease_seconds=60, seconds=10)
        assert job.id not in {each.job_id for each in quiet}, "it has just begun"
        conn.execute(
            text("update jobs set lease_until = now() + interval '49 s' where job_id = :id"),
            {"id": job.id},
        )
        (found,) = [
            each
            for each in jobs.silent(conn, lease_seconds=60, seconds=10)
            if each.job_id == job.id
        ]
        assert jobs.reap(conn) == []
        stale = jobs.Silent(found.job_id, found.tenant_id, found.epoch - 1)
        assert jobs.reap(conn, lost=[stale]) == [], "another epoch is another worker"
        (taken,) = jobs.reap(conn, lost=[found])
    assert (taken.job_id, taken.state, epoch) == (job.id, JobState.QUEUED, found.epoch)
