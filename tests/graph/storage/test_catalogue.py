"""What the catalogue of a migrated database says about every table, role and function."""

from collections.abc import Iterator

import psycopg
import pytest

from graph.settings import Settings
from graph.storage.engine import SCHEMA, dedicated
from graph.storage.migrate import FUNCTION_OWNERS, ROLES
from graph.storage.tables import GLOBAL_TABLES, metadata

# Functions that run as their owner, and who may call them; what a trigger fires needs no caller.
DEFINERS = {
    "authenticate": ("codeloom_keyring", {"codeloom_authenticator"}),
    "authenticate_operator": ("codeloom_keyring", {"codeloom_authenticator"}),
    "charge_repositories": ("codeloom_bookkeeper", set()),
    "charge_documents": ("codeloom_bookkeeper", set()),
    "charge_artifacts": ("codeloom_bookkeeper", set()),
    "settle_job": ("codeloom_bookkeeper", set()),
    "post_charges": ("codeloom_bookkeeper", set()),
}
TRIGGERS = {
    ("repositories", "repositories_insert_new", "charge_repositories"),
    ("repositories", "repositories_update_new", "charge_repositories"),
    ("repositories", "repositories_update_old", "charge_repositories"),
    ("repositories", "repositories_delete_old", "charge_repositories"),
    ("documents", "documents_insert_new", "charge_documents"),
    ("documents", "documents_delete_old", "charge_documents"),
    ("artifacts", "artifacts_insert_new", "charge_artifacts"),
    ("artifacts", "artifacts_delete_old", "charge_artifacts"),
    ("jobs", "jobs_settled", "settle_job"),
    ("jobs", "jobs_attempts", "record_attempt"),
    ("charges", "charges_posted", "post_charges"),
}
# Rows are removed by those who load and publish, and by nobody else without a reason.
MAY_DELETE = {
    # A secret that is not wanted any more must be gone.
    "codeloom_app": {"credentials"},
    "codeloom_worker": {"snapshots", "documents", "nodes", "edges", "artifacts"},
    "codeloom_bookkeeper": {"charges"},
    # What is past its time, which the policies say.
    "codeloom_maintainer": {"api_keys", "audit_events", "idempotency_records", "periodic_work"},
    # Inside the tenant that is erased.
    "codeloom_eraser": set(metadata.tables) - set(GLOBAL_TABLES),
}
POLICY = (
    "(tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid"
    ' AS "nullif"))'
)


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


def test_every_table_of_a_tenant_is_fenced_also_against_its_owner(catalogue):
    rows = catalogue.execute(
        "select relname from pg_class where relrowsecurity and relforcerowsecurity"
        " and relnamespace = %s::regnamespace",
        [SCHEMA],
    )
    assert {name for (name,) in rows} == tenant_tables(catalogue)


def test_every_fence_judges_what_is_read_and_what_is_written(catalogue):
    rows = catalogue.execute(
        "select tablename, qual, with_check, cmd, roles::text[], permissive"
        " from pg_policies where schemaname = %s and policyname = 'tenant'",
        [SCHEMA],
    ).fetchall()
    assert {row[0] for row in rows} == tenant_tables(catalogue)
    for _, qual, with_check, command, roles, permissive in rows:
        assert (qual, with_check) == (POLICY, POLICY)
        assert (command, roles, permissive) == ("ALL", ["public"], "PERMISSIVE")


def test_other_policies_are_for_roles_that_work_for_all_tenants(catalogue):
    rows = catalogue.execute(
        "select tablename, roles::text[], cmd from pg_policies"
        " where schemaname = %s and policyname <> 'tenant'",
        [SCHEMA],
    )
    assert {(table, *roles, command) for table, roles, command in rows} == {
        ("jobs", "codeloom_dispatcher", "ALL"),
        ("tenants", "codeloom_dispatcher", "SELECT"),
        ("tenants", "codeloom_operator", "ALL"),
        ("jobs", "codeloom_operator", "SELECT"),
        ("repositories", "codeloom_operator", "SELECT"),
        ("credentials", "codeloom_operator", "SELECT"),
        ("tenants", "codeloom_keyring", "SELECT"),
        ("api_keys", "codeloom_keyring", "ALL"),
        ("audit_events", "codeloom_operator", "SELECT"),
        ("usage", "codeloom_operator", "SELECT"),
        ("reservations", "codeloom_operator", "SELECT"),
        ("usage", "codeloom_bookkeeper", "ALL"),
        ("reservations", "codeloom_bookkeeper", "ALL"),
        ("charges", "codeloom_bookkeeper", "ALL"),
        ("tenants", "codeloom_bookkeeper", "SELECT"),
        ("job_attempts", "codeloom_dispatcher", "ALL"),
        ("job_attempts", "codeloom_operator", "SELECT"),
        ("audit_archives", "codeloom_operator", "SELECT"),
        ("tenants", "codeloom_maintainer", "SELECT"),
        # Rows that are past their time, and the bounds on what may be removed.
        ("idempotency_records", "codeloom_maintainer", "ALL"),
        ("api_keys", "codeloom_maintainer", "ALL"),
        ("idempotency_records", "codeloom_maintainer", "DELETE"),
        ("api_keys", "codeloom_maintainer", "DELETE"),
        ("audit_events", "codeloom_maintainer", "DELETE"),
    }


