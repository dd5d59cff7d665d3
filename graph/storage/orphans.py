"""Objects in the store that no row of their tenant names: what a killed worker left of its work.

An object is stored before its row is written, so a young one says nothing. An old one without a row
is rubbish that nobody will ever ask for; only the store still knows of it.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, LargeBinary, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from graph.model.ids import TenantId
from graph.storage.artifacts import ArtifactStore, StoredObject
from graph.storage.retention import AUDIT_KIND
from graph.storage.session import tenant_of

_KNOWN = text("""
select kind, sha256 from artifacts where tenant_id = :tenant_id and sha256 = any(:digests)
""").bindparams(bindparam("digests", type_=ARRAY(LargeBinary)))


def unnamed(conn: Connection, found: Iterable[StoredObject]) -> list[StoredObject]:
    """Those of the tenant's objects that no row names.

    The archive of its audit events is not among them: that is kept whatever happens.
    """
    named = {each.key.split("/", 2)[2]: each for each in found}
    digests = [bytes.fromhex(name.split("/")[1]) for name in named]
    rows = conn.execute(_KNOWN, {"tenant_id": tenant_of(conn), "digests": digests})
    known = {f"{row.kind}/{bytes(row.sha256).hex()}" for row in rows}
    return [
        each
        for name, each in named.items()
        if name not in known and not name.startswith(f"{AUDIT_KIND}/")
    ]


def old(
    store: ArtifactStore, tenant_id: TenantId, *, older_than_seconds: float
) -> Iterator[StoredObject]:
    """The tenant's objects that were stored, or wanted again, that long ago."""
    return (each for each in store.list(tenant_id) if each.age_seconds > older_than_seconds)


def remove(
    store: ArtifactStore, wanted: Iterable[StoredObject], *, older_than_seconds: float
) -> int:
    """How many were removed; not those that somebody has stored again meanwhile."""
    removed = 0
    for each in wanted:
        now = store.head(each.key)
        if now is not None and now.age_seconds > older_than_seconds:
            store.delete(each.key)
            removed += 1
    return removed
