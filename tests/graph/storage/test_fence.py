"""Nothing opens the fence between tenants; and whatever would is found."""

from collections.abc import Iterator

import psycopg
import pytest

from tests import servers
from tests.graph.storage import fence

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"
# A table as a migration should make it, for what is planted around one.
SOUND = f"""
create table sound (
  tenant_id uuid not null, number integer not null, name text, primary key (tenant_id, number)
) partition by hash (tenant_id);
alter table sound enable row level security, force row level security;
create policy tenant on sound using (tenant_id = {TENANT}) with check (tenant_id = {TENANT});
create table sound_1 partition of sound for values with (modulus 1, remainder 0);
alter table sound_1 enable row level security, force row level security;
create policy tenant on sound_1 using (tenant_id = {TENANT}) with check (tenant_id = {TENANT});
grant select on sound to codeloom_app;
"""

# Each question, and what it has to find. Every statement runs as the owner unless it says how else.
PLANTED: dict[str, list[str]] = {
    "a table without a fence, or one that its owner passes": [
        "create table loose (tenant_id uuid primary key)",
        "alter table nodes disable row level security",
        "alter table nodes no force row level security",
        "alter table sound_1 disable row level security",
        "create table heir () inherits (nodes)",
    ],
    "a table without the policy of tenants": [
        "drop policy tenant on edges",
        "drop policy tenant on sound_1",
        "alter policy tenant on edges using (true)",
        "alter policy tenant on edges with check (true)",
        "alter policy tenant on edges to codeloom_app",
        (
            "drop policy tenant on edges;"
            f" create policy tenant on edges for select using (tenant_id = {TENANT})"
        ),
        (
            "drop policy tenant on edges; create policy tenant on edges as restrictive"
            f" using (tenant_id = {TENANT}) with check (tenant_id = {TENANT})"
        ),
    ],
    "a policy that nobody has listed": [
        "create policy open on nodes for select using (true)",
        "create policy dispatcher on nodes for select to codeloom_dispatcher using (true)",
        "create policy more on jobs to codeloom_operator using (true)",
    ],
    "a policy that tells a role inside one tenant more": [
        "create policy open on nodes for select to codeloom_app using (true)",
        "create policy open on nodes for update to codeloom_worker using (true)",
        "create policy open on sound_1 for select using (kind(name) = 'shared')",
    ],
    "a column tenant_id that is missing, may be null or is no uuid": [
        "create table nameless (id integer)",
        "create table loose (tenant_id uuid)",
        "create table texts (tenant_id text not null)",
    ],
    "a unique index that is not led by the tenant": [
        "create unique index urls on repositories (url)",
        "create unique index names on repositories (lower(name), tenant_id)",
        "alter table artifacts add unique (sha256, tenant_id)",
        "alter table sound_1 add exclude (name with =)",
    ],
    "a reference that could cross": [
        (
            "alter table repositories add column of uuid;"
            " alter table repositories add foreign key (of) references tenants"
        ),
        (
            "create unique index keys on jobs (job_id);"
            " alter table snapshots add foreign key (job_id) references jobs (job_id)"
        ),
        (
            "create unique index numbers on counters (value, tenant_id);"
            " alter table snapshots add foreign key (snapshot, job_id)"
            " references counters (value, tenant_id)"
        ),
        "alter table erasures add foreign key (requested_by) references tenants",
    ],
    "a view that reads as its owner": [
        "create view all_nodes as select * from nodes",
        "create view all_nodes with (security_invoker = false) as select * from nodes",
        "create view all_nodes with (security_barrier) as select * from nodes",
    ],
    "a materialized view, a foreign table, a large object: no fence can be put around one": [
        "create materialized view all_nodes as select * from nodes",
        "reset role; select lo_create(0)",
        (
            "reset role; create foreign data wrapper w; create server far foreign data wrapper w;"
            " create foreign table far (a int) server far"
        ),
    ],
    "a relation or function outside of the schema": [
        "reset role; create table public.loot as select * from nodes",
        "reset role; create schema other; create view other.v as select * from codeloom.nodes",
        (
            "reset role; create function public.f() returns bigint language sql"
            " as 'select count(*) from codeloom.nodes'"
        ),
    ],
    "a function that borrows rights and is not listed, or is not pinned": [
        (
            "create function loot() returns bigint language sql security definer"
            " set search_path = pg_catalog, codeloom, pg_temp as 'select count(*) from nodes'"
        ),
        "reset role; alter function authenticate(bytea) reset search_path",
        "reset role; alter function authenticate(bytea) set search_path = public",
        "reset role; alter function authenticate(bytea) set work_mem = '1GB'",
    ],
    "a function that may look at rows before the fence has judged them": [
        (
            "reset role; create function peek(text) returns boolean language plpgsql leakproof"
            " as 'begin raise notice ''%'', $1; return true; end'"
        ),
    ],
    "a function that everybody may call and that reads tables": [
        "create function names() returns setof text language sql as 'select name from nodes'",
        (
            "create function names() returns bigint language sql"
            " begin atomic select count(*) from nodes; end"
        ),
        "create function names() returns void language plpgsql as 'begin perform from EDGES; end'",
    ],
    "a rule that rewrites statements": [
        "create rule copy as on insert to nodes do also notify copied",
    ],
    "a sequence, which counts for all tenants": [
        "create sequence numbers",
        "alter table counters add column id integer generated always as identity",
    ],
    "something that PUBLIC or a stranger may use": [
        "grant select on nodes to public",
        "grant select (name) on nodes to public",
        "grant usage on schema codeloom to public",
        "reset role; create role nosy; grant select on nodes to nosy",
        "reset role; create role nosy; grant update (name) on nodes to nosy",
    ],
    "a right that comes by itself with what is made later": [
        "alter default privileges in schema codeloom grant select on tables to public",
        "alter default privileges grant select on tables to codeloom_app",
        "alter default privileges in schema codeloom grant execute on functions to public",
    ],
    "a right on a partition": [
        "grant select on sound_1 to codeloom_app",
        "grant insert on sound_1 to codeloom_worker",
    ],
    "a right to truncate, refer, put a trigger or maintain": [
        "grant truncate on nodes to codeloom_worker",
        "grant references on nodes to codeloom_app",
        "grant trigger on sound to codeloom_app",
        "grant maintain on nodes to codeloom_maintainer",
    ],
    "a right to make something": [
        "grant create on schema codeloom to codeloom_app",
        "reset role; grant create on schema public to public",
        (
            "reset role; do $$ begin execute format('grant create on database %I to codeloom_app',"
            " current_database()); end $$"
        ),
    ],
    "a right to hand a right on": [
        "grant select on nodes to codeloom_app with grant option",
    ],
    "a role that passes the fence, or may log in": [
        f"reset role; alter role codeloom_app {attribute}"
        for attribute in (
            "superuser",
            "bypassrls",
            "createrole",
            "createdb",
            "replication",
            "login",
        )
    ],
    "a role that becomes another": [
        "reset role; grant codeloom_owner to codeloom_app",
        "reset role; grant codeloom_dispatcher to codeloom_worker with inherit true, set false",
        "reset role; grant pg_read_all_data to codeloom_app",
        "reset role; grant codeloom_keyring to codeloom_authenticator",
    ],
    "something that somebody else owns": [
        "reset role; create table codeloom.mine (tenant_id uuid)",
        "reset role; alter table nodes owner to codeloom_app",
        "reset role; alter function limit_of(jsonb, jsonb, text) owner to codeloom_app",
        "reset role; alter schema codeloom owner to codeloom_worker",
    ],
    "a setting that speaks for a tenant, or a right to change what only a superuser changes": [
        "reset role; alter role codeloom_app set app.tenant_id = 'x'",
        (
            "reset role; do $$ begin execute format('alter database %I set row_security = off',"
            " current_database()); end $$"
        ),
        "reset role; grant set on parameter session_replication_role to codeloom_worker",
        "reset role; grant set on parameter session_replication_role to public",
    ],
    "a way for rows to leave without passing the fence": [
        "reset role; create publication everything for all tables",
        "reset role; create foreign data wrapper w; create server far foreign data wrapper w",
        "reset role; create extension pg_trgm",
    ],
}


