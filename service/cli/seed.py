"""The demonstration tenant and its key, kept where the commands of this machine find it."""

from dataclasses import dataclass
from pathlib import Path

from graph.settings import Settings
from graph.storage import keys, tenants
from graph.storage.session import system_session, tenant_session
from service.cli import kept

DEMO_TENANT = "demo"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key of the demonstration tenant and where it is kept."""

    secret: str
    path: Path
    new: bool


def ensure_key(settings: Settings) -> KeptKey:
    """A key that works, of the demonstration tenant; both are made if they are not there.

    The key is kept in the state directory, readable by its owner only. Raises StorageError when
    the database is away.
    """
    known = kept.read(settings)
    if known and keys.authenticate(settings, known) is not None:
        return KeptKey(known, kept.path_of(settings), new=False)
    with system_session("administration", settings=settings) as connection:
        found = tenants.find_by_name(connection, name=DEMO_TENANT)
        tenant = found[0] if found else tenants.create(connection, name=DEMO_TENANT)
    with tenant_session(tenant.id, settings=settings) as connection:
        _, secret = keys.create(
            connection,
            tenant_id=tenant.id,
            scopes=["admin"],
            name="command line",
        )
    return KeptKey(secret, kept.write(settings, secret), new=True)
