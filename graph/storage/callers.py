"""From the key that a request shows to the caller that it stands for.

The look-up runs before a tenant is known. It is the one function for tenants' keys that reads over
all tenants, and it belongs to a role that can do nothing else.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from graph.errors import TenantSuspended
from graph.model import key_form
from graph.model.ids import ApiKeyId, RepositoryId, TenantId
from graph.model.tenants import Scope, included
from graph.settings import Settings
from graph.storage.engine import engine
from graph.storage.failures import translated
from graph.storage.plans import DEFAULT_PLAN

_AUTHENTICATE = text("""
select tenant_id, key_id, scopes, repositories, expires_at, tenant_state, suspended_reason, plan,
  requests_per_minute, key_requests_per_minute
from authenticate(:hash)
""")


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


def authenticate(settings: Settings, secret: str) -> Caller | None:
    """The caller of a key; None when it is malformed, unknown, expired or revoked.

    Raises TenantSuspended for a valid key of a suspended tenant, StorageError when the database
    is away.
    """
    if not key_form.well_formed(secret, key_form.TENANT_KEY):
        return None
    with translated(), engine(settings, "authenticator").begin() as connection:
        row = connection.execute(_AUTHENTICATE, {"hash": key_form.digest(secret)}).first()
    if row is None:
        return None
    if row.tenant_state != "active":
        raise TenantSuspended(_why(row.tenant_state, row.suspended_reason))
    reach = row.repositories
    return Caller(
        tenant_id=TenantId(row.tenant_id),
        key_id=ApiKeyId(row.key_id),
        scopes=included(row.scopes),
        repositories=frozenset(map(RepositoryId, reach)) if reach is not None else None,
        plan=row.plan,
        expires_at=row.expires_at,
        requests_per_minute=row.requests_per_minute,
        key_requests_per_minute=row.key_requests_per_minute,
    )


def _why(state: str, reason: str | None) -> str | None:
    if state == "erasing":
        return "The tenant is being erased."
    return f"The tenant is suspended: {reason}" if reason else None
