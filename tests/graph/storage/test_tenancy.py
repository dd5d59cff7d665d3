"""Two tenants with twin data, and everything one may try against the other."""

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from graph.errors import (
    ApiKeyNotFound,
    JobNotFound,
    RepositoryNotFound,
    StorageRefused,
    TenantNotFound,
)
from graph.settings import Settings
from graph.storage import credentials, documents, jobs, keyring, keys, load, repositories, tenants
from graph.storage.rows import edges, nodes
from graph.storage.session import system_session, tenant_of, tenant_session
from graph.storage.tables import GLOBAL_TABLES, metadata
from tests.graph.storage.samples import document
from tests.seeding import PLENTY

TENANT_TABLES = sorted(set(metadata.tables) - set(GLOBAL_TABLES))
UNREADABLE = {
    ("api_keys", "worker"),
    ("audit_archives", "worker"),
    ("audit_events", "worker"),
    ("charges", "app"),
    ("charges", "worker"),
    ("idempotency_records", "worker"),
}
# The twins have nothing there.
UNTOUCHED = {
    "artifacts",
    "audit_archives",
    "audit_events",
    "idempotency_records",
    "job_attempts",
    "pending_artifacts",
    "refs",
    "reservations",
    "snapshots",
}


@pytest.fixture
def twins(session, settings, tenant, stranger):
    """The same names, addresses and numbers for both."""
    made = {}
    for who in (tenant, stranger):
        with session(who) as conn:
            key, _ = keys.create(conn, tenant_id=who, scopes=["admin"])
            repository = repositories.register(conn, url="https://example.test/a.git", name="a")
            job = jobs.request(conn, repository=repository)
            secret = {"kind": "basic", "username": "u", "secret": SecretStr("s")}
            credentials.create(conn, keyring.of(settings), name="c", host="a.test", **secret)
        with load.open_load(who, repository=repository.number, settings=settings) as loader:
            loader.add(document("a.py"))
            loaded = loader.finish()
        made[who] = (key, repository, job, loaded)
    return made


@pytest.mark.parametrize(
    ("table", "role"),
    [
        (table, role)
        for table in TENANT_TABLES
        for role in ("app", "worker")
        if (table, role) not in UNREADABLE
    ],
)
def test_a_session_sees_only_rows_of_its_tenant(session, twins, tenant, table, role):
    with session(role=role) as conn:
        seen = set(conn.execute(text(f"select tenant_id from {table}")).scalars())
    assert seen <= {tenant}
    if table not in UNTOUCHED:
        assert seen


@pytest.mark.parametrize(("table", "role"), sorted(UNREADABLE))
def test_what_a_role_has_no_use_for_it_cannot_read(session, table, role):
    with pytest.raises(StorageRefused, match="access"), session(role=role) as conn:
        conn.execute(text(f"select tenant_id from {table}"))


@pytest.mark.parametrize("table", sorted({*TENANT_TABLES} - {"charges"}))
def test_without_a_tenant_nothing_is_seen(session, twins, table):
    with session() as conn:
        conn.execute(text("select set_config('app.tenant_id', '', true)"))
        assert conn.execute(text(f"select count(*) from {table}")).scalar_one() == 0


def test_the_tenant_does_not_outlive_the_transaction(settings, tenant, twins):
    one = settings.model_copy(update={"database_pool_size": 1})
    with tenant_session(tenant, settings=one) as conn:
        assert conn.execute(select(nodes)).first() is not None
    with tenant_session(tenant, settings=one) as conn:
        backend = conn.execute(text("select pg_backend_pid()")).scalar_one()
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, settings=one):
        raise ZeroDivisionError
    from graph.storage.engine import engine

    with engine(one, "app").connect() as conn:
        assert conn.execute(text("select pg_backend_pid()")).scalar_one() == backend
        assert conn.execute(select(nodes)).first() is None


@pytest.mark.parametrize("table", ["repositories", "jobs", "api_keys", "counters"])
def test_a_row_cannot_be_given_to_another_tenant(session, twins, stranger, table):
    with pytest.raises(StorageRefused), session() as conn:
        conn.execute(text(f"update {table} set tenant_id = :other"), {"other": stranger})


def test_a_row_cannot_be_made_for_another_tenant(session, twins, stranger):
    statement = text("insert into counters values (:other, 9, 'documents', 1)")
    with pytest.raises(StorageRefused), session() as conn:
        conn.execute(statement, {"other": stranger})


