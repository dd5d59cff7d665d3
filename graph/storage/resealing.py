"""Sealing everything again after the key that seals has changed.

Tenant by tenant, inside each one's session, in batches that are committed one by one: whatever
ends it in the middle, the next run goes on with what is left. Only the operator's view of which
key sealed what spans tenants; it shows no secret, sealed or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select, update

from graph.model.ids import CredentialId, TenantId
from graph.settings import Settings
from graph.storage.credentials import credentials
from graph.storage.keyring import Keyring, Place, SecretKeyMissing, SecretUnreadable
from graph.storage.session import Connection, system_session, tenant_of, tenant_session

BATCH = 100


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of some credentials of one tenant."""

    tenant_id: TenantId
    done: int
    # Damaged, or sealed with a key that is not in the keyring: they stay as they are.
    unreadable: tuple[CredentialId, ...]


def reseal(settings: Settings, keyring: Keyring, *, batch: int = BATCH) -> Iterator[Resealed]:
    """Every credential is sealed with the current key, except those that cannot be opened.

    Each item is committed when it is yielded.
    """
    tenant_id: TenantId | None = None
    while (tenant_id := _next_tenant(settings, keyring.current, tenant_id)) is not None:
        after: CredentialId | None = None
        while True:
            with tenant_session(tenant_id, settings=settings) as connection:
                found, after = _reseal_some(connection, keyring, after, batch)
            yield found
            if after is None:
                break


def sealed_by_key(settings: Settings) -> dict[str, int]:
    """How many credentials each key has sealed: a key that is not here can go."""
    query = select(credentials.c.sealed_with, func.count()).group_by(credentials.c.sealed_with)
    with system_session("administration", settings=settings) as connection:
        return dict(connection.execute(query).all())


def _next_tenant(settings: Settings, current: str, after: TenantId | None) -> TenantId | None:
    query = (
        select(credentials.c.tenant_id)
        .where(credentials.c.sealed_with != current)
        .order_by(credentials.c.tenant_id)
        .limit(1)
    )
    if after is not None:
        query = query.where(credentials.c.tenant_id > after)
    with system_session("administration", settings=settings) as connection:
        found = connection.execute(query).scalar_one_or_none()
    return TenantId(found) if found is not None else None


def _reseal_some(
    conn: Connection, keyring: Keyring, after: CredentialId | None, batch: int
) -> tuple[Resealed, CredentialId | None]:
    """The next credentials sealed again, and after which one to go on; None at the end."""
    tenant_id = tenant_of(conn)
    known = credentials.c
    query = (
        select(known.credential_id, known.sealed)
        .where(known.tenant_id == tenant_id, known.sealed_with != keyring.current)
        .order_by(known.credential_id)
        .limit(batch)
        .with_for_update()
    )
    if after is not None:
        query = query.where(known.credential_id > after)
    rows = conn.execute(query).all()
    unreadable = []
    for row in rows:
        place = Place(tenant_id, CredentialId(row.credential_id))
        try:
            sealed = keyring.seal(keyring.open(row.sealed, place), place)
        except (SecretUnreadable, SecretKeyMissing):
            unreadable.append(place.credential_id)
            continue
        which = (known.tenant_id == tenant_id, known.credential_id == place.credential_id)
        values = {"sealed": sealed.body, "sealed_with": sealed.key_id}
        conn.execute(update(credentials).where(*which).values(values))
    last = CredentialId(rows[-1].credential_id) if len(rows) == batch else None
    return Resealed(tenant_id, len(rows) - len(unreadable), tuple(unreadable)), last
