"""What the catalogue of a migrated database says about single tables, roles and functions.

What must hold for all of them, and what is allowed in spite of it, stands in `fence`.
"""

from collections.abc import Iterator

import psycopg
import pytest

from graph.settings import Settings
from graph.storage.engine import SCHEMA, dedicated
from graph.storage.migrate import FUNCTION_OWNERS, ROLES
from graph.storage.tables import GLOBAL_TABLES, metadata
from tests.graph.storage import fence

TRIGGERS = {
    ("repositories", "repositories_insert_new", "charge_repositories"),
    ("repositories", "repositories_update_new", "charge_repositories"),
    ("repositories", "repositories_update_old", "charge_repositories"),
    ("repositories", "repositories_delete_old", "charge_repositories"),
    ("documents", "documents_insert_new", "charge_documents"),
    ("documents", "documents_delete_old", "charge_documents"),
    ("artifacts", "artifacts_insert_new", "charge_artifacts"),
    ("artifacts", "artifacts_delete_old", "charge_artifacts"),
    ("api_keys", "api_keys_insert_new", "charge_keys"),
    ("api_keys", "api_keys_update", "charge_key"),
    ("api_keys", "api_keys_delete_old", "charge_keys"),
    ("credentials", "credentials_insert_new", "charge_credentials"),
    ("credentials", "credentials_delete_old", "charge_credentials"),
    ("jobs", "jobs_settled", "settle_job"),
    ("jobs", "jobs_attempts", "record_attempt"),
    ("jobs", "jobs_joined", "join_children"),
    ("jobs", "jobs_made", "tell_job_state"),
    ("jobs", "jobs_moved", "tell_job_state"),
    ("charges", "charges_posted", "post_charges"),
}
# Rows are removed by those who load and publish, and by nobody else without a reason.
MAY_DELETE = {
    # A secret that is not wanted any more must be gone.
    "codeloom_app": {"credentials"},
    "codeloom_worker": {
        *("refs", "snapshots", "documents", "nodes", "edges", "artifacts"),
        "pending_artifacts",
    },
    "codeloom_bookkeeper": {"charges"},
    # What is past its time, which the policies say.
    "codeloom_maintainer": {"api_keys", "audit_events", "idempotency_records", "periodic_work"},
    # Inside the tenant that is erased.
    "codeloom_eraser": set(metadata.tables) - set(GLOBAL_TABLES),
}


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[psycopg.Connection]:
    with dedicated(settings, "owner") as connection:
        yield connection


def tenant_tables(catalogue: psycopg.Connection) -> set[str]:
    rows = catalogue.execute(
        "select relname from pg_class"
        " where relkind in ('r', 'p') and relnamespace = %s::regnamespace",
        [SCHEMA],
    )
    return {name for (name,) in rows} - set(GLOBAL_TABLES)


def test_the_tables_are_those_that_the_code_knows(catalogue):
    assert tenant_tables(catalogue) | set(GLOBAL_TABLES) == {*metadata.tables, "alembic_version"}


def test_policies_for_all_tenants_that_are_listed_are_there(catalogue):
    rows = catalogue.execute(
        "select tablename, roles::text[], cmd from pg_policies"
        " where schemaname = %s and policyname <> 'tenant'",
        [SCHEMA],
    )
    found = {(table, *roles, command) for table, roles, command in rows}
    assert found == fence.POLICIES_FOR_ALL_TENANTS


def test_the_tenant_is_the_first_column(catalogue):
    rows = catalogue.execute(
        "select table_name from information_schema.columns"
        " where table_schema = %s and column_name = 'tenant_id' and is_nullable = 'NO'"
        " and data_type = 'uuid' and ordinal_position = 1",
        [SCHEMA],
    )
    assert {name for (name,) in rows} >= tenant_tables(catalogue)


def test_the_roles_are_those_that_the_code_knows(catalogue):
    rows = catalogue.execute("select rolname from pg_roles where rolname like 'codeloom\\_%'")
    assert {name for (name,) in rows} == set(ROLES)


def test_nobody_deletes_but_where_there_is_a_reason(catalogue):
    rows = catalogue.execute(
        "select role, relname from unnest(%s::text[]) role cross join pg_class c"
        " where c.relnamespace = %s::regnamespace and c.relkind = 'r'"
        " and has_table_privilege(role, c.oid, 'delete')",
        [sorted(set(ROLES) - {"codeloom_owner"}), SCHEMA],
    )
    found: dict[str, set[str]] = {}
    for role, table in rows:
        found.setdefault(role, set()).add(table)
    assert found == MAY_DELETE


