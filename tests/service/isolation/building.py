"""Fills a database with the two tenants, through the doors of the product wherever it has one."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from fastapi import FastAPI
from psycopg import sql
from pydantic import SecretStr

from graph.model import names
from graph.model.ids import TenantId
from graph.model.nodes import NodeKind
from graph.queries.page import Binding, Cursors, Key
from graph.settings import Settings
from graph.storage import credentials, jobs, keyring, keys, tenants
from graph.storage.session import system_session, tenant_session
from service.shapes import symbol_id
from tests import seeding
from tests.service.conftest import make_operator
from tests.service.isolation.wire import Wire, connected
from tests.service.isolation.world import NATURAL, Side, World, columns, texts

# Both tenants used this idempotency key for the same request.
TWIN_KEY = "the-same-idempotency-key"
TWIN_REQUEST = {"url": "https://example.org/kept", "name": "kept"}
# As many idempotency keys as there may be operations to try them with.
SPARE_KEYS = 100

# Rows that no door of the product makes as they are wanted here.
ROWS = (
    """insert into artifacts (tenant_id, kind, sha256, size_bytes)
    values (%(tenant)s, 'facts', sha256(convert_to(%(mark)s, 'UTF8')), 7)""",
    """insert into audit_archives (tenant_id, sha256, size_bytes, events, first_at, last_at)
    values (%(tenant)s, sha256(convert_to(%(mark)s, 'UTF8')), 7, 1, now(), now())""",
    """update repositories set default_ref = %(mark)s
    where tenant_id = %(tenant)s and name = %(mark)s""",
    """update snapshots set ref = %(mark)s
    where tenant_id = %(tenant)s and commit_sha <> repeat('1', 40)""",
    f"""insert into idempotency_records
      (tenant_id, idempotency_key, fingerprint, status, headers, body, expires_at)
    select %(tenant)s, %(mark)s || '-' || g, sha256('x'), 201, '{{}}',
      convert_to('{{"name": "' || %(mark)s || '"}}', 'UTF8'), now() + interval '1 day'
    from generate_series(1, {SPARE_KEYS}) g""",
)
# How a text of a column is marked, by the column's type.
MARKED = {
    "text": "coalesce({column} || ' ', '') || %(mark)s",
    "_text": "array_append({column}, %(mark)s)",
    "json": "json_build_object('mark', %(mark)s::text)",
    "jsonb": "coalesce({column}, '{{}}') || jsonb_build_object('mark', %(mark)s::text)",
    "bytea": "{column} || convert_to(%(mark)s, 'UTF8')",
}


@contextmanager
def built(app: FastAPI, settings: Settings, superuser: psycopg.Connection[Any]) -> Iterator[World]:
    """The world, with everything in it."""
    # How often one may ask is not what is tried here.
    superuser.execute("update codeloom.plans set limits = '{}'")
    with connected(app) as wire:
        one, other = [_tenant(settings, wire, f"sentinel{secrets.token_hex(8)}") for _ in range(2)]
        for side in (one, other):
            _mark(superuser, side)
        world = World(
            settings=settings,
            wire=wire,
            superuser=superuser,
            one=one,
            other=other,
            nobody=_nobody(other),
            bad_keys=_bad_keys(settings, one),
            suspended=_suspended(settings),
            operator=make_operator(settings),
            ids_of={side.mark: _ids_in_rows(superuser, side) for side in (one, other)},
            positions=_recorded(app.state.backend.cursors),
        )
        yield world


def guest(world: World) -> Side:
    """One more tenant, for what leaves something behind."""
    with system_session("administration", settings=world.settings) as connection:
        tenant_id = tenants.create(connection, name="guest").id
    twin = place(world.settings, tenant_id, "twin")
    with tenant_session(tenant_id, settings=world.settings) as connection:
        _, admin = keys.create(connection, tenant_id=tenant_id, scopes=["admin"])
    return Side(f"guest{tenant_id.hex}", twin, {}, {}, tenant_id, {"admin": admin})


def place(settings: Settings, tenant_id: TenantId, name: str) -> dict[str, str]:
    """A repository with all that belongs to it: what the parameters of paths are there."""
    shop = seeding.shop(settings, tenant_id, name)
    return {
        "repository_id": str(shop.repository.id),
        "snapshot_id": str(shop.snapshot.id),
        "job_id": str(shop.snapshot.job_id),
        "task_id": names.task_id(shop.snapshot.job_id, 1),
        "symbol_id": symbol_id(shop.add),
        "path": "src/cart.py",
        "api_key_id": str(shop.key_id),
        "credential_id": str(shop.credential_id),
    }


def _tenant(settings: Settings, wire: Wire, mark: str) -> Side:
    with system_session("administration", settings=settings) as connection:
        tenant_id = tenants.create(connection, name=mark).id
    # The same numbers on both sides, so the same ids of symbols and documents.
    twin = place(settings, tenant_id, "twin")
    own = _own(settings, tenant_id, mark)
    with tenant_session(tenant_id, settings=settings) as connection:
        secret = {
            scope: keys.create(connection, tenant_id=tenant_id, scopes=[scope], name=scope)[1]
            for scope in ("read", "ingest", "admin")
        }
    side = Side(mark, twin, own, _words(mark, twin, own), tenant_id, secret)
    _write(wire, side)
    return side


def _words(mark: str, twin: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    """What a tenant writes where a text or an id is asked for."""
    return {
        "actor_id": own["api_key_id"],
        "commit": _commit(mark),
        "default_ref": mark,
        "host": f"{mark}.example.org",
        "name": mark,
        "path": f"src/{mark}.py",
        "q": mark,
        "ref": mark,
        "repositories": twin["repository_id"],
        "repository_id": twin["repository_id"],
        "snapshot": twin["snapshot_id"],
        "target_id": twin["repository_id"],
        "url": f"https://example.org/{mark}",
        "username": mark,
    }


def _own(settings: Settings, tenant_id: TenantId, mark: str) -> dict[str, str]:
    """A repository that only this tenant has, a job that failed, and what else bears its mark."""
    repository = seeding.register(settings, tenant_id, mark)
    page = seeding.Page(repository.number, f"src/{mark}.py")
    made = page.define(f"{mark}.{mark}", 3, kind=NodeKind.METHOD)
    page.link(page.file, made, 9)
    heads = ("HEAD", mark)
    snapshot = seeding.ingest(
        settings, tenant_id, repository, [page], commit=_commit(mark), heads=heads
    )
    job_id, epoch = seeding.start(settings, tenant_id, repository)
    with tenant_session(tenant_id, role="worker", settings=settings) as connection:
        jobs.fail(connection, job_id=job_id, epoch=epoch, code="host_unreachable", message=mark)
    with tenant_session(tenant_id, settings=settings) as connection:
        # One that waits, for a branch that bears the mark.
        jobs.request(connection, repository=repository, ref=mark)
        key, _ = keys.create(connection, tenant_id=tenant_id, scopes=["read"], name=mark)
        credential = credentials.create(
            connection,
            keyring.of(settings),
            name=mark,
            kind="basic",
            host=f"{mark}.example.org",
            username=mark,
            secret=SecretStr("nobody's"),
        )
    return {
        "repository_id": str(repository.id),
        "snapshot_id": str(snapshot.id),
        "job_id": str(job_id),
        "task_id": names.task_id(job_id, epoch),
        "symbol_id": symbol_id(made),
        "path": f"src/{mark}.py",
        "api_key_id": str(key.id),
        "credential_id": str(credential.id),
    }


def _write(wire: Wire, side: Side) -> None:
    """What writes over HTTP leave behind: audit events and kept answers, some of them twins."""
    named = {"x-request-id": f"{side.mark}-request"}
    own = {"url": f"https://example.org/{side.mark}-kept", "name": side.mark}
    for body, key in ((TWIN_REQUEST, TWIN_KEY), (own, side.mark)):
        headers = {**named, "idempotency-key": key}
        reply = wire.ask(
            "POST", "/v1/repositories", key=side.keys["admin"], json=body, headers=headers
        )
        assert reply.status == 201, reply.text
    absent = f"/v1/repositories/{uuid4()}"
    assert wire.ask("DELETE", absent, key=side.keys["admin"], headers=named).status == 404


def _mark(superuser: psycopg.Connection[Any], side: Side) -> None:
    """The mark stands in every column that can hold a text and is not looked up by."""
    values = {"tenant": side.tenant_id, "mark": side.mark}
    superuser.execute("set search_path = codeloom")
    for statement in ROWS:
        superuser.execute(statement.encode(), values)
    for table, column, kind in texts(superuser):
        if f"{table}.{column}" in NATURAL:
            continue
        query = f"update {{table}} set {{column}} = {MARKED[kind]} where tenant_id = %(tenant)s"
        parts = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
        superuser.execute(sql.SQL(query).format(**parts), values)


def _nobody(like: Side) -> Side:
    """What no tenant has, in the form of what one has."""
    mark = f"absent{secrets.token_hex(9)}"

    def absent(name: str, value: str) -> str:
        if name == "commit":
            return _commit(mark)
        if name == "task_id":
            return f"{uuid4()}.1"
        if name == "symbol_id":
            return secrets.token_hex(8)
        try:
            UUID(value)
        except ValueError:
            return value.replace(like.mark, mark)
        return str(uuid4())

    return Side(
        mark=mark,
        twin={name: absent(name, value) for name, value in like.twin.items()},
        own={name: absent(name, value) for name, value in like.own.items()},
        words={name: absent(name, value) for name, value in like.words.items()},
    )


def _bad_keys(settings: Settings, side: Side) -> dict[str, str | None]:
    """Keys that open nothing, by what is wrong with them."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    who, scopes = side.tenant_id, ["admin"]
    with tenant_session(who, settings=settings) as connection:
        _, expired = keys.create(connection, tenant_id=who, scopes=scopes, expires_at=past)
        row, revoked = keys.create(connection, tenant_id=who, scopes=scopes)
        keys.revoke(connection, key_id=row.id)
    admin = side.keys["admin"]
    changed = ("A" if admin[20] != "A" else "B").join((admin[:20], admin[21:]))
    return {
        "none": None,
        "garbage": "nonsense",
        "of nobody": keys.new_secret(),
        "one character changed": changed,
        "expired": expired,
        "revoked": revoked,
    }


