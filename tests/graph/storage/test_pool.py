"""One connection for two tenants in turn, and everything that can go wrong with it in between."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from graph.errors import QuotaExceeded, StorageError, StorageRefused
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import jobs, keys, load, repositories
from graph.storage.engine import dispose, engine
from graph.storage.session import Connection, tenant_session
from graph.storage.tables import GLOBAL_TABLES, metadata
from tests import seeding
from tests.graph.storage.samples import document

TENANT_TABLES = sorted(set(metadata.tables) - set(GLOBAL_TABLES))

# Writes a row of the tenant, whoever that is.
TOUCH = "update counters set value = value + 1"

Mishap = Callable[[Settings, TenantId], None]


@pytest.fixture
def one(settings: Settings) -> Iterator[Settings]:
    """Settings under which a process has one connection, and not one more."""
    # A number of attempts of its own makes it a pool of its own.
    alone = settings.model_copy(
        update={"database_pool_size": 1, "database_connect_timeout_seconds": 13}
    )
    made = engine(alone, "app")
    made.pool._max_overflow = 0
    yield alone
    made.dispose()
    dispose(alone)


@pytest.fixture(autouse=True)
def filled(settings: Settings, tenant: TenantId, stranger: TenantId) -> None:
    """The same for both."""
    for who in (tenant, stranger):
        with tenant_session(who, settings=settings) as conn:
            keys.create(conn, tenant_id=who, scopes=["admin"])
            repository = repositories.register(conn, url="https://example.test/a.git", name="a")
            jobs.request(conn, repository=repository)
        with load.open_load(who, repository=repository.number, settings=settings) as loader:
            loader.add(document("a.py"))
            loader.finish()


def raises(settings: Settings, who: TenantId) -> None:
    with contextlib.suppress(ZeroDivisionError), tenant_session(who, settings=settings):
        raise ZeroDivisionError


def is_interrupted(settings: Settings, who: TenantId) -> None:
    with contextlib.suppress(KeyboardInterrupt), tenant_session(who, settings=settings) as conn:
        conn.execute(text(TOUCH))
        raise KeyboardInterrupt


def is_refused(settings: Settings, who: TenantId) -> None:
    failing(StorageRefused, settings, who, TOUCH, "select 1 / 0")


def goes_on_after_an_error(settings: Settings, who: TenantId) -> None:
    """In a transaction that has failed nothing more can be asked."""

    def stubborn(conn: Connection) -> None:
        with contextlib.suppress(DBAPIError):
            conn.execute(text("select 1 / 0"))
        conn.execute(text(TOUCH))

    failing(StorageRefused, settings, who, stubborn)


def fails_at_the_commit(settings: Settings, who: TenantId) -> None:
    def register(conn: Connection) -> None:
        repositories.register(conn, url="https://example.test/b.git", name="b")

    seeding.allow(settings, who, repositories=1)
    failing(QuotaExceeded, settings, who, register)


def takes_too_long(settings: Settings, who: TenantId) -> None:
    failing(StorageError, settings, who, "set local statement_timeout = 30", "select pg_sleep(60)")


def waits_too_long(settings: Settings, who: TenantId) -> None:
    with psycopg.connect(str(settings.database_url)) as other:
        other.execute("set role codeloom_owner")
        other.execute("lock table codeloom.refs in access exclusive mode")
        failing(StorageError, settings, who, "set local lock_timeout = 30", "select * from refs")


def is_cancelled_by_the_server(settings: Settings, who: TenantId) -> None:
    interrupted(settings, who, "pg_cancel_backend")


def is_cut_off(settings: Settings, who: TenantId) -> None:
    interrupted(settings, who, "pg_terminate_backend")


def is_cut_off_while_idle(settings: Settings, who: TenantId) -> None:
    with tenant_session(who, settings=settings) as conn:
        backend = conn.execute(text("select pg_backend_pid()")).scalar_one()
    end(settings, backend, "pg_terminate_backend")


def is_cut_off_before_the_commit(settings: Settings, who: TenantId) -> None:
    def cut(conn: Connection) -> None:
        backend = conn.execute(text("select pg_backend_pid()")).scalar_one()
        end(settings, backend, "pg_terminate_backend")

    failing(StorageError, settings, who, TOUCH, cut)


def stops_reading_in_the_middle(settings: Settings, who: TenantId) -> None:
    query = text("select c.* from counters c, generate_series(1, 1000)")
    with (
        contextlib.suppress(ZeroDivisionError),
        tenant_session(who, settings=settings) as conn,
        contextlib.closing(conn.execution_options(yield_per=1).execute(query)) as rows,
    ):
        next(iter(rows))
        raise ZeroDivisionError


def is_thrown_away_half_read(settings: Settings, who: TenantId) -> None:
    """As a stream whose client has gone: the block is never left, only forgotten."""

    def streamed() -> Iterator[object]:
        with tenant_session(who, settings=settings) as conn:
            yield from conn.execute(text("select * from counters"))

    stream = streamed()
    next(stream)
    stream.close()


def takes_a_savepoint_back(settings: Settings, who: TenantId) -> None:
    with tenant_session(who, settings=settings) as conn:
        inner = conn.begin_nested()
        conn.execute(text(TOUCH))
        inner.rollback()
        conn.execute(text(TOUCH))


MISHAPS: tuple[Mishap, ...] = (
    raises,
    is_interrupted,
    is_refused,
    goes_on_after_an_error,
    fails_at_the_commit,
    takes_too_long,
    waits_too_long,
    is_cancelled_by_the_server,
    is_cut_off,
    is_cut_off_while_idle,
    is_cut_off_before_the_commit,
    stops_reading_in_the_middle,
    is_thrown_away_half_read,
    takes_a_savepoint_back,
)


@pytest.mark.parametrize("mishap", MISHAPS, ids=lambda mishap: mishap.__name__)
def test_whatever_happens_to_one_tenant_the_next_sees_its_own_only(
    mishap: Mishap, one: Settings, tenant: TenantId, stranger: TenantId
) -> None:
    for who, following in ((tenant, stranger), (stranger, tenant)):
        assert seen(one, who) == {who}
        mishap(one, who)
        assert seen(one, None) == set(), "without a tenant there are no rows"
        assert seen(one, following) == {following}
        assert engine(one, "app").pool.checkedout() == 0


def test_it_is_one_connection_that_all_of_them_had(
    one: Settings, tenant: TenantId, stranger: TenantId
) -> None:
    backends = set()
    for who in (tenant, stranger) * 5:
        with tenant_session(who, settings=one) as conn:
            backends.add(conn.execute(text("select pg_backend_pid()")).scalar_one())
    assert len(backends) == 1
    assert engine(one, "app").pool.checkedin() == 1


def test_a_second_session_waits_for_the_connection_and_gets_no_other(
    one: Settings, tenant: TenantId, stranger: TenantId
) -> None:
    """Many threads, one connection, both tenants: as requests come."""
    wrong: list[object] = []

    def work(who: TenantId) -> None:
        for _ in range(20):
            found = seen(one, who, tables=("jobs", "nodes"))
            if found != {who}:
                wrong.append((who, found))

    threads = [threading.Thread(target=work, args=(who,)) for who in (tenant, stranger) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def seen(
    settings: Settings, who: TenantId | None, tables: tuple[str, ...] | list[str] = TENANT_TABLES
) -> set[TenantId]:
    """Whose rows a session sees in any table."""
    query = " union ".join(f"select tenant_id from {table}" for table in readable(settings, tables))
    if who is None:
        with bare(engine(settings, "app")) as conn:
            return set(conn.execute(text(query)).scalars())
    with tenant_session(who, settings=settings) as conn:
        return set(conn.execute(text(query)).scalars())


def readable(settings: Settings, tables: tuple[str, ...] | list[str]) -> list[str]:
    allowed = text("select t from unnest(cast(:tables as text[])) t"
                   " where has_table_privilege(t, 'select')")  # fmt: skip
    with bare(engine(settings, "app")) as conn:
        return list(conn.execute(allowed, {"tables": list(tables)}).scalars())


@contextlib.contextmanager
def bare(pool: Engine) -> Iterator[Connection]:
    """The pool's connection as the one before has left it."""
    with pool.connect() as conn:
        yield conn


