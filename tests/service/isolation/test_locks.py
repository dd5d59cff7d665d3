"""Each of the two locks is one: with both open everything leaks, and workers need no more than one.

That each alone holds for requests is tried in `test_matrix`; here it is for those who work.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from graph.model.ids import JobId, TenantId
from graph.settings import Settings
from graph.storage import erasures, jobs, repositories
from graph.storage.artifacts import open_store
from graph.storage.repositories import Repository
from graph.storage.session import system_session, tenant_session
from tests import seeding
from tests.service.conftest import make_tenant
from tests.service.isolation.locks import Watch, disable_policies, watched
from tests.service.isolation.operations import Operation
from tests.service.isolation.world import World
from tests.workers.gitrepo import Repo
from workers import erasure
from workers.git.remotes import LocalRemote
from workers.tasks import jobs as tasks


class TestWithBothOpen:
    """What the tests of isolation would see if neither lock held."""

    def test_every_read_of_a_list_leaks(self, world: World) -> None:
        reads = [each for each in world.operations() if each.method == "get"]
        disable_policies(world.superuser)
        with watched(world.settings, vacuous=True):
            seen = {each.id for each in reads if self.leaks(world, each)}
        assert len(seen) > len(reads) / 2
        assert {"list_repositories", "list_jobs", "list_api_keys", "export_audit_events"} <= seen

    def leaks(self, world: World, operation: Operation) -> bool:
        try:
            world.ask(world.one, operation, world.other.own)
        except AssertionError:
            return True
        return False


class TestWhatWatches:
    """It sees a statement that has not both."""

    def test_a_statement_without_a_condition(self, world: World) -> None:
        # Policies would be in the plan as conditions.
        disable_policies(world.superuser)
        with watched(world.settings, vacuous=False) as watch:
            self.run(world, "select * from jobs where tenant_id = :tenant")
            self.run(
                world,
                "select * from jobs j join refs r using (tenant_id) where j.tenant_id = :tenant",
            )
            assert watch.unconditional == set()
            self.run(world, "select state from jobs where job_id is not null")
            self.run(
                world,
                "select from refs r where tenant_id = :tenant and exists"
                " (select from nodes where repository = r.repository)",
            )
            self.run(world, "update jobs set stage = null where stage = 'x'")
        assert {table for table, _ in watch.unconditional} == {"jobs", "nodes"}
        assert len(watch.unconditional) == 3

    def test_a_condition_that_is_not_in_one_form(self, world: World) -> None:
        with watched(world.settings, vacuous=True) as watch:
            self.run(world, "select * from jobs where tenant_id = :tenant")
            assert watch.closed == set()
            assert watch.opened == 1
            self.run(world, "select * from jobs where :tenant = tenant_id")
            self.run(world, "select * from jobs where tenant_id in (:tenant)")
        assert len(watch.closed) == 2

    def run(self, world: World, statement: str) -> None:
        who = world.one.tenant_id
        with tenant_session(who, role="worker", settings=world.settings) as connection:
            connection.execute(text(statement), {"tenant": who})


FILES = {
    "shop/cart.py": "class Cart:\n    def total(self):\n        return price(self)\n",
    "shop/price.py": "def price(cart):\n    return 7\n",
}


@pytest.fixture(params=["conditions alone", "policies alone"])
def worked(
    request: pytest.FixtureRequest, settings: Settings, fresh_database_url: str, real_servers
) -> Iterator[tuple[Settings, Watch]]:
    """A database behind one lock only."""
    import psycopg

    from graph.storage.engine import dispose

    alone = settings.model_copy(update={"database_url": fresh_database_url, "parse_processes": 1})
    if request.param == "conditions alone":
        name = fresh_database_url.rpartition("/")[2].partition("?")[0]
        with psycopg.connect(real_servers.superuser_url, dbname=name, autocommit=True) as superuser:
            disable_policies(superuser)
    with watched(alone, vacuous=request.param == "policies alone") as watch:
        yield alone, watch
    dispose(alone)


def test_workers_ingest_and_erase_behind_either_lock(
    worked: tuple[Settings, Watch], tmp_path: Path
) -> None:
    """Two tenants with the same repository: what is done for one changes nothing of the other."""
    settings, watch = worked
    repo = Repo(tmp_path / "repo")
    repo.commit(FILES)
    one, other = (make_tenant(settings, name).tenant_id for name in ("one", "other"))
    first, second = (register(settings, each, repo) for each in (one, other))
    ingest(settings, one, first)
    ingest(settings, other, second)
    counts = of(settings, other)
    assert counts == of(settings, one)
    assert counts["nodes"] >= 5
    repo.commit({"shop/price.py": "def price(cart):\n    return 8\n"})
    ingest(settings, one, first)
    assert of(settings, other) == counts
    ingest(settings, other, second)
    assert of(settings, other) == of(settings, one)
    counts = of(settings, other)
    erase(settings, one)
    assert set(of(settings, one).values()) == {0}
    assert of(settings, other) == counts
    assert len(watch.statements) > 30
    assert watch.unconditional == set()
    assert watch.closed == set()


def register(settings: Settings, tenant_id: TenantId, repo: Repo) -> Repository:
    with tenant_session(tenant_id, settings=settings) as connection:
        url = LocalRemote(repo.path).url
        return repositories.register(connection, url=url, name="repo")


def ingest(settings: Settings, tenant_id: TenantId, repository: Repository) -> None:
    with tenant_session(tenant_id, settings=settings) as connection:
        job = jobs.request(connection, repository=repository)
    epoch = seeding.dispatch(settings, job.id)
    assert tasks.run(tenant_id, JobId(job.id), epoch, settings) == "succeeded"


def erase(settings: Settings, tenant_id: TenantId) -> None:
    with system_session("administration", settings=settings) as connection:
        asked = erasures.request(connection, tenant_id=tenant_id)
    assert erasure.run(settings, asked.id) == "finished"


def of(settings: Settings, tenant_id: TenantId) -> dict[str, int]:
    """How many rows and objects a tenant has, found without either lock."""
    import psycopg

    tables = ("repositories", "documents", "nodes", "edges", "snapshots", "refs", "jobs")
    counts: dict[str, int] = {}
    with psycopg.connect(str(settings.database_url)) as connection:
        connection.execute("set role codeloom_worker")
        connection.execute("select set_config('app.tenant_id', %s, false)", [str(tenant_id)])
        for table in tables:
            query = f"select count(*) from codeloom.{table} where tenant_id = %s"
            row = connection.execute(query.encode(), [tenant_id]).fetchone()
            assert row is not None
            counts[table] = row[0]
    counts["objects"] = len(list(open_store(settings.artifacts).list(tenant_id)))
    return counts