def _suspended(settings: Settings) -> str:
    with system_session("administration", settings=settings) as connection:
        tenant = tenants.create(connection, name="late payer")
        tenants.suspend(connection, tenant_id=tenant.id, reason="unpaid")
    with tenant_session(tenant.id, settings=settings) as connection:
        return keys.create(connection, tenant_id=tenant.id, scopes=["admin"])[1]


def _ids_in_rows(superuser: psycopg.Connection[Any], side: Side) -> set[str]:
    found: set[str] = set()
    for table, column, kind in columns(superuser, "uuid", "_uuid"):
        values = "unnest({column})" if kind == "_uuid" else "{column}"
        query = sql.SQL(f"select {values}::text from {{table}} where tenant_id = %s").format(
            table=sql.Identifier("codeloom", table), column=sql.Identifier(column)
        )
        rows = superuser.execute(query, [side.tenant_id])
        found |= {value for (value,) in rows if value is not None}
    return found


def _recorded(cursors: Cursors) -> list[tuple[Key, bytes]]:
    """What is sealed into cursors from now on."""
    positions: list[tuple[Key, bytes]] = []
    seal = cursors.seal

    def recorded(binding: Binding, key: Key, snapshot: bytes = b"") -> str:
        positions.append((key, snapshot))
        return seal(binding, key, snapshot)

    cursors.seal = recorded  # type: ignore[method-assign]
    return positions


def _commit(mark: str) -> str:
    return mark.encode().hex()[-40:]
