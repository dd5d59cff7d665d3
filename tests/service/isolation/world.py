"""Two tenants with twin data: the same names, addresses, numbers and idempotency keys.

Only one word differs, a mark of each tenant, which stands in every text that a tenant can write or
that is written about it. Whatever one tenant is answered must not hold the mark of the other.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from graph.model.ids import TenantId
from graph.queries.page import Key
from graph.settings import Settings
from graph.storage.tables import GLOBAL_TABLES, metadata
from tests.service.isolation.operations import Operation, operations
from tests.service.isolation.wire import Reply, Wire, ids_in

TENANT_TABLES = sorted(set(metadata.tables) - set(GLOBAL_TABLES))

# Columns that hold nothing of a tenant's own words, and why. All others have to hold the mark.
CLOSED = {
    "words of ours": (
        "artifacts.kind audit_events.action audit_events.actor_kind audit_events.code"
        " audit_events.outcome audit_events.target_kind charges.resource counters.name"
        " credentials.kind documents.language documents.skip_reason documents.status"
        " job_attempts.error_code job_attempts.outcome job_attempts.stage jobs.error_code"
        " jobs.kind jobs.stage jobs.state pending_artifacts.kind reservations.resource"
        " snapshots.pipeline tenants.plan tenants.state usage.resource"
    ),
    "hashes, ids and seals": (
        "api_keys.last_characters api_keys.secret_hash artifacts.sha256 audit_archives.sha256"
        " credentials.sealed credentials.sealed_with documents.blob_sha documents.fingerprint"
        " documents.key documents.resolution idempotency_records.fingerprint jobs.celery_task_id"
        " jobs.commit_sha pending_artifacts.sha256 snapshots.commit_sha snapshots.facts_packs"
        " snapshots.resolution snapshots.tree_sha"
    ),
    "numbers by words of ours": "tenants.limits api_keys.scopes",
}
NOT_FREE = {column for columns in CLOSED.values() for column in columns.split()}

# What rows are looked up by: the same for both tenants in one repository, and marked in another.
NATURAL = {
    "api_keys.name",
    "credentials.host",
    "credentials.name",
    "documents.display_path",
    "documents.path",
    "idempotency_records.body",
    "idempotency_records.idempotency_key",
    "jobs.flight",
    "jobs.ref",
    "nodes.name",
    "nodes.qualified_name",
    "refs.name",
    "repositories.default_ref",
    "repositories.name",
    "repositories.url",
    "snapshots.ref",
    "tenants.name",
}


@dataclass
class Side:
    """One of the tenants, or nobody at all: what its things are called in paths and values."""

    mark: str
    # By the names of parameters of paths: of the repository that both have, and of the other one.
    twin: dict[str, str]
    own: dict[str, str]
    # By the names of parameters of queries and of properties of bodies.
    words: dict[str, str]
    tenant_id: TenantId = field(default_factory=lambda: TenantId(uuid4()))
    # By their scope.
    keys: dict[str, str] = field(default_factory=dict)

    def idempotency_key(self, number: int) -> str:
        """One of many keys that this tenant has used."""
        return f"{self.mark}-{number}"


@dataclass
class World:
    """The tenants, the application that both ask, and a door for those who may see everything."""

    settings: Settings
    wire: Wire
    superuser: psycopg.Connection[Any]
    one: Side
    other: Side
    nobody: Side
    bad_keys: dict[str, str | None]
    suspended: str
    operator: str
    # Every id in every row of a tenant, by its mark.
    ids_of: dict[str, set[str]]
    # What stands in the cursors that were given out, before it is sealed.
    positions: list[tuple[Key, bytes]]

    def operations(self) -> list[Operation]:
        """What keys of tenants open."""
        found = operations(self.wire.app.openapi())
        return [each for each in found if not (each.is_open or each.is_of_operators)]

    def stranger(self, side: Side) -> Side:
        """The other one."""
        return self.one if side is self.other else self.other

    def ask(
        self,
        side: Side,
        operation: Operation,
        ids: Mapping[str, str],
        *,
        repeats: bool = False,
        **given: Any,
    ) -> Reply:
        """What a tenant is answered; never with a byte of the other one, nor is one logged.

        With `repeats`, the answer may hold the mark of the other one, because the request does.
        """
        before = len(self.wire.lines), len(self.positions)
        given = {"key": side.keys["admin"], "json": operation.sample_body(ids), **given}
        given["query"] = {**operation.required_query(ids), **given.get("query", {})}
        path = operation.at(ids)
        reply = self.wire.ask(operation.method, path, **given)
        assert reply.whole
        leaked = self.leaks(side, reply.text) - ({self.stranger(side).mark} if repeats else set())
        assert leaked == set(), f"{operation} {given} told {reply.text}"
        self._check_lines(side, self.wire.lines[before[0] :])
        for key, snapshot in self.positions[before[1] :]:
            assert self.leaks(side, f"{key!r} {snapshot.hex()}") == set()
        return reply

    def leaks(self, side: Side, text: str) -> set[str]:
        """What of the other tenant is in a text: its mark, or ids that were not sent by us."""
        stranger = self.stranger(side)
        found = {stranger.mark} if any(form in text for form in _forms(stranger.mark)) else set()
        return found | (ids_in(text) & self.ids_of[stranger.mark] - self.wire.sent)

    def digest(self, side: Side) -> dict[str, str]:
        """What every table holds of a tenant, to see that nothing of it was changed."""
        found = {}
        for table in TENANT_TABLES:
            query = sql.SQL(
                "select coalesce(md5(string_agg(t::text, ' ' order by t::text)), '')"
                " from {table} t where tenant_id = %s"
            ).format(table=sql.Identifier("codeloom", table))
            row = self.superuser.execute(query, [side.tenant_id]).fetchone()
            assert row is not None
            found[table] = row[0]
        return found

    def _check_lines(self, side: Side, lines: Sequence[str]) -> None:
        """Every line says whom it is for, and nothing else of any tenant."""
        assert lines
        for line in lines:
            assert json.loads(line)["tenant_id"] == str(side.tenant_id), line
            assert self.leaks(side, line) == set()
            for each in (self.one, self.other):
                assert each.mark not in line
                assert not any(key in line for key in each.keys.values())


@cache
def _forms(mark: str) -> tuple[str, ...]:
    """The mark as it may be written: as it is, in hexadecimal digits, or inside of base64."""
    # What stands before the mark shifts it by none, one or two bytes of a group of three.
    encoded = (base64.b64encode(b"x" * shift + mark.encode()).decode() for shift in range(3))
    return mark, mark.encode().hex(), *(each[4:-4] for each in encoded)


def columns(superuser: psycopg.Connection[Any], *types: str) -> list[tuple[str, str, str]]:
    """The columns of these types in tables of tenants: table, column, type."""
    rows = superuser.execute(
        "select table_name, column_name, udt_name from information_schema.columns"
        " where table_schema = 'codeloom' and table_name = any(%s) and udt_name = any(%s)"
        " order by 1, 2",
        [TENANT_TABLES, list(types)],
    )
    return rows.fetchall()


def texts(superuser: psycopg.Connection[Any]) -> list[tuple[str, str, str]]:
    """The columns that can hold text of a tenant."""
    found = columns(superuser, "text", "_text", "json", "jsonb", "bytea")
    return [each for each in found if f"{each[0]}.{each[1]}" not in NOT_FREE]


def unmarked(superuser: psycopg.Connection[Any], side: Side) -> list[str]:
    """Columns that can hold text of a tenant, and in no row hold its mark."""
    found = []
    for table, column, kind in texts(superuser):
        mark = "convert_to(%(mark)s, 'UTF8')" if kind == "bytea" else "%(mark)s::text"
        text = "{column}" if kind == "bytea" else "{column}::text"
        query = sql.SQL(
            "select exists (select from {table} where tenant_id = %(tenant)s"
            f" and position({mark} in {text}) > 0)"
        ).format(table=sql.Identifier("codeloom", table), column=sql.Identifier(column))
        values = {"tenant": side.tenant_id, "mark": side.mark}
        if superuser.execute(query, values).fetchone() != (True,):
            found.append(f"{table}.{column}")
    return found
