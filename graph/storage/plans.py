"""Plans: what tenants are on. They belong to the installation, not to any tenant.

Whatever a plan says is read where it is applied, so a change holds for every tenant on it: of a
request at once when its key is next looked up, of a job when it is next chosen or asked for.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, Text, select, update
from sqlalchemy.dialects.postgresql import JSONB, REAL, insert

from graph.errors import PlanAlreadyExists, PlanNotFound, TenantValidationError
from graph.model import limits as model
from graph.storage.schema import metadata

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

DEFAULT_PLAN = "standard"
CODE_PATTERN = r"^[a-z][a-z0-9_-]{0,49}$"
TITLE_LENGTH = 200
# Shares that differ by more are as good as none.
MIN_WEIGHT, MAX_WEIGHT = 0.001, 1_000_000.0

_CODE = re.compile(CODE_PATTERN)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tenant on it may use."""

    code: str
    title: str
    weight: float
    limits: Mapping[str, int]


def create(
    conn: Connection,
    *,
    code: str,
    title: str = "",
    weight: float = 1.0,
    limits: Mapping[str, object] | None = None,
) -> Plan:
    """A new plan, with nobody on it. Needs a session for `administration`.

    Raises PlanAlreadyExists, and TenantValidationError for a value that cannot be.
    """
    if _CODE.fullmatch(code) is None:
        raise TenantValidationError(
            "The code of a plan has up to 50 of a-z, 0-9, _ and -, and begins with a letter."
        )
    values = {"code": code, **_checked({"title": title, "weight": weight, "limits": limits or {}})}
    made = insert(plans).values(values).on_conflict_do_nothing().returning(plans)
    row = conn.execute(made).first()
    if row is None:
        raise PlanAlreadyExists
    return _plan(row)


def get(conn: Connection, *, code: str, lock: bool = False) -> Plan:
    """The plan; raises PlanNotFound. With `lock`, nobody else changes it meanwhile."""
    query = select(plans).where(plans.c.code == code)
    row = conn.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise PlanNotFound
    return _plan(row)


def list_page(conn: Connection, *, after: str | None = None, limit: int) -> list[Plan]:
    """A page of the plans, by code."""
    query = select(plans).order_by(plans.c.code).limit(limit)
    if after is not None:
        query = query.where(plans.c.code > after)
    return [_plan(row) for row in conn.execute(query)]


def limits_of(conn: Connection, *, codes: Collection[str]) -> dict[str, Mapping[str, int]]:
    """The limits of each of these plans that there is, by its code."""
    query = select(plans.c.code, plans.c.limits).where(plans.c.code.in_(codes))
    return {row.code: row.limits for row in conn.execute(query)}


def change(
    conn: Connection,
    *,
    code: str,
    title: str | None = None,
    weight: float | None = None,
    limits: Mapping[str, object] | None = None,
) -> Plan:
    """The plan with what was given; `limits` takes the place of all that it had.

    Raises PlanNotFound, and TenantValidationError for a value that cannot be.
    """
    given = {"title": title, "weight": weight, "limits": limits}
    values = _checked({name: value for name, value in given.items() if value is not None})
    if not values:
        return get(conn, code=code)
    changed = update(plans).where(plans.c.code == code).values(values).returning(plans)
    row = conn.execute(changed).first()
    if row is None:
        raise PlanNotFound
    return _plan(row)


def checked_limits(limits: Mapping[str, object]) -> dict[str, int]:
    """Limits as they may be stored; raises TenantValidationError with the first mistake."""
    try:
        return model.checked(limits)
    except ValueError as error:
        raise TenantValidationError(str(error)) from None


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    title: str = values.get("title", "")
    if len(title) > TITLE_LENGTH or "\0" in title:
        raise TenantValidationError(f"The title of a plan has up to {TITLE_LENGTH} characters.")
    weight: float = values.get("weight", 1.0)
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:  # nor what is no number
        raise TenantValidationError(
            f"The weight of a plan is from {MIN_WEIGHT} to {MAX_WEIGHT:,.0f}."
        )
    if "limits" in values:
        values["limits"] = checked_limits(values["limits"])
    return values


def _plan(row: Row[Any]) -> Plan:
    return Plan(code=row.code, title=row.title, weight=row.weight, limits=row.limits)
