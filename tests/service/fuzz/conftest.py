"""A running server with two tenants, for all requests that one worker of the run tries out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests

from tests import servers
from tests.conftest import _redis_url, _settings

if TYPE_CHECKING:
    from graph.settings import Settings
    from tests.service.fuzz.grounds import Grounds


@pytest.fixture(scope="module")
def fuzz_settings(
    module_database_url: str,
    real_servers: servers.Servers,
    worker_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> "Settings":
    folder = tmp_path_factory.mktemp("fuzz")
    made = _settings(module_database_url, _redis_url(real_servers, worker_name), folder)
    # How often one may ask is tried elsewhere; here it would only hide other answers.
    return made.model_copy(
        update={
            "log_level": "warning",
            "address_requests_per_minute": 10**9,
            "operator_requests_per_minute": 10**9,
            "limits_patience_seconds": 5.0,
        }
    )


@pytest.fixture(scope="module")
def grounds(
    fuzz_settings: "Settings",
    real_servers: servers.Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["Grounds"]:
    from graph.storage.engine import dispose
    from service.app import create_app
    from tests.service.fuzz.grounds import Grounds, apart
    from tests.service.isolation.building import built
    from tests.service.serving import serving

    name = str(fuzz_settings.database_url).rpartition("/")[2].partition("?")[0]
    with (
        psycopg.connect(real_servers.superuser_url, dbname=name, autocommit=True) as superuser,
        built(create_app(fuzz_settings), fuzz_settings, superuser) as world,
    ):
        apart(superuser, world)
    folder = tmp_path_factory.mktemp("server")
    with (
        serving(fuzz_settings, folder, module="tests.service.fuzz.hasty") as server,
        requests.Session() as session,
    ):
        yield Grounds(server, fuzz_settings, world, session)
        assert server.healthy(), server.log()
    dispose(fuzz_settings)