@pytest.fixture(scope="module")
def scratch(
    real_servers: servers.Servers, module_database_url: str
) -> Iterator[psycopg.Connection]:
    """A migrated database as its superuser; what a test does in it is taken back."""
    name = module_database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(real_servers.superuser_url, dbname=name) as connection:
        connection.execute("set search_path = codeloom")
        connection.commit()
        yield connection
        connection.rollback()


@pytest.fixture
def planted(scratch: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Beside what the migrations made stands a sound table with a sound partition."""
    # The server is shared: whoever changes a role waits for nobody for long.
    scratch.execute("set local lock_timeout = '20s'")
    scratch.execute("set local role codeloom_owner")
    scratch.execute(SOUND)
    scratch.execute("create function kind(text) returns text language sql immutable return $1")
    yield scratch
    scratch.rollback()


def test_nothing_opens_the_fence(scratch):
    assert fence.faults(scratch) == {}


def test_a_sound_table_with_partitions_is_no_fault(planted):
    assert fence.faults(planted) == {}


def test_a_view_that_reads_as_whoever_asks_is_no_fault(planted):
    planted.execute("create view own_nodes with (security_invoker = on) as select * from nodes")
    assert fence.faults(planted) == {}


@pytest.mark.parametrize("question", fence.QUESTIONS)
def test_whatever_is_planted_is_found(question, planted):
    assert PLANTED[question], f"plant something that the question finds: {question}"
    for statements in PLANTED[question]:
        with planted.transaction(force_rollback=True):
            planted.execute(statements)
            assert fence.answers(planted, question), statements
    assert fence.faults(planted) == {}


def test_what_a_planted_fault_lets_through(planted):
    """Why partitions are fenced themselves: the policy of their parent does not hold for them."""
    one, other = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
    planted.execute("reset role")
    planted.execute("insert into sound values (%s, 1, 'a'), (%s, 1, 'b')", [one, other])
    planted.execute("grant select on sound_1 to codeloom_app")
    planted.execute("alter table sound_1 disable row level security")
    planted.execute("set local role codeloom_app")
    planted.execute("select set_config('app.tenant_id', %s, true)", [one])
    assert planted.execute("select name from sound").fetchall() == [("a",)]
    assert planted.execute("select name from sound_1 order by 1").fetchall() == [("a",), ("b",)]
