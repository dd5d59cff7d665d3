"""What every test may ask for: a real database, a real broker, settings that point at them.

`database_url` and `redis_url` belong to one xdist worker, so tests of different workers never
meet; tests of one worker share the database and make their own tenants. A test that must be
alone in a database asks for `fresh_database_url`.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import redis
from psycopg import sql

from tests import servers

if TYPE_CHECKING:
    from graph.settings import Settings

LEADER = "CODELOOM_TEST_LEADER"
TEMPLATE = "codeloom_template"
OWNER = "codeloom"


# How long an example takes says how busy the machine is, and nothing else.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the workers who leads the run: the servers live as long as that process."""
    if not hasattr(config, "workerinput"):
        os.environ[LEADER] = str(os.getpid())
    # A run in the background, as CI may start one, ignores these, and so would all that is started
    # here: a stack that honours `nohup` would then not stop when a test asks it to.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_servers() -> servers.Servers:
    """The PostgreSQL and the Valkey of this run, shared by all its workers."""
    return servers.of_run(int(os.environ[LEADER]))


@pytest.fixture(scope="session")
def migrated_template(
    real_servers: servers.Servers, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of a database that has every migration and no row; made once a run."""
    from graph.storage import migrate

    with _administrator(real_servers) as connection:
        # Held by one worker while it makes the template; the others find it made.
        connection.execute("select pg_advisory_lock(1)")
        query = "select 1 from pg_database where datname = %s and datistemplate"
        if connection.execute(query, [TEMPLATE]).fetchone() is None:
            connection.execute(f"drop database if exists {TEMPLATE}")
            connection.execute(f"create database {TEMPLATE} owner {OWNER}")
            url = real_servers.login_url.format(database=TEMPLATE)
            migrate.upgrade(_settings(url, _redis_url(real_servers), tmp_path_factory.mktemp("m")))
            connection.execute(
                f"alter database {TEMPLATE} is_template true allow_connections false"
            )
    return TEMPLATE


@pytest.fixture(scope="session")
def database_url(
    real_servers: servers.Servers, migrated_template: str, worker_name: str
) -> Iterator[str]:
    """A migrated database of this worker, as a login that may own, migrate and become any role."""
    with _database(real_servers, migrated_template, f"test_{worker_name}") as url:
        yield url


@pytest.fixture
def fresh_database_url(real_servers: servers.Servers, migrated_template: str) -> Iterator[str]:
    """A migrated database of this test alone, dropped at its end."""
    with _database(real_servers, migrated_template, f"test_{uuid4().hex}") as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(real_servers: servers.Servers, migrated_template: str) -> Iterator[str]:
    """A migrated database of one module of tests, dropped at its end."""
    with _database(real_servers, migrated_template, f"test_{uuid4().hex}") as url:
        yield url


@pytest.fixture
def empty_database_url(real_servers: servers.Servers) -> Iterator[str]:
    """A database without any migration, of this test alone, dropped at its end."""
    with _database(real_servers, "template0", f"test_{uuid4().hex}") as url:
        yield url


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """`gw0`, `gw1`, ... under xdist, `main` without."""
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


@pytest.fixture
def redis_url(real_servers: servers.Servers, worker_name: str) -> str:
    """An empty database of this worker in the real Valkey."""
    url = _redis_url(real_servers, worker_name)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> "Settings":
    """Settings on this worker's database and broker, with an artifact store of this test."""
    return _settings(database_url, redis_url, tmp_path)


def _settings(database_url: str, redis_url: str, folder: Path) -> "Settings":
    from graph.settings import Settings

    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        artifacts_url=f"file://{folder / 'artifacts'}",
        codeloom_home=folder / "home",
        allow_local_repositories=True,
        # Tests knock with keys that nobody knows, all from one address.
        address_requests_per_minute=1_000_000,
        # A machine that runs tests beside each other is late now and then; what it counts matters.
        limits_patience_seconds=5,
    )


def _redis_url(real_servers: servers.Servers, worker_name: str = "main") -> str:
    number = int(worker_name.removeprefix("gw")) + 1 if worker_name.startswith("gw") else 0
    return real_servers.redis_url.format(number=number)


def _administrator(real_servers: servers.Servers) -> psycopg.Connection:
    return psycopg.connect(real_servers.superuser_url, autocommit=True)


@contextmanager
def _database(real_servers: servers.Servers, template: str, name: str) -> Iterator[str]:
    identifiers = {
        "name": sql.Identifier(name),
        "template": sql.Identifier(template),
        "owner": sql.Identifier(OWNER),
    }
    create = sql.SQL("create database {name} template {template} owner {owner}")
    with _administrator(real_servers) as connection:
        connection.execute(create.format(**identifiers))
    url = real_servers.login_url.format(database=name)
    assert urlsplit(url).path == f"/{name}"
    yield url
    with _administrator(real_servers) as connection:
        connection.execute(sql.SQL("drop database {name} with (force)").format(**identifiers))
