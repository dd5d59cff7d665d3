"""The API over this worker's database, with two tenants and their keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from tests.servers import Servers

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graph.model.ids import TenantId
    from graph.settings import Settings
    from tests.seeding import Shop


@dataclass(frozen=True)
class Member:
    """A tenant with a key of each scope."""

    tenant_id: "TenantId"
    read: str
    ingest: str
    admin: str


def make_tenant(settings: "Settings", name: str = "acme") -> Member:
    from graph.storage import keys, tenants
    from graph.storage.session import system_session, tenant_session

    with system_session("administration", settings=settings) as connection:
        tenant = tenants.create(connection, name=name)
    with tenant_session(tenant.id, settings=settings) as connection:
        secrets = [
            keys.create(connection, tenant_id=tenant.id, scopes=[scope], name=scope)[1]
            for scope in ("read", "ingest", "admin")
        ]
    return Member(tenant.id, *secrets)


def make_operator(settings: "Settings", name: str = "someone") -> str:
    """The key of an operator."""
    from graph.storage import operator_keys
    from graph.storage.session import system_session

    with system_session("administration", settings=settings) as connection:
        return operator_keys.create(connection, name=name)[1]


@pytest.fixture
def operator(settings: "Settings") -> str:
    return make_operator(settings)


@pytest.fixture(scope="session")
def server_settings(
    real_servers: Servers,
    database_url: str,
    worker_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> "Settings":
    """Settings for an API that several tests ask; see `tests.service.serving`."""
    from tests.conftest import _redis_url, _settings

    folder = tmp_path_factory.mktemp("server")
    return _settings(database_url, _redis_url(real_servers, worker_name), folder)


@pytest.fixture
def app(settings: "Settings") -> "FastAPI":
    from service.app import create_app

    return create_app(settings)


@pytest.fixture
def client(app: "FastAPI") -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def acme(settings: "Settings") -> Member:
    return make_tenant(settings, "acme")


@pytest.fixture
def rival(settings: "Settings") -> Member:
    return make_tenant(settings, "rival")


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def shop(settings: "Settings", acme: Member) -> "Shop":
    from tests import seeding

    return seeding.shop(settings, acme.tenant_id)