def test_rows_cannot_be_loaded_for_another_tenant(session, twins, stranger):
    for table, values in (
        ("nodes", "1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 'n', 'n', '', '', ''"),
        ("edges", "1, 1, 1, 1, 1, 0, 1, 1, 1, 1"),
    ):
        with pytest.raises(StorageRefused), session(role="worker") as conn:
            conn.execute(
                text(f"insert into {table} values (:other, {values})"), {"other": stranger}
            )


def test_writes_that_name_another_tenant_touch_nothing(session, twins, stranger):
    with session(role="worker") as conn:
        for table in (nodes, edges, documents.documents):
            deleted = conn.execute(table.delete().where(table.c.tenant_id == stranger))
            assert deleted.rowcount == 0
        changed = conn.execute(
            text("update jobs set state = 'cancelled' where tenant_id = :other"),
            {"other": stranger},
        )
        assert changed.rowcount == 0
    with session(stranger) as conn:
        assert conn.execute(select(nodes)).first() is not None


def test_foreign_ids_answer_like_absent_ones(session, twins, stranger):
    key, repository, job, _ = twins[stranger]
    with session() as conn:
        with pytest.raises(RepositoryNotFound):
            repositories.get(conn, repository_id=repository.id)
        with pytest.raises(RepositoryNotFound):
            repositories.delete(conn, repository_id=repository.id)
        with pytest.raises(JobNotFound):
            jobs.get(conn, job_id=job.id)
        with pytest.raises(JobNotFound):
            jobs.cancel(conn, job_id=job.id)
        with pytest.raises(JobNotFound):
            jobs.retry(conn, job_id=job.id)
        with pytest.raises(JobNotFound):
            jobs.find_by_task(conn, task_id=f"{job.id}.1")
        with pytest.raises(ApiKeyNotFound):
            keys.revoke(conn, key_id=key.id)
        with pytest.raises(TenantNotFound):
            tenants.get(conn, tenant_id=stranger)


def test_a_worker_cannot_hold_the_job_of_another_tenant(session, settings, twins, stranger):
    job = twins[stranger][2]
    with system_session("dispatch", settings=settings) as conn:
        chosen = {each.job_id: each for each in jobs.pick(conn, slots=1000)}[job.id]
    held = {"job_id": job.id, "epoch": chosen.epoch}
    with session(role="worker") as conn:
        assert jobs.claim(conn, **held, owner="w", lease_seconds=60, wanted=PLENTY) is None
        assert jobs.beat(conn, **held, lease_seconds=60) is jobs.Beat.LOST
    with session(stranger, role="worker") as conn:
        assert jobs.claim(conn, **held, owner="w", lease_seconds=60, wanted=PLENTY) is not None


def test_the_same_document_of_two_tenants_is_two_documents(session, twins, tenant, stranger):
    for who in (tenant, stranger):
        loaded = twins[who][3]
        assert loaded.new == loaded.documents == {1}
        with session(who) as conn:
            assert len(conn.execute(select(nodes)).all()) == loaded.nodes


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize(
    "statement",
    [
        "set role codeloom_owner",
        "alter table nodes disable row level security",
        "create policy open on nodes using (true)",
        "create table codeloom.loot (a int)",
        "truncate nodes",
        "copy nodes from '/dev/null'",
        "select * from authenticate('x')",
        "delete from jobs",
        "delete from tenants",
        "update plans set max_running = 1000",
    ],
)
def test_working_roles_cannot_take_the_fence_down(settings, statement, role):
    """With a login for the role alone, as a service has it, also not by another role."""
    import psycopg

    from graph.storage.engine import dedicated

    with dedicated(settings, role) as connection:
        login = connection.execute("select session_user").fetchone()
        assert login is not None
        if statement.startswith("set role"):
            allowed = connection.execute(
                "select pg_has_role(current_user, 'codeloom_owner', 'set')"
            ).fetchone()
            assert allowed == (False,)
            return
        with pytest.raises(psycopg.errors.Error):
            connection.execute(statement)


def test_a_statement_without_a_tenant_session_is_our_mistake(settings: Settings):
    with system_session("dispatch", settings=settings) as conn, pytest.raises(RuntimeError):
        tenant_of(conn)


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_the_dispatcher_sees_jobs_and_tenants_and_no_more(settings, twins, table):
    # How many tenants' rows it finds at least; no twin has had an attempt.
    readable = {"jobs": 2, "tenants": 2, "job_attempts": 0}
    if table in readable:
        with system_session("dispatch", settings=settings) as conn:
            seen = set(conn.execute(text(f"select tenant_id from {table}")).scalars())
        assert len(seen) >= readable[table]
        return
    with pytest.raises(StorageRefused), system_session("dispatch", settings=settings) as conn:
        conn.execute(text(f"select tenant_id from {table}"))
