"""A database with a million rows: a thousand small tenants, all alike, and one large one.

Made once for all processes of a test run. One small tenant and the large one are made through the
doors of the product; the others are copies of the small one, whatever tables there are: since
every key is led by the tenant, nothing of a copy has to be changed but the tenant.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import audit
from graph.storage.engine import dispose
from graph.storage.session import tenant_session
from tests.service.conftest import make_tenant
from tests.service.isolation.building import ROWS, place
from tests.service.isolation.world import TENANT_TABLES

TENANTS = 1000
# Of a small tenant, and of the large one.
NODES, EDGES = (150, 200_000), (250, 400_000)
DOCUMENTS = 2000
JOBS, EVENTS, KEYS, REPOSITORIES = 3000, 10_000, 500, 500

# Rows of the graph, as many as are wanted: the names repeat, some symbols are used by many.
GRAPH = (
    """insert into nodes
    select %(tenant)s, 1, 1 + g %% %(documents)s, g, 0, g %% 100 + 1, 4, g %% 100 + 1,
      g %% 100 + 3, 1, 11 + g %% 4, name, 'Class' || g %% 300 || '.' || name, 'def x()', 'Says.',
      'symbol' || g
    from generate_series(1, %(nodes)s) g,
      lateral (select 'name_' || abs(hashint4(g)) %% 9999 as name) n""",
    """insert into edges
    select %(tenant)s, 1, 1 + s %% %(documents)s, s,
      case when g %% 20 = 0 then 1 + abs(hashint4(g) %% 20)
        else 1 + abs(hashint4(g) %% %(nodes)s) end,
      g %% 100 + 1, g %% 80, (array[4, 4, 6, 7, 5, 3])[1 + g %% 6], 1, 2, 1
    from generate_series(1, %(edges)s) g,
      lateral (select 1 + g %% %(nodes)s as s) x""",
)
# What a large tenant has more of, each row with a key of its own.
MORE = (
    """insert into jobs
    select (jsonb_populate_record(one.row, jsonb_build_object('job_id', gen_random_uuid(),
      'flight', 'x' || g))).*
    from (select jobs as row from jobs where tenant_id = %(tenant)s limit 1) one,
      generate_series(1, %(jobs)s) g""",
    """insert into audit_events
    select (jsonb_populate_record(one.row, jsonb_build_object('event_id', gen_random_uuid(),
      'target_id', gen_random_uuid()))).*
    from (select audit_events as row from audit_events where tenant_id = %(tenant)s limit 1) one,
      generate_series(1, %(events)s)""",
    """insert into api_keys
    select (jsonb_populate_record(one.row, jsonb_build_object('key_id', gen_random_uuid(),
      'secret_hash', '\\x' || encode(sha256(g::text::bytea), 'hex')))).*
    from (select api_keys as row from api_keys where tenant_id = %(tenant)s and name = 'spare') one,
      generate_series(1, %(keys)s) g""",
    """insert into repositories
    select (jsonb_populate_record(one.row, jsonb_build_object('number', 100 + g,
      'repository_id', gen_random_uuid(), 'url', 'https://example.org/' || g))).*
    from (select repositories as row from repositories where tenant_id = %(tenant)s limit 1) one,
      generate_series(1, %(repositories)s) g""",
    """insert into documents
    select (jsonb_populate_record(one.row, jsonb_build_object('document', g,
      'key', '\\x' || lpad(to_hex(g), 32, '0'), 'path_hash', g,
      'path', '\\x' || encode(convert_to(path, 'UTF8'), 'hex'), 'display_path', path))).*
    from (select documents as row from documents where tenant_id = %(tenant)s and document = 1) one,
      generate_series(10, %(documents)s) g,
      lateral (select 'src/folder' || g %% 20 || '/module' || g || '.py' as path) p""",
    """update snapshots set documents = int4multirange(int4range(1, %(documents)s + 1)),
      document_count = %(documents)s
    where tenant_id = %(tenant)s""",
)


@dataclass(frozen=True)
class Million:
    """The large tenant: its key, and what the parameters of paths are for it."""

    settings: Settings
    tenant_id: TenantId
    key: str
    ids: dict[str, str]


def fill(settings: Settings, superuser: psycopg.Connection[Any]) -> Million:
    """The million rows are there, with their indexes and statistics."""
    small, large = (make_tenant(settings, name) for name in ("small", "large"))
    for member in (small, large):
        ids = place(settings, member.tenant_id, "shop")
        with tenant_session(member.tenant_id, settings=settings) as connection:
            audit.record(connection, actor=audit.Actor("system", None), action="seeded")
    dispose(settings)
    superuser.execute("set search_path = codeloom")
    for member in (small, large):
        for statement in ROWS:
            superuser.execute(statement.encode(), {"tenant": member.tenant_id, "mark": "marked"})
    # Neither triggers nor references: what is copied is sound.
    superuser.execute("set session_replication_role = replica")
    superuser.execute("update plans set limits = '{}'")
    indexes = _drop_indexes(superuser)
    for number, tenant_id in enumerate((small.tenant_id, large.tenant_id)):
        values = {
            "tenant": tenant_id,
            "nodes": NODES[number],
            "edges": EDGES[number],
            "documents": (4, DOCUMENTS)[number],
            "jobs": JOBS,
            "events": EVENTS,
            "keys": KEYS,
            "repositories": REPOSITORIES,
        }
        for statement in (GRAPH, (*MORE, *GRAPH))[number]:
            superuser.execute(statement.encode(), values)
    for table in TENANT_TABLES:
        _copy(superuser, table, small.tenant_id)
    for definition in indexes:
        superuser.execute(definition.encode())
    superuser.execute("vacuum analyze")
    return Million(settings, large.tenant_id, large.admin, ids)


def _drop_indexes(superuser: psycopg.Connection[Any]) -> list[str]:
    """How to make the indexes again that would be in the way."""
    rows = superuser.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index"
        " where indrelid in ('nodes'::regclass, 'edges'::regclass)"
    ).fetchall()
    for name, _ in rows:
        superuser.execute(f"drop index {name}".encode())
    return [definition for _, definition in rows]


def _copy(superuser: psycopg.Connection[Any], table: str, tenant_id: TenantId) -> None:
    """Every other tenant has what this one has."""
    rows = superuser.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped and attname <> 'tenant_id' and attgenerated = ''",
        [table],
    )
    names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in rows)
    query = sql.SQL(
        "insert into {table} (tenant_id, {names})"
        " select md5('tenant' || g)::uuid, {names} from {table}, generate_series(1, {tenants}) g"
        " where tenant_id = {tenant}"
    )
    parts = {"table": sql.Identifier(table), "names": names}
    literals = {"tenants": sql.Literal(TENANTS), "tenant": sql.Literal(tenant_id)}
    superuser.execute(query.format(**parts, **literals))
