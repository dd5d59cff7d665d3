"""The demonstration tenant and its key, kept where the commands of this machine find it."""

from dataclasses import dataclass
from pathlib import Path

from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import keys, tenants
from graph.storage.audit import Target
from graph.storage.session import Connection, system_session
from service.cli import kept
from service.cli.acting import done_to
from service.deeds import COMMAND_LINE, Deed, carried_out

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
    tenant = _tenant(settings)

    def work(connection: Connection) -> tuple[Target, str]:
        made, secret = keys.create(
            connection, tenant_id=tenant, scopes=["admin"], name="command line"
        )
        return Target("api_key", str(made.id)), secret

    secret = done_to(settings, tenant, "create_api_key", work)
    return KeptKey(secret, kept.write(settings, secret), new=True)


def _tenant(settings: Settings) -> TenantId:
    with system_session("administration", settings=settings) as connection:
        for one in tenants.find_by_name(connection, name=DEMO_TENANT):
            if one.state != "erasing":
                return one.id
    deed = Deed(COMMAND_LINE, "create_tenant", details={"name": DEMO_TENANT})
    with carried_out(settings, deed) as connection:
        tenant = tenants.create(connection, name=DEMO_TENANT)
        deed.target = Target("tenant", str(tenant.id))
    return tenant.id
