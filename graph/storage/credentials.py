"""Credentials for private repositories: whom to be, towards which host.

The secret is sealed for its tenant and its row (see `graph.storage.keyring`) and leaves this room
in one way only, `open_secret`, for the one host that it is for. Neither the host nor the kind can
be changed: another host would be sent a secret that was never meant for it.
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import SecretStr
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from graph.errors import CodeloomError, TenantValidationError
from graph.model import hosts
from graph.model.ids import ApiKeyId, CredentialId, new_id
from graph.storage.keyring import Keyring, Place
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

CredentialKind = Literal["token", "basic"]

NAME_LENGTH = 200
USERNAME_LENGTH = 256
SECRET_LENGTH = 2048

credentials = Table(
    "credentials",
    metadata,
    tenant_column(),
    Column("credential_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # In its canonical form, with the port if it is not 443.
    Column("host", Text, nullable=False),
    Column("username", Text),
    Column("sealed", LargeBinary, nullable=False),
    # Which key of the keyring sealed it: what is to be sealed again is found without opening it.
    Column("sealed_with", Text, nullable=False),
    Column("created_by", Uuid),
    moment("created_at", default_now=True),
    moment("updated_at", default_now=True),
    moment("last_used_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    CheckConstraint("kind = 'token' or username is not null", name="username"),
)

# Whoever shows a credential has no use for what is sealed.
_SHOWN = [column for column in credentials.c if column is not credentials.c.sealed]

_USED = text("""
-- Note the use, at most once a minute, and without waiting for somebody who changes the row.
update credentials set last_used_at = now()
where (tenant_id, credential_id) in (
  select tenant_id, credential_id from credentials
  where tenant_id = :tenant_id and credential_id = :credential_id
    and (last_used_at is null or last_used_at < now() - interval '1 minute')
  for no key update skip locked
)
""")


class CredentialNotFound(CodeloomError):
    """There is no such credential."""

    code = "credential_not_found"
    kind = "not_found"


class CredentialHostMismatch(CodeloomError):
    """The credential is for another host."""

    code = "credential_host_mismatch"
    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as its tenant sees it; the secret is not shown again."""

    id: CredentialId
    name: str
    kind: CredentialKind
    host: str  # canonical, with the port if it is not 443
    username: str | None
    created_by: ApiKeyId | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenedSecret:
    """What is sent to the host."""

    kind: CredentialKind
    host: str
    username: str | None  # None: whatever the host wants besides a token
    secret: SecretStr = field(repr=False)


def create(
    conn: Connection,
    keyring: Keyring,
    *,
    name: str,
    kind: CredentialKind,
    host: str,
    username: str | None,
    secret: SecretStr,
    created_by: ApiKeyId | None = None,
) -> Credential:
    """A new credential of the tenant, its secret sealed.

    Raises TenantValidationError, which repeats nothing, for what cannot be a host, a user name or
    a secret.
    """
    _check(name=name, username=username, secret=secret)
    if kind == "basic" and username is None:
        raise TenantValidationError("A password needs a user name.")
    credential_id = CredentialId(new_id())
    values = {
        "tenant_id": tenant_of(conn),
        "credential_id": credential_id,
        "name": name,
        "kind": kind,
        "host": _canonical(host),
        "username": username,
        "created_by": created_by,
        **_sealed(conn, keyring, credential_id, secret),
    }
    return _credential(conn.execute(insert(credentials).values(values).returning(*_SHOWN)).one())


def get(conn: Connection, *, credential_id: CredentialId, lock: bool = False) -> Credential:
    """The credential; raises CredentialNotFound.

    With `lock`, nobody else changes it before the transaction ends.
    """
    query = _own(conn).where(credentials.c.credential_id == credential_id)
    return _credential(_found(conn.execute(query.with_for_update() if lock else query).first()))


def list_page(
    conn: Connection, *, after: CredentialId | None = None, limit: int
) -> list[Credential]:
    """A page of the tenant's credentials, oldest first."""
    query = _own(conn).order_by(credentials.c.credential_id).limit(limit)
    if after is not None:
        query = query.where(credentials.c.credential_id > after)
    return [_credential(row) for row in conn.execute(query)]


