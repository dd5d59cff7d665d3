"""Tenants and the plans they are on.

`plans` is the one table without a tenant: it holds what is sold, not what belongs to anyone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

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
)
from sqlalchemy.dialects.postgresql import JSONB, REAL

from graph.errors import TenantNotFound, TenantValidationError
from graph.model.ids import TenantId, new_id
from graph.storage.schema import metadata, moment

plans = Table(
    "plans",
    metadata,
    Column("code", Text, primary_key=True),
    Column("title", Text, nullable=False, server_default=""),
    # The tenant's share when workers are few.
    Column("weight", REAL, nullable=False, server_default="1"),
    # By name of the resource; what is not named has no limit. See `graph.model.limits`.
    Column("limits", JSONB, nullable=False, server_default="{}"),
)

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

DEFAULT_PLAN = "standard"
_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Tenant:
    """The customer boundary."""

    id: TenantId
    name: str
    plan: str
    state: TenantState
    created_at: datetime


def create(conn: Connection, *, name: str, plan: str = DEFAULT_PLAN) -> Tenant:
    """A new tenant, without keys or repositories. Needs a session for `administration`.

    Raises TenantValidationError for a name that is empty or too long and for an unknown plan.
    """
    name = name.strip()
    if not 0 < len(name) <= _NAME_LENGTH or "\0" in name:
        raise TenantValidationError(f"A tenant's name has 1 to {_NAME_LENGTH} characters.")
    if conn.execute(select(plans.c.code).where(plans.c.code == plan)).first() is None:
        raise TenantValidationError("There is no such plan.")
    values = {"tenant_id": new_id(), "name": name, "plan": plan}
    return _tenant(conn.execute(insert(tenants).values(values).returning(tenants)).one())


def get(conn: Connection, *, tenant_id: TenantId) -> Tenant:
    """The tenant; raises TenantNotFound, also for a tenant that the session may not see."""
    row = conn.execute(select(tenants).where(tenants.c.tenant_id == tenant_id)).first()
    if row is None:
        raise TenantNotFound
    return _tenant(row)


def find_by_name(conn: Connection, *, name: str) -> list[Tenant]:
    """The tenants of this name, oldest first: names are labels, not keys."""
    query = select(tenants).where(tenants.c.name == name).order_by(tenants.c.tenant_id)
    return [_tenant(row) for row in conn.execute(query)]


def list_all(conn: Connection, *, after: TenantId | None = None, limit: int = 100) -> list[Tenant]:
    """A page of the tenants that the session may see, oldest first."""
    query = select(tenants).order_by(tenants.c.tenant_id).limit(limit)
    if after is not None:
        query = query.where(tenants.c.tenant_id > after)
    return [_tenant(row) for row in conn.execute(query)]


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(
        id=TenantId(row.tenant_id),
        name=row.name,
        plan=row.plan,
        state=cast("TenantState", row.state),
        created_at=row.created_at,
    )