def failing(
    error: type[Exception],
    settings: Settings,
    who: TenantId,
    *steps: str | Callable[[Connection], None],
) -> None:
    """A session that ends with the error."""

    def run() -> None:
        with tenant_session(who, settings=settings) as conn:
            for step in steps:
                if isinstance(step, str):
                    conn.execute(text(step))
                else:
                    step(conn)

    with pytest.raises(error):
        run()


def end(settings: Settings, backend: int, function: str) -> None:
    with psycopg.connect(str(settings.database_url), autocommit=True) as other:
        other.execute(f"select {function}(%s)".encode(), [backend])
        if function == "pg_terminate_backend":
            there = "select from pg_stat_activity where pid = %s"
            while other.execute(there, [backend]).fetchone() is not None:
                time.sleep(0.01)


def interrupted(settings: Settings, who: TenantId, function: str) -> None:
    """A statement that is ended from outside while it runs."""
    with tenant_session(who, settings=settings) as conn:
        backend = conn.execute(text("select pg_backend_pid()")).scalar_one()

    def interrupt() -> None:
        with psycopg.connect(str(settings.database_url), autocommit=True) as other:
            busy = "select from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
            while other.execute(busy, [backend]).fetchone() is None:
                time.sleep(0.01)
            other.execute(f"select {function}(%s)".encode(), [backend])

    thread = threading.Thread(target=interrupt)
    thread.start()
    failing(StorageError, settings, who, "select pg_sleep(60)")
    thread.join()
