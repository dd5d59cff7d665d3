"""API keys: what a caller shows, and what it may do.

A key is a prefix that secret scanners know, 36 random characters and a checksum, so that a typing
error costs no look-up. Only its SHA-256 is kept: 214 random bits need no slow hash, and a slow
hash on every request would be an attack on ourselves.

The look-up runs before a tenant is known. It is the one function of the database that reads over
all tenants, and it belongs to a role that can do nothing else.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from graph.errors import ApiKeyNotFound, TenantSuspended, TenantValidationError
from graph.model.ids import ApiKeyId, RepositoryId, TenantId, new_id
from graph.model.tenants import Scope, included
from graph.settings import Settings
from graph.storage.engine import engine
from graph.storage.failures import translated
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of
from graph.storage.tenants import DEFAULT_PLAN

api_keys = Table(
    "api_keys",
    metadata,
    tenant_column(),
    Column("key_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("last_characters", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    # Null means every repository of the tenant.
    Column("repositories", ARRAY(Uuid)),
    Column("created_by", Uuid),
    moment("created_at", default_now=True),
    moment("expires_at"),
    moment("revoked_at"),
    moment("last_used_at"),
    # The key that a rotation made in the place of this one.
    Column("replaced_by", Uuid),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
# Not unique and not led by the tenant, because the look-up does not know it. A unique index would
# tell one tenant that another has the same hash.
Index("api_keys_secret_hash", api_keys.c.secret_hash)

PREFIX = "cl_live_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 36
_CHECKSUM_LENGTH = 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")
_NAME_LENGTH = 200

_AUTHENTICATE = text("""
select tenant_id, key_id, scopes, repositories, expires_at, tenant_state, suspended_reason, plan,
  requests_per_minute, key_requests_per_minute
from authenticate(:hash)
""")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its tenant sees it; the secret is shown once, when it is made."""

    id: ApiKeyId
    name: str
    last_characters: str
    scopes: frozenset[Scope]
    repositories: frozenset[RepositoryId] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is making a request, and what they may do."""

    tenant_id: TenantId
    key_id: ApiKeyId
    scopes: frozenset[Scope]  # with all that they include
    repositories: frozenset[RepositoryId] | None  # None: all of the tenant's
    plan: str = DEFAULT_PLAN
    expires_at: datetime | None = None
    # What the whole tenant, and what this key alone, may ask in a minute; None: without a limit.
    requests_per_minute: int | None = None
    key_requests_per_minute: int | None = None


def new_secret() -> str:
    """A secret that nobody has; the checksum makes a typing error visible without a look-up."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def well_formed(secret: str) -> bool:
    """Whether this can be a key at all: its form and its checksum are right."""
    return (
        _FORM.fullmatch(secret) is not None
        and _checksum(secret[:-_CHECKSUM_LENGTH]) == secret[-_CHECKSUM_LENGTH:]
    )


def authenticate(settings: Settings, secret: str) -> Caller | None:
    """The caller of a key; None when it is malformed, unknown, expired or revoked.

    Raises TenantSuspended for a valid key of a suspended tenant, StorageError when the database
    is away.
    """
    if not well_formed(secret):
        return None
    with translated(), engine(settings, "authenticator").begin() as connection:
        row = connection.execute(_AUTHENTICATE, {"hash": _hash(secret)}).first()
    if row is None:
        return None
    if row.tenant_state != "active":
        raise TenantSuspended(_why(row.suspended_reason))
    return Caller(
        tenant_id=TenantId(row.tenant_id),
        key_id=ApiKeyId(row.key_id),
        scopes=included(row.scopes),
        repositories=_repositories(row.repositories),
        plan=row.plan,
        expires_at=row.expires_at,
        requests_per_minute=row.requests_per_minute,
        key_requests_per_minute=row.key_requests_per_minute,
    )


def _why(reason: str | None) -> str | None:
    return f"The tenant is suspended: {reason}" if reason else None