def change(
    conn: Connection,
    keyring: Keyring,
    *,
    credential_id: CredentialId,
    name: str | None = None,
    secret: SecretStr | None = None,
) -> Credential:
    """The credential with a new name, a new secret, or both; what is not given stays.

    Raises CredentialNotFound, TenantValidationError.
    """
    _check(name=name, secret=secret)
    if name is None and secret is None:
        return get(conn, credential_id=credential_id)
    # Never the same moment twice: a change must be seen also where nothing else shows it.
    tick = text("interval '1 microsecond'")
    values: dict[str, Any] = {
        "updated_at": func.greatest(func.now(), credentials.c.updated_at + tick)
    }
    if name is not None:
        values["name"] = name
    if secret is not None:
        values |= _sealed(conn, keyring, credential_id, secret)
    query = (
        update(credentials).where(*_which(conn, credential_id)).values(values).returning(*_SHOWN)
    )
    return _credential(_found(conn.execute(query).first()))


def remove(conn: Connection, *, credential_id: CredentialId) -> None:
    """The credential and its secret are gone. Raises CredentialNotFound."""
    query = delete(credentials).where(*_which(conn, credential_id)).returning(*_SHOWN)
    _found(conn.execute(query).first())


def open_secret(
    conn: Connection, credential_id: CredentialId, *, host: str, keyring: Keyring
) -> OpenedSecret:
    """What to show to the host, given with its port if that is not 443.

    Raises CredentialNotFound; CredentialHostMismatch for any other host, before anything is
    opened; SecretUnreadable and SecretKeyMissing.
    """
    query = select(credentials).where(*_which(conn, credential_id))
    row = _found(conn.execute(query).first())
    try:
        asking = hosts.canonical(host)
    except ValueError:
        raise CredentialHostMismatch from None
    if asking != row.host:
        raise CredentialHostMismatch
    secret = keyring.open(row.sealed, Place(tenant_of(conn), credential_id))
    conn.execute(_USED, {"tenant_id": tenant_of(conn), "credential_id": credential_id})
    return OpenedSecret(row.kind, row.host, row.username, secret)


def _check(
    *, name: str | None, username: str | None = None, secret: SecretStr | None = None
) -> None:
    if name is not None and (not 0 < len(name) <= NAME_LENGTH or "\0" in name):
        raise TenantValidationError(f"A credential's name has 1 to {NAME_LENGTH} characters.")
    if username is not None and not _fits(username, USERNAME_LENGTH, without=":"):
        raise TenantValidationError("A user name has no colon and no control characters.")
    if secret is not None and not _fits(secret.get_secret_value(), SECRET_LENGTH):
        raise TenantValidationError("A secret has no control characters and is not empty.")


def _fits(value: str, length: int, without: str = "") -> bool:
    """Whether git's line protocol and a header can carry it."""
    return 0 < len(value) <= length and not any(
        character in without or unicodedata.category(character) in {"Cc", "Cs"}
        for character in value
    )


def _canonical(host: str) -> str:
    try:
        return hosts.canonical(host)
    except ValueError:
        raise TenantValidationError(
            "The host is a name or an address, with a port if need be, and nothing else."
        ) from None


def _sealed(
    conn: Connection, keyring: Keyring, credential_id: CredentialId, secret: SecretStr
) -> dict[str, Any]:
    sealed = keyring.seal(secret, Place(tenant_of(conn), credential_id))
    return {"sealed": sealed.body, "sealed_with": sealed.key_id}


def _which(conn: Connection, credential_id: CredentialId) -> tuple[ColumnElement[bool], ...]:
    known = credentials.c
    return known.tenant_id == tenant_of(conn), known.credential_id == credential_id


def _own(conn: Connection) -> Select[Any]:
    return select(*_SHOWN).where(credentials.c.tenant_id == tenant_of(conn))


def _found(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise CredentialNotFound
    return row


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        id=CredentialId(row.credential_id),
        name=row.name,
        kind=row.kind,
        host=row.host,
        username=row.username,
        created_by=ApiKeyId(row.created_by) if row.created_by is not None else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_used_at=row.last_used_at,
    )
