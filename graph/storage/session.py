"""The only two ways to a row: as one tenant, or for a stated reason.

A tenant session tells the database whose transaction it is, for that transaction only (a setting
that outlived it would leak through the pool), and row-level security does the rest. A system
session never bypasses row-level security either: each reason has a role, and a policy of its own
on the few tables it is for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import Connection, text

from graph.errors import StorageError
from graph.model.ids import TenantId
from graph.settings import Settings, get_settings
from graph.storage.engine import Role, engine
from graph.storage.failures import translated

# The type of an open session, for rooms that may not know the library it is from.
__all__ = [
    "REASONS",
    "Connection",
    "Reason",
    "TenantRole",
    "in_tenant",
    "ping",
    "system_session",
    "tenant_of",
    "tenant_session",
]

TenantRole = Literal["app", "worker", "eraser", "maintainer"]
Reason = Literal["dispatch", "administration", "erasure", "maintenance"]

# Why rows of many tenants may be touched, and as which role. A new reason is a new row here and a
# policy in a migration.
REASONS: dict[Reason, Role] = {
    # Choosing the next jobs over all tenants, and taking them back from dead workers.
    "dispatch": "dispatcher",
    # Creating, listing and suspending tenants, on an operator's command.
    "administration": "operator",
    # Which tenants are to be erased; what is theirs is erased in a session of each.
    "erasure": "eraser",
    # Firing what runs by the clock, and removing what is past its time.
    "maintenance": "maintainer",
}

_SET_TENANT = text("select set_config('app.tenant_id', :tenant_id, true)")
_TENANT = "codeloom_tenant_id"


@contextmanager
def tenant_session(
    tenant_id: TenantId,
    *,
    role: TenantRole = "app",
    settings: Settings | None = None,
) -> Iterator[Connection]:
    """One transaction that sees and writes the rows of one tenant; committed at the end.

    Raises StorageError or StorageRefused for whatever the driver raises, also at the commit; then
    the transaction is rolled back.
    """
    with translated(), engine(settings or get_settings(), role).begin() as connection:
        yield in_tenant(connection, tenant_id)


def in_tenant(connection: Connection, tenant_id: TenantId) -> Connection:
    """The transaction of a system session, from now on that tenant's as well.

    For what an operator does to one tenant: its rows and the tenant's change together.
    """
    connection.execute(_SET_TENANT, {"tenant_id": str(tenant_id)})
    return connection.execution_options(**{_TENANT: tenant_id})


def tenant_of(connection: Connection) -> TenantId:
    """Whose session this is, for the explicit `tenant_id =` of a statement.

    Raises RuntimeError outside of `tenant_session`: a mistake in our code, never in a request.
    """
    tenant_id: TenantId | None = connection.get_execution_options().get(_TENANT)
    if tenant_id is None:
        raise RuntimeError("This statement needs a tenant session.")
    return tenant_id


@contextmanager
def system_session(reason: Reason, *, settings: Settings | None = None) -> Iterator[Connection]:
    """One transaction of the role that belongs to the reason; committed at the end.

    Raises what `tenant_session` raises.
    """
    with translated(), engine(settings or get_settings(), REASONS[reason]).begin() as connection:
        yield connection


def ping(settings: Settings | None = None) -> bool:
    """Whether the database answers."""
    try:
        with translated(), engine(settings or get_settings(), "app").connect() as connection:
            connection.execute(text("select 1"))
    except StorageError:
        return False
    return True