def test_the_keyring_can_do_nothing_but_find_keys(catalogue):
    tables = catalogue.execute(
        "select relname from pg_class c where c.relnamespace = %s::regnamespace"
        " and c.relkind = 'r' and has_any_column_privilege('codeloom_keyring', c.oid, 'select')",
        [SCHEMA],
    )
    assert {name for (name,) in tables} == {"api_keys", "operator_keys", "tenants", "plans"}
    written = catalogue.execute(
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relnamespace = %s::regnamespace and c.relkind = 'r' and a.attnum > 0"
        " and has_column_privilege('codeloom_keyring', c.oid, a.attname, 'insert, update')",
        [SCHEMA],
    )
    assert set(written) == {("api_keys", "last_used_at"), ("operator_keys", "last_used_at")}
    members = catalogue.execute(
        "select m.member::regrole::text from pg_auth_members m"
        " where m.roleid = 'codeloom_keyring'::regrole and m.inherit_option"
        " and m.member <> (select oid from pg_roles where rolname = session_user)"
    )
    assert members.fetchall() == []


def test_functions_that_borrow_rights_are_listed_and_pinned(catalogue):
    rows = catalogue.execute(
        "select proname, proowner::regrole::text, proconfig, proacl::text from pg_proc"
        " where prosecdef and pronamespace = %s::regnamespace",
        [SCHEMA],
    ).fetchall()
    assert {row[0] for row in rows} == set(fence.DEFINERS)
    for name, owner, configuration, acl in rows:
        expected, callers = fence.DEFINERS[name]
        assert owner == expected
        assert configuration == [fence.PINNED]
        # The owner, those listed, and not PUBLIC, which would be an entry without a name.
        assert set(acl.strip("{}").split(",")) == {f"{who}=X/{owner}" for who in (owner, *callers)}


def test_nobody_becomes_the_owner_of_such_a_function(catalogue):
    rows = catalogue.execute(
        "select distinct member::regrole::text from pg_auth_members"
        " where roleid = any(%s::regrole[]) and (inherit_option or set_option)"
        " and member <> (select oid from pg_roles where rolname = session_user)",
        [list(FUNCTION_OWNERS)],
    )
    # Who hands a function over has to be able to.
    assert rows.fetchall() == [("codeloom_owner",)]


def test_triggers_are_listed_and_not_switched_off(catalogue):
    rows = catalogue.execute(
        "select t.tgrelid::regclass::text, t.tgname, p.proname, t.tgenabled::text"
        " from pg_trigger t join pg_proc p on p.oid = t.tgfoid"
        " where not t.tgisinternal and p.pronamespace = %s::regnamespace",
        [SCHEMA],
    ).fetchall()
    assert {row[:3] for row in rows} == TRIGGERS
    assert {row[3] for row in rows} == {"O"}


def test_only_the_bookkeeper_writes_what_is_used(catalogue):
    rows = catalogue.execute(
        "select distinct role, c.relname from unnest(%s::text[]) role cross join pg_class c"
        " where c.oid in ('usage'::regclass, 'charges'::regclass)"
        " and has_any_column_privilege(role, c.oid, 'insert, update')",
        [sorted(set(ROLES) - {"codeloom_owner"})],
    )
    assert set(rows) == {("codeloom_bookkeeper", "usage"), ("codeloom_bookkeeper", "charges")}
    spent = catalogue.execute(
        "select attname from pg_attribute where attrelid = 'reservations'::regclass and attnum > 0"
        " and has_column_privilege('codeloom_worker', attrelid, attname, 'update')"
    )
    assert {name for (name,) in spent} == {"amount", "spent"}


def test_large_tables_have_no_row_wise_checks(catalogue):
    """A foreign key or trigger on nodes or edges triples the cost of a load."""
    rows = catalogue.execute(
        "select conname from pg_constraint where conrelid in ('nodes'::regclass, 'edges'::regclass)"
        " and contype <> 'n' union all"
        " select tgname from pg_trigger where tgrelid in ('nodes'::regclass, 'edges'::regclass)"
    )
    assert rows.fetchall() == []