def test_every_key_begins_with_the_tenant(catalogue):
    rows = catalogue.execute(
        "select i.indexrelid::regclass::text, a.attname, a.attnotnull, a.atttypid::regtype::text"
        " from pg_index i join pg_class t on t.oid = i.indrelid"
        " join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]"
        " where i.indisunique and t.relnamespace = %s::regnamespace and t.relname <> all(%s)",
        [SCHEMA, list(GLOBAL_TABLES)],
    ).fetchall()
    assert len(rows) > 10
    assert {row[1:] for row in rows} == {("tenant_id", True, "uuid")}


def test_every_tenant_column_is_required_also_where_no_key_says_so(catalogue):
    rows = catalogue.execute(
        "select table_name from information_schema.columns"
        " where table_schema = %s and column_name = 'tenant_id' and is_nullable = 'NO'"
        " and data_type = 'uuid' and ordinal_position = 1",
        [SCHEMA],
    )
    assert {name for (name,) in rows} >= tenant_tables(catalogue)


def test_every_reference_names_the_tenant(catalogue):
    rows = catalogue.execute(
        "select c.conname, c.confrelid::regclass::text,"
        " (select attname from pg_attribute where attrelid = c.conrelid and attnum = c.conkey[1]),"
        " (select attname from pg_attribute where attrelid = c.confrelid and attnum = c.confkey[1])"
        " from pg_constraint c where c.contype = 'f' and c.connamespace = %s::regnamespace",
        [SCHEMA],
    ).fetchall()
    assert len(rows) > 5
    for name, target, here, there in rows:
        if target not in GLOBAL_TABLES:
            assert (here, there) == ("tenant_id", "tenant_id"), name


def test_no_role_of_ours_may_log_in_or_pass_the_fence(catalogue):
    rows = catalogue.execute(
        "select rolname from pg_roles where rolname like 'codeloom\\_%'"
        " and not (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb"
        " or rolreplication)"
    )
    assert {name for (name,) in rows} == set(ROLES)


def test_only_the_owner_owns_anything(catalogue):
    rows = catalogue.execute(
        "select c.relname, c.relowner::regrole::text from pg_class c"
        " where c.relnamespace = %(schema)s::regnamespace"
        " union select p.proname, p.proowner::regrole::text from pg_proc p"
        " where p.pronamespace = %(schema)s::regnamespace"
        " union select n.nspname, n.nspowner::regrole::text from pg_namespace n"
        " where n.nspname = %(schema)s::text",
        {"schema": SCHEMA},
    ).fetchall()
    assert {owner for name, owner in rows if name not in DEFINERS} == {"codeloom_owner"}


def test_nobody_may_create_truncate_refer_or_trigger(catalogue):
    working = sorted(set(ROLES) - {"codeloom_owner"})
    assert not catalogue.execute(
        "select role from unnest(%s::text[]) role where has_schema_privilege(role, %s, 'create')",
        [working, SCHEMA],
    ).fetchall()
    assert not catalogue.execute(
        "select role, relname from unnest(%s::text[]) role cross join pg_class c"
        " where c.relnamespace = %s::regnamespace and c.relkind = 'r'"
        " and has_table_privilege(role, c.oid, 'truncate, references, trigger, maintain')",
        [working, SCHEMA],
    ).fetchall()


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
    assert {row[0] for row in rows} == set(DEFINERS)
    for name, owner, configuration, acl in rows:
        expected, callers = DEFINERS[name]
        assert owner == expected
        assert configuration == ["search_path=pg_catalog, codeloom, pg_temp"]
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


def test_there_are_no_views(catalogue):
    rows = catalogue.execute(
        "select relname from pg_class where relkind in ('v', 'm')"
        " and relnamespace = %s::regnamespace",
        [SCHEMA],
    )
    assert rows.fetchall() == []


def test_large_tables_have_no_row_wise_checks(catalogue):
    """A foreign key or trigger on nodes or edges triples the cost of a load."""
    rows = catalogue.execute(
        "select conname from pg_constraint where conrelid in ('nodes'::regclass, 'edges'::regclass)"
        " and contype <> 'n' union all"
        " select tgname from pg_trigger where tgrelid in ('nodes'::regclass, 'edges'::regclass)"
    )
    assert rows.fetchall() == []
