"""The demonstration tenant and its key, kept where the commands of this machine find it."""

import os
from dataclasses import dataclass
from pathlib import Path

from graph.settings import Settings
from graph.storage import keys, tenants
from graph.storage.session import system_session, tenant_session
from service.cli.client import KEY_FILE, kept_key

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
    path = settings.codeloom_home / KEY_FILE
    kept = kept_key(settings)
    if kept and keys.authenticate(settings, kept) is not None:
        return KeptKey(kept, path, new=False)
    with system_session("administration", settings=settings) as connection:
        known = tenants.find_by_name(connection, name=DEMO_TENANT)
        tenant = known[0] if known else tenants.create(connection, name=DEMO_TENANT)
    with tenant_session(tenant.id, settings=settings) as connection:
        _, secret = keys.create(
            connection,
            tenant_id=tenant.id,
            scopes=["admin"],
            name="command line",
        )
    _keep(path, secret)
    return KeptKey(secret, path, new=True)


def _keep(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written whole and closed to others from the first byte, then moved into place.
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    partial.replace(path)
