"""Two tenants, each with a repository, and the doors to their rows."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import repositories, tenants
from graph.storage.repositories import Repository
from graph.storage.session import Connection, TenantRole, system_session, tenant_session

Session = Callable[..., AbstractContextManager[Connection]]


@pytest.fixture
def tenant(settings: Settings) -> TenantId:
    return new_tenant(settings, "acme")


@pytest.fixture
def stranger(settings: Settings) -> TenantId:
    return new_tenant(settings, "other")


@pytest.fixture
def session(settings: Settings, tenant: TenantId) -> Session:
    """Opens a session of the tenant, or of another one."""

    def opened(
        who: TenantId = tenant, role: TenantRole = "app"
    ) -> AbstractContextManager[Connection]:
        return tenant_session(who, role=role, settings=settings)

    return opened


@pytest.fixture
def repository(session: Session) -> Repository:
    with session() as conn:
        return repositories.register(conn, url="https://example.test/a.git", name="a")


def new_tenant(settings: Settings, name: str) -> TenantId:
    with system_session("administration", settings=settings) as conn:
        return tenants.create(conn, name=name).id
