"""API keys of a tenant: made, rotated, revoked.

A key's secret is shown once, when it is made, and cannot be found again. A key has a reach: some
repositories, or all that the tenant has and will have. Whoever manages keys with a key of limited
reach does so `within` it: keys that reach further are not there.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, any_, func, insert, literal, or_, select, update

from graph.errors import (
    ApiKeyNotFound,
    CodeloomError,
    RepositoryNotFound,
    TenantValidationError,
)
from graph.model import key_form
from graph.model.ids import ApiKeyId, RepositoryId, TenantId, new_id
from graph.model.tenants import Scope
from graph.storage.callers import Caller, authenticate
from graph.storage.key_rows import ApiKey, Reach, api_keys, get, key_of, list_page
from graph.storage.repositories import repositories as known_repositories
from graph.storage.session import tenant_of

__all__ = [
    "MAX_LIFE",
    "MAX_OVERLAP",
    "ApiKey",
    "ApiKeyEnded",
    "Caller",
    "LastAdminKey",
    "Reach",
    "api_keys",
    "authenticate",
    "create",
    "expiry",
    "get",
    "keep_an_admin",
    "list_page",
    "new_secret",
    "revoke",
    "rotate",
    "well_formed",
]

MAX_LIFE = timedelta(days=3653)
MAX_OVERLAP = timedelta(days=30)
_NAME_LENGTH = 200


class ApiKeyEnded(CodeloomError):
    """The API key has expired or was revoked."""

    code = "api_key_ended"
    kind = "conflict"


class LastAdminKey(CodeloomError):
    """Without this API key nobody could administer the tenant."""

    code = "last_admin_key"
    kind = "conflict"


def new_secret() -> str:
    """A secret that nobody has."""
    return key_form.new_secret(key_form.TENANT_KEY)


def well_formed(secret: str) -> bool:
    """Whether this can be a key at all."""
    return key_form.well_formed(secret, key_form.TENANT_KEY)


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

    Raises TenantValidationError for a name of impossible length and for unknown or no scopes,
    RepositoryNotFound when the tenant lacks one of the repositories.
    """
    if not 0 < len(name) <= _NAME_LENGTH or "\0" in name:
        raise TenantValidationError(f"A key's name has 1 to {_NAME_LENGTH} characters.")
    reach = frozenset(repositories) if repositories is not None else None
    if reach is not None:
        _check_known(conn, reach)
    return _insert(
        conn,
        tenant_id=tenant_id,
        name=name,
        scopes=_checked(scopes),
        reach=reach,
        expires_at=expires_at,
        created_by=created_by,
    )


def expiry(conn: Connection, *, at: datetime | None, after: timedelta | None) -> datetime | None:
    """When a key ends that is made now, by the clock of the database: at a time, or after a time.

    Raises TenantValidationError unless that lies in the future, at most ten years ahead.
    """
    if at is None and after is None:
        return None
    now = _now(conn)
    ends = at if at is not None else now + (after or timedelta(0))
    if not now < ends <= now + MAX_LIFE:
        raise TenantValidationError("A key ends in the future, at most ten years ahead.")
    return ends


def keep_an_admin(conn: Connection, *, besides: ApiKeyId) -> None:
    """Nothing, if the tenant can still be administered when a key is revoked.

    Raises LastAdminKey if it is the last that is valid for everything. Two that are revoked at
    once, each in the belief that the other stays, wait for each other here.
    """
    query = (
        select(api_keys.c.key_id)
        .where(
            api_keys.c.tenant_id == tenant_of(conn),
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()),
            api_keys.c.repositories.is_(None),
            literal(Scope.ADMIN.value) == any_(api_keys.c.scopes),
        )
        .order_by(api_keys.c.key_id)
        .with_for_update()
    )
    if list(conn.execute(query).scalars()) == [besides]:
        raise LastAdminKey


def revoke(conn: Connection, *, key_id: ApiKeyId, within: Reach = None) -> ApiKey:
    """The key opens nothing any more; a second time changes nothing. Raises ApiKeyNotFound."""
    get(conn, key_id=key_id, within=within)
    revoked = {"revoked_at": func.coalesce(api_keys.c.revoked_at, func.now())}
    return _changed(conn, key_id, revoked)


def rotate(
    conn: Connection,
    *,
    key_id: ApiKeyId,
    overlap: timedelta,
    within: Reach = None,
    expires_at: datetime | None = None,
    created_by: ApiKeyId | None = None,
) -> tuple[ApiKey, str]:
    """A new key that may do the same, and its secret; the old one lasts for the overlap only.

    Unless told otherwise, the new one is given as much time as the old one was. Raises
    ApiKeyNotFound, and ApiKeyEnded for a key that is not valid or was replaced before.
    """
    old = get(conn, key_id=key_id, within=within, lock=True)
    now = _now(conn)
    if old.replaced_by is not None:
        raise ApiKeyEnded("The API key was rotated before: rotate the one in its place.")
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise ApiKeyEnded
    if expires_at is None and old.expires_at is not None:
        expires_at = now + (old.expires_at - old.created_at)
    made, secret = _insert(
        conn,
        tenant_id=tenant_of(conn),
        name=old.name,
        scopes=sorted(old.scopes),
        reach=old.repositories,
        expires_at=expires_at,
        created_by=created_by,
    )
    ends = func.least(api_keys.c.expires_at, now + overlap)
    _changed(conn, key_id, {"expires_at": ends, "replaced_by": made.id})
    return made, secret


def _insert(
    conn: Connection,
    *,
    tenant_id: TenantId,
    name: str,
    scopes: list[Scope],
    reach: Reach,
    expires_at: datetime | None,
    created_by: ApiKeyId | None,
) -> tuple[ApiKey, str]:
    secret = new_secret()
    values = {
        "tenant_id": tenant_id,
        "key_id": new_id(),
        "name": name,
        "secret_hash": key_form.digest(secret),
        "last_characters": secret[-4:],
        "scopes": scopes,
        "repositories": sorted(reach) if reach is not None else None,
        "expires_at": expires_at,
        "created_by": created_by,
    }
    row = conn.execute(insert(api_keys).values(values).returning(api_keys)).one()
    return key_of(row), secret


def _check_known(conn: Connection, reach: frozenset[RepositoryId]) -> None:
    known = known_repositories.c
    query = select(func.count()).where(
        known.tenant_id == tenant_of(conn),
        known.repository_id.in_(reach),
        known.deleted_at.is_(None),
    )
    if conn.execute(query).scalar_one() != len(reach):
        raise RepositoryNotFound


def _now(conn: Connection) -> datetime:
    now: datetime = conn.execute(select(func.now())).scalar_one()
    return now


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
    return key_of(row)


def _checked(scopes: Iterable[str]) -> list[Scope]:
    try:
        wanted = {Scope(scope) for scope in scopes}
    except ValueError:
        wanted = set()
    if not wanted:
        raise TenantValidationError(f"The scopes of a key are {', '.join(Scope)}.")
    return sorted(wanted)
