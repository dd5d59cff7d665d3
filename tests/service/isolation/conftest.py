"""The two tenants, once for all tests of a module, behind either lock or both."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from tests import servers
from tests.conftest import _database, _redis_url, _settings

if TYPE_CHECKING:
    from graph.settings import Settings
    from tests.service.isolation.locks import Locks, Watch
    from tests.service.isolation.world import World


@pytest.fixture(scope="module")
def locks() -> "Locks":
    """Which locks are closed; a module that tries them one by one says so itself."""
    return "both"


@pytest.fixture(scope="module")
def scratch_url(
    real_servers: servers.Servers, migrated_template: str, locks: "Locks"
) -> Iterator[str]:
    """A migrated database for a module and a state of the locks."""
    with _database(real_servers, migrated_template, f"test_{uuid4().hex}") as url:
        yield url


@pytest.fixture(scope="module")
def superuser(
    real_servers: servers.Servers, scratch_url: str
) -> Iterator["psycopg.Connection[Any]"]:
    """The database as it is, whoever a row belongs to."""
    name = scratch_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(real_servers.superuser_url, dbname=name, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def module_settings(
    scratch_url: str,
    real_servers: servers.Servers,
    worker_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> "Settings":
    folder = tmp_path_factory.mktemp("isolation")
    made = _settings(scratch_url, _redis_url(real_servers, worker_name), folder)
    return made.model_copy(update={"log_format": "json", "log_level": "debug"})


@pytest.fixture(scope="module")
def watch(
    module_settings: "Settings", superuser: "psycopg.Connection[Any]", locks: "Locks"
) -> Iterator["Watch"]:
    from tests.service.isolation.locks import disable_policies, watched

    if locks in {"conditions alone", "none"}:
        disable_policies(superuser)
    with watched(module_settings, vacuous=locks in {"policies alone", "none"}) as found:
        yield found


@pytest.fixture(scope="module")
def world(
    module_settings: "Settings", superuser: "psycopg.Connection[Any]", watch: "Watch"
) -> Iterator["World"]:
    from graph.storage.engine import dispose
    from service.app import create_app
    from tests.service.isolation.building import built

    with built(create_app(module_settings), module_settings, superuser) as made:
        yield made
    dispose(module_settings)


@pytest.fixture
def conditioned(world: "World", watch: "Watch", locks: "Locks") -> Iterator[None]:
    """Whatever the test asks for, each statement has its own condition on the tenant."""
    yield
    assert watch.statements
    if locks == "conditions alone":
        assert watch.unconditional == set(), "give these tables a condition of their own"
    if locks == "policies alone":
        assert watch.opened > len(watch.statements)
        assert watch.closed == set(), "say `tenant_id = :...` so that it can be taken away"
