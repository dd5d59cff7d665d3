"""Tenants: who shares the installation, on which plan, and whether they may use it.

What changes many tenants' lives at once is in `plans`; what ends one is in `erasures`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Row,
    Table,
    Text,
    Uuid,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from graph.errors import TenantErasing, TenantNotFound, TenantValidationError
from graph.model.ids import TenantId, new_id
from graph.storage import signals
from graph.storage.plans import DEFAULT_PLAN, checked_limits, plans
from graph.storage.schema import metadata, moment

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan", Text, ForeignKey(plans.c.code), nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("suspended_reason", Text),
    # What goes before the limits of the plan.
    Column("limits", JSONB, nullable=False, server_default="{}"),
    moment("created_at", default_now=True),
)

TenantState = Literal["active", "suspended", "erasing"]

NAME_LENGTH = 200
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Tenant:
    """The customer boundary."""

    id: TenantId
    name: str
    plan: str
    state: TenantState
    suspended_reason: str | None
    limits: Mapping[str, int]  # its own, which go before those of the plan
    created_at: datetime


def create(
    conn: Connection,
    *,
    name: str,
    plan: str = DEFAULT_PLAN,
    limits: Mapping[str, object] | None = None,
) -> Tenant:
    """A new tenant, without keys or repositories. Needs a session for `administration`.

    Raises TenantValidationError for a name or limit that cannot be and for an unknown plan.
    """
    values = _checked(conn, {"name": name, "plan": plan, "limits": limits or {}})
    new = insert(tenants).values(tenant_id=new_id(), **values)
    return _tenant(conn.execute(new.returning(tenants)).one())


def get(conn: Connection, *, tenant_id: TenantId, lock: bool = False) -> Tenant:
    """The tenant; raises TenantNotFound, also for a tenant that the session may not see.

    With `lock`, nobody else changes it before the transaction ends.
    """
    query = select(tenants).where(tenants.c.tenant_id == tenant_id)
    # Not so strong that it would keep rows from being added that refer to the tenant.
    row = conn.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise TenantNotFound
    return _tenant(row)


def find_by_name(conn: Connection, *, name: str) -> list[Tenant]:
    """The tenants of this name, oldest first: names are labels, not keys."""
    query = select(tenants).where(tenants.c.name == name).order_by(tenants.c.tenant_id)
    return [_tenant(row) for row in conn.execute(query)]


def list_all(
    conn: Connection,
    *,
    after: UUID | None = None,
    limit: int = 100,
    name: str | None = None,
    plan: str | None = None,
    state: TenantState | None = None,
) -> list[Tenant]:
    """A page of the tenants that the session may see, oldest first."""
    query = select(tenants).order_by(tenants.c.tenant_id).limit(limit)
    for column, value in ((tenants.c.name, name), (tenants.c.plan, plan), (tenants.c.state, state)):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(tenants.c.tenant_id > after)
    return [_tenant(row) for row in conn.execute(query)]


def change(
    conn: Connection,
    *,
    tenant_id: TenantId,
    name: str | None = None,
    plan: str | None = None,
    limits: Mapping[str, object] | None = None,
) -> Tenant:
    """The tenant with what was given; `limits` takes the place of all that it had of its own.

    Raises TenantNotFound, TenantErasing, and TenantValidationError as `create` does.
    """
    given = {"name": name, "plan": plan, "limits": limits}
    values = _checked(conn, {key: value for key, value in given.items() if value is not None})
    return _changed(conn, tenant_id, values)


def suspend(conn: Connection, *, tenant_id: TenantId, reason: str) -> Tenant:
    """The tenant's keys open nothing, and its jobs wait, until it is resumed.

    A worker that runs one of its jobs gives it back at its next beat. Suspending again changes the
    reason. Raises TenantNotFound, TenantErasing, TenantValidationError for an impossible reason.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_LENGTH or "\0" in reason:
        raise TenantValidationError(f"A reason has 1 to {REASON_LENGTH} characters.")
    return _changed(conn, tenant_id, {"state": "suspended", "suspended_reason": reason})


def resume(conn: Connection, *, tenant_id: TenantId) -> Tenant:
    """All is as it was before the tenant was suspended; of an active tenant nothing changes.

    Raises TenantNotFound, TenantErasing.
    """
    tenant = _changed(conn, tenant_id, {"state": "active", "suspended_reason": None})
    signals.tell(conn)  # its jobs may be chosen
    return tenant


def _changed(conn: Connection, tenant_id: TenantId, values: dict[str, Any]) -> Tenant:
    tenant = get(conn, tenant_id=tenant_id, lock=True)
    if tenant.state == "erasing":
        raise TenantErasing
    if not values:
        return tenant
    query = update(tenants).where(tenants.c.tenant_id == tenant_id).values(values)
    return _tenant(conn.execute(query.returning(tenants)).one())


def _checked(conn: Connection, values: dict[str, Any]) -> dict[str, Any]:
    if "name" in values:
        values["name"] = name = values["name"].strip()
        if not 0 < len(name) <= NAME_LENGTH or "\0" in name:
            raise TenantValidationError(f"A tenant's name has 1 to {NAME_LENGTH} characters.")
    if "plan" in values:
        known = select(plans.c.code).where(plans.c.code == values["plan"])
        if conn.execute(known).first() is None:
            raise TenantValidationError("There is no such plan.")
    if "limits" in values:
        values["limits"] = checked_limits(values["limits"])
    return values


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(
        id=TenantId(row.tenant_id),
        name=row.name,
        plan=row.plan,
        state=cast("TenantState", row.state),
        suspended_reason=row.suspended_reason,
        limits=row.limits,
        created_at=row.created_at,
    )
