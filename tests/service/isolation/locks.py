"""The two locks on a tenant's rows, and how to open either so that the other holds alone.

One is row-level security. The other is the condition on `tenant_id` that every statement of ours
has. A statement that relies on the first only is found by its plan, in which some table is read
without such a condition.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from sqlalchemy import event

from graph.settings import Settings
from graph.storage.engine import engine
from tests.service.isolation.world import TENANT_TABLES

Locks = Literal["both", "conditions alone", "policies alone", "none"]

# Roles that work inside one tenant.
ROLES = ("app", "worker", "eraser")
_TABLES = "|".join(TENANT_TABLES)
_TOUCHES = re.compile(
    rf"\b(?:from|join|update|using)\s+(?:codeloom\.)?({_TABLES})\b", re.IGNORECASE
)
_CONDITION = re.compile(r"(?:\b\w+\.)?\btenant_id\s*=\s*%\((\w+)\)s(?:::\w+)?", re.IGNORECASE)
_EXPLAINABLE = re.compile(r"\s*(?:--.*\n|\s)*(select|insert|update|delete|with)\b", re.IGNORECASE)


@dataclass
class Watch:
    """What was seen of the statements of both roles."""

    # Different statements that touch a table of tenants.
    statements: set[str] = field(default_factory=set)
    # Those of which a table is read without a condition on the tenant, with the table. Only told
    # where row-level security is off: else its own conditions stand in the plan.
    unconditional: set[tuple[str, str]] = field(default_factory=set)
    # How many conditions were made vacuous, and the statements in which none was or one is left.
    opened: int = 0
    closed: set[str] = field(default_factory=set)


def disable_policies(superuser: psycopg.Connection[Any]) -> None:
    """Row-level security judges nothing in this database any more."""
    for table in TENANT_TABLES:
        superuser.execute(f"alter table codeloom.{table} disable row level security".encode())


def touches_tenants(statement: str) -> bool:
    """Whether a statement is about a table of tenants."""
    return _TOUCHES.search(statement) is not None


@contextmanager
def watched(settings: Settings, *, vacuous: bool) -> Iterator[Watch]:
    """Every statement is looked at; with `vacuous`, its conditions on the tenant hold for all."""
    watch = Watch()

    def look(
        conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        if not touches_tenants(statement):
            return statement, values
        if vacuous:
            statement = _opened(watch, statement, values)
        elif statement not in watch.statements:
            _explain(watch, conn, statement, values)
        watch.statements.add(statement)
        return statement, values

    engines = [engine(settings, role) for role in ROLES]
    for each in engines:
        event.listen(each, "before_cursor_execute", look, retval=True)
    try:
        yield watch
    finally:
        for each in engines:
            event.remove(each, "before_cursor_execute", look)


def _opened(watch: Watch, statement: str, values: Any) -> str:
    rewritten, count = _CONDITION.subn("true", statement)
    watch.opened += count
    tenants = {name for name, value in values.items() if name.startswith("tenant")}
    # What an INSERT writes is judged by the policy; nothing else may still say whose rows it means.
    left = any(f"%({name})s" in rewritten for name in tenants) and "insert" not in rewritten.lower()
    if count == 0 or left:
        watch.closed.add(statement)
    return rewritten


def explained(conn: Any, statement: str, values: Any) -> list[dict[str, Any]]:
    """The nodes of the plan by which the statement would run now; none of what has no plan."""
    if _EXPLAINABLE.match(statement) is None:
        return []
    with conn.connection.cursor() as cursor:
        cursor.execute("explain (format json) " + statement, values)
        (plan,) = cursor.fetchone()[0]
    return list(_nodes(plan["Plan"]))


def _explain(watch: Watch, conn: Any, statement: str, values: Any) -> None:
    for node in explained(conn, statement, values):
        table = node.get("Relation Name")
        if table in TENANT_TABLES and node["Node Type"] != "ModifyTable":
            conditions = ("Index Cond", "Recheck Cond", "Filter", "Hash Cond")
            if not any("tenant_id" in str(node.get(each, "")) for each in conditions):
                watch.unconditional.add((table, statement))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)
