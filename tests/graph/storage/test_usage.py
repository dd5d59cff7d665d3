"""What tenants use: counted by the database, never above a limit, always what the rows say."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from graph.errors import QuotaExceeded, StorageRefused
from graph.storage import artifact_rows, documents, jobs, load, repositories, usage
from graph.storage.artifacts import Artifact
from graph.storage.copying import Numbered, document_key, store_documents
from tests.graph.storage.conftest import new_tenant
from tests.graph.storage.samples import document
from tests.seeding import allow


@pytest.fixture
def used(session):
    """What is used by name, and proof that the rows say the same."""

    def counted(*who):
        with session(*who) as conn:
            assert usage.recompute(conn) == []
            found = usage.of_tenant(conn)
        return {standing.resource.name: standing.used for standing in found.standings}

    return counted


@pytest.fixture
def store(settings, tenant, repository):
    """Loads documents; the ids of all that are there then."""

    def loaded(*rows, place=repository):
        with load.open_load(tenant, repository=place.number, settings=settings) as loader:
            for row in rows:
                loader.add(row)
            return loader.finish().documents

    return loaded


def artifact(number, size=100):
    return Artifact("facts", bytes([number]) * 32, size)


def test_a_new_tenant_uses_nothing_and_is_told_every_resource(settings, session):
    with session(new_tenant(settings, "new")) as conn:
        found = usage.of_tenant(conn)
        today = conn.execute(text("select (now() at time zone 'UTC')::date")).scalar_one()
    assert {standing.used + standing.reserved for standing in found.standings} == {0}
    assert len(found.standings) == 11
    limits = {standing.resource.name: standing.limit for standing in found.standings}
    assert (limits["repositories"], limits["queued_jobs"], limits["files"]) == (10000, 10000, None)
    assert found.begins == dt.datetime(today.year, today.month, 1, tzinfo=dt.UTC)
    assert found.ends > found.begins
    assert (found.ends.day, found.ends - found.begins >= dt.timedelta(days=28)) == (1, True)
    assert {s.resource.name for s in found.standings if s.resets_at == found.ends} == {
        "clone_bytes",
        "job_minutes",
    }


def test_rows_are_counted_as_they_come_and_go(session, store, repository, used, tenant):
    stored = store(document("a.py", nodes=3), document("b.py", nodes=4))
    with session(role="worker") as conn:
        artifact_rows.record(conn, artifact=artifact(1), repository=repository.number)
        artifact_rows.record(conn, artifact=artifact(1), repository=repository.number)
    with session() as conn:
        job = jobs.request(conn, repository=repository)
    assert used() == {
        "repositories": 1,
        "api_keys": 0,
        "credentials": 0,
        "running_jobs": 0,
        "queued_jobs": 1,
        "files": 2,
        "lines": 20,
        "nodes": 7,
        "stored_bytes": 100,
        "clone_bytes": 0,
        "job_minutes": 0,
    }
    with session() as conn:
        jobs.cancel(conn, job_id=job.id)
        repositories.delete(conn, repository_id=repository.id)
    with session(role="worker") as conn:
        documents.remove(conn, repository=repository.number, documents=stored)
        artifact_rows.forget(conn, kind="facts", sha256=artifact(1).sha256)
    assert set(used().values()) == {0}


def test_what_is_stored_already_is_not_counted_again(store, used):
    store(document("a.py"), document("b.py"))
    store(document("b.py"), document("c.py"))
    assert used()["files"] == 3


def test_a_change_of_name_counts_nothing(session, repository, used):
    with session() as conn:
        repositories.change(conn, repository_id=repository.id, name="other")
    assert used()["repositories"] == 1


def test_what_is_rolled_back_was_never_used(session, store, repository, used):
    store(document("a.py"))
    with session(role="worker") as conn:
        artifact_rows.record(conn, artifact=artifact(1))
        part = conn.begin_nested()
        documents.remove(conn, repository=repository.number, documents=[1])
        part.rollback()
    assert (used()["files"], used()["stored_bytes"]) == (1, 100)
    with session(role="worker") as conn:
        documents.remove(conn, repository=repository.number, documents=[1])
        conn.rollback()
    assert used()["files"] == 1


def test_tenants_are_counted_apart(settings, session, store, used, stranger):
    store(document("a.py"))
    with session(stranger) as conn:
        other = repositories.register(conn, url="https://example.test/o.git", name="o")
    with load.open_load(stranger, repository=other.number, settings=settings) as loader:
        loader.add(document("a.py"))
        loader.add(document("b.py"))
        loader.finish()
    assert (used()["files"], used(stranger)["files"]) == (1, 2)


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"files": 2}, "Limit of files: 2, used: 2, asked for: 1 more."),
        ({"lines": 29}, "Limit of lines: 29, used: 20, asked for: 10 more."),
        ({"nodes": 7}, "Limit of nodes: 7, used: 6, asked for: 3 more."),
    ],
)
def test_a_load_that_would_pass_a_limit_stores_nothing(settings, tenant, store, used, limit, told):
    store(document("a.py"), document("b.py"))
    before = used()
    allow(settings, tenant, **limit)
    with pytest.raises(QuotaExceeded) as raised:
        store(document("c.py"))
    assert raised.value.message == told
    assert raised.value.resets_at is None
    assert used() == before
    # What is there can still be used.
    assert len(store(document("a.py"), document("b.py"))) == 2


def test_a_limit_is_reached_exactly(settings, tenant, store, used):
    allow(settings, tenant, files=2, lines=20, nodes=6)
    store(document("a.py"), document("b.py"))
    assert used()["files"] == 2


def test_an_artifact_that_would_pass_the_limit_is_refused(settings, session, tenant, used):
    allow(settings, tenant, stored_bytes=150)
    with session(role="worker") as conn:
        artifact_rows.record(conn, artifact=artifact(1))
    with pytest.raises(QuotaExceeded, match="stored_bytes: 150"), session(role="worker") as conn:
        artifact_rows.record(conn, artifact=artifact(2))
    with session(role="worker") as conn:  # what goes makes room for what comes
        artifact_rows.record(conn, artifact=artifact(3, 149))
        artifact_rows.forget(conn, kind="facts", sha256=artifact(1).sha256)
    assert used()["stored_bytes"] == 149


def test_a_limit_below_what_is_used_takes_nothing_and_grants_nothing(
    settings, session, tenant, store, repository, used
):
    stored = store(document("a.py"), document("b.py"), document("c.py"))
    allow(settings, tenant, files=1, repositories=0)
    assert used()["files"] == 3
    with pytest.raises(QuotaExceeded):
        store(document("d.py"))
    with session(role="worker") as conn:
        documents.remove(conn, repository=repository.number, documents=sorted(stored)[:1])
    with pytest.raises(QuotaExceeded):
        store(document("d.py"))
    with pytest.raises(QuotaExceeded), session() as conn:
        repositories.register(conn, url="https://example.test/z.git", name="z")
    with session() as conn:
        repositories.change(conn, repository_id=repository.id, name="still mine")
    assert (used()["files"], used()["repositories"]) == (2, 1)


def test_a_limit_holds_from_the_moment_it_is_changed(settings, tenant, store):
    allow(settings, tenant, files=0)
    with pytest.raises(QuotaExceeded):
        store(document("a.py"))
    allow(settings, tenant, files=1)
    store(document("a.py"))
    allow(settings, tenant)
    store(document("b.py"))


# --- at once ---------------------------------------------------------------------------------


def attempts(action, count, threads=8):
    """How many of so many attempts at once succeeded; the others met the quota."""

    def attempt(number):
        try:
            action(number)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(attempt, range(count)))


def test_loads_at_once_never_pass_a_limit(settings, session, tenant, store, used):
    allow(settings, tenant, files=7)
    places = []
    for number in range(4):
        with session() as conn:
            url = f"https://example.test/{number}.git"
            places.append(repositories.register(conn, url=url, name="r"))

    def one(number):
        store(document(f"{number}.py"), place=places[number % 4])

    assert attempts(one, 24) == 7
    assert used()["files"] == 7


def test_artifacts_at_once_never_pass_a_limit(settings, session, tenant, used):
    allow(settings, tenant, stored_bytes=1000)

    def one(number):
        with session(role="worker") as conn:
            artifact_rows.record(conn, artifact=artifact(number, 90))

    assert attempts(one, 30) == 11
    assert used()["stored_bytes"] == 990


def test_requests_at_once_never_pass_the_limit_of_the_queue(settings, session, tenant, used):
    places = []
    for number in range(50):
        with session() as conn:
            url = f"https://example.test/{number}.git"
            places.append(repositories.register(conn, url=url, name="r"))
    allow(settings, tenant, queued_jobs=10)

    def one(number):
        with session() as conn:
            jobs.request(conn, repository=places[number])

    assert attempts(one, 50, threads=10) == 10
    assert used()["queued_jobs"] == 10


def test_a_load_under_way_keeps_no_other_waiting(settings, session, tenant, repository, store):
    """Its rows are charged when it commits: until then it holds nothing that others need."""
    with session() as conn:
        other = repositories.register(conn, url="https://example.test/other.git", name="o")
    rows = document("slow.py")
    slow = [Numbered(id=1, key=document_key(rows.document), rows=rows)]
    with session(role="worker") as conn:
        assert store_documents(conn, repository=other.number, batch=slow) == {1}
        artifact_rows.record(conn, artifact=artifact(1))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(store, document("quick.py")).result(20) == {1}
            pool.submit(lambda: record(session, 2)).result(20)


def record(session, number):
    with session(role="worker") as conn:
        artifact_rows.record(conn, artifact=artifact(number))


def test_whatever_the_order_nobody_waits_for_ever(settings, session, tenant, repository, used):
    """Transactions that charge the same resources in opposite orders."""

    def one(number):
        rows = document(f"{number}.py")
        numbered = [Numbered(id=number + 1, key=document_key(rows.document), rows=rows)]
        with session(role="worker") as conn:
            if number % 2:
                artifact_rows.record(conn, artifact=artifact(number))
            store_documents(conn, repository=repository.number, batch=numbered)
            if not number % 2:
                artifact_rows.record(conn, artifact=artifact(number))

    assert attempts(one, 60) == 60
    assert (used()["files"], used()["stored_bytes"]) == (60, 6000)


# --- room, and the rows themselves -----------------------------------------------------------


def test_what_cannot_fit_is_known_before_it_is_loaded(settings, session, tenant, store, repository):
    store(document("a.py"), document("b.py"))
    allow(settings, tenant, files=5, lines=50)
    place = {"repository": repository.number}
    with session(role="worker") as conn:
        usage.check_room(conn, **place, wanted={"files": 3, "lines": 30})
        # Two of five may be those that are there.
        usage.check_room(conn, **place, wanted={"files": 5, "lines": 50})
        with pytest.raises(QuotaExceeded, match="files: 5"):
            usage.check_room(conn, **place, wanted={"files": 6})
        with pytest.raises(QuotaExceeded, match="lines: 50"):
            usage.check_room(conn, **place, wanted={"files": 5, "lines": 51})


def test_counts_cannot_be_changed_by_those_who_are_counted(session, store):
    store(document("a.py"))
    for role in ("app", "worker"):
        for statement in (
            "update usage set used = 0",
            "delete from usage",
            "insert into charges values (gen_random_uuid(), 1, 'files', '0001-01-01', -5)",
        ):
            with pytest.raises(StorageRefused, match="access"), session(role=role) as conn:
                conn.execute(text(statement))


def test_no_charge_outlives_its_transaction(settings, store):
    store(document("a.py"))
    from graph.storage.engine import dedicated

    with dedicated(settings, "owner") as connection:
        fence = "alter table charges {} force row level security"
        connection.execute(fence.format("no"))
        left = connection.execute("select count(*) from charges").fetchone()
        connection.execute(fence.format(""))
    assert left == (0,)