def create(
    conn: Connection,
    *,
    tenant_id: TenantId,
    scopes: Iterable[str],
    name: str = "key",
    repositories: Iterable[RepositoryId] | None = None,
    expires_at: datetime | None = None,
    created_by: ApiKeyId | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which cannot be found again. Needs a session of the tenant.

    Raises TenantValidationError for a name of impossible length and for unknown or no scopes.
    """
    if not 0 < len(name) <= _NAME_LENGTH or "\0" in name:
        raise TenantValidationError(f"A key's name has 1 to {_NAME_LENGTH} characters.")
    secret = new_secret()
    values = {
        "tenant_id": tenant_id,
        "key_id": new_id(),
        "name": name,
        "secret_hash": _hash(secret),
        "last_characters": secret[-4:],
        "scopes": _checked(scopes),
        "repositories": list(repositories) if repositories is not None else None,
        "expires_at": expires_at,
        "created_by": created_by,
    }
    row = conn.execute(insert(api_keys).values(values).returning(api_keys)).one()
    return _key(row), secret


def get(conn: Connection, *, key_id: ApiKeyId) -> ApiKey:
    """The key; raises ApiKeyNotFound."""
    row = conn.execute(_own(conn).where(api_keys.c.key_id == key_id)).first()
    if row is None:
        raise ApiKeyNotFound
    return _key(row)


def list_page(conn: Connection, *, after: ApiKeyId | None = None, limit: int) -> list[ApiKey]:
    """A page of the tenant's keys, oldest first, also expired and revoked ones."""
    query = _own(conn).order_by(api_keys.c.key_id).limit(limit)
    if after is not None:
        query = query.where(api_keys.c.key_id > after)
    return [_key(row) for row in conn.execute(query)]


def revoke(conn: Connection, *, key_id: ApiKeyId) -> ApiKey:
    """The key opens nothing any more; a second time changes nothing. Raises ApiKeyNotFound."""
    revoked = {"revoked_at": func.coalesce(api_keys.c.revoked_at, func.now())}
    return _changed(conn, key_id, revoked)


def rotate(
    conn: Connection, *, key_id: ApiKeyId, overlap: timedelta, created_by: ApiKeyId | None = None
) -> tuple[ApiKey, str]:
    """A new key that may do the same, and its secret; the old one lasts for the overlap only.

    Raises ApiKeyNotFound.
    """
    old = get(conn, key_id=key_id)
    ends = func.now() + overlap
    _changed(conn, key_id, {"expires_at": func.least(api_keys.c.expires_at, ends)})
    return create(
        conn,
        tenant_id=tenant_of(conn),
        scopes=old.scopes,
        name=old.name,
        repositories=old.repositories,
        created_by=created_by,
    )


def _own(conn: Connection) -> Select[Any]:
    return select(api_keys).where(api_keys.c.tenant_id == tenant_of(conn))


def _changed(conn: Connection, key_id: ApiKeyId, values: dict[str, Any]) -> ApiKey:
    query = (
        update(api_keys)
        .where(api_keys.c.tenant_id == tenant_of(conn), api_keys.c.key_id == key_id)
        .values(values)
        .returning(api_keys)
    )
    row = conn.execute(query).first()
    if row is None:
        raise ApiKeyNotFound
    return _key(row)


def _checked(scopes: Iterable[str]) -> list[str]:
    try:
        wanted = {Scope(scope) for scope in scopes}
    except ValueError:
        wanted = set()
    if not wanted:
        raise TenantValidationError(f"The scopes of a key are {', '.join(Scope)}.")
    return sorted(wanted)


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    characters = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        characters = _ALPHABET[digit] + characters
    return characters


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _scopes(stored: list[str]) -> frozenset[Scope]:
    return frozenset(Scope(scope) for scope in stored)


def _repositories(stored: list[UUID] | None) -> frozenset[RepositoryId] | None:
    return frozenset(RepositoryId(each) for each in stored) if stored is not None else None


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=ApiKeyId(row.key_id),
        name=row.name,
        last_characters=row.last_characters,
        scopes=_scopes(row.scopes),
        repositories=_repositories(row.repositories),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
