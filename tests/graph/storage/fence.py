"""What would open the fence between tenants, as questions to the catalogue: each answer is a fault.

A question knows nothing of single tables, so a new table, function or role is judged as it comes;
what is allowed in spite of a question is listed below with its reason.
"""

from typing import Any

import psycopg

from graph.storage.engine import SCHEMA
from graph.storage.migrate import FUNCTION_OWNERS, ROLES
from graph.storage.tables import GLOBAL_TABLES

# The one policy that every table of a tenant has, for every command and every role.
POLICY = (
    "(tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid"
    ' AS "nullif"))'
)

# Functions that run as their owner, and who may call them; what a trigger fires needs no caller.
DEFINERS: dict[str, tuple[str, set[str]]] = {
    "authenticate": ("codeloom_keyring", {"codeloom_authenticator"}),
    "authenticate_operator": ("codeloom_keyring", {"codeloom_authenticator"}),
    "charge_repositories": ("codeloom_bookkeeper", set()),
    "charge_documents": ("codeloom_bookkeeper", set()),
    "charge_artifacts": ("codeloom_bookkeeper", set()),
    "charge_keys": ("codeloom_bookkeeper", set()),
    "charge_key": ("codeloom_bookkeeper", set()),
    "charge_credentials": ("codeloom_bookkeeper", set()),
    "settle_job": ("codeloom_bookkeeper", set()),
    "post_charges": ("codeloom_bookkeeper", set()),
}
PINNED = "search_path=pg_catalog, codeloom, pg_temp"

# Policies beside the tenant's own: roles that work for all tenants, on the tables they work on.
POLICIES_FOR_ALL_TENANTS = {
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
    ("pending_artifacts", "codeloom_maintainer", "SELECT"),
    # Rows that are past their time, and the bounds on what may be removed.
    ("idempotency_records", "codeloom_maintainer", "ALL"),
    ("api_keys", "codeloom_maintainer", "ALL"),
    ("idempotency_records", "codeloom_maintainer", "DELETE"),
    ("api_keys", "codeloom_maintainer", "DELETE"),
    ("audit_events", "codeloom_maintainer", "DELETE"),
}
# Roles that work inside one tenant: no policy may ever say more to them than the tenant's own.
INSIDE_ONE_TENANT = {"codeloom_app", "codeloom_worker", "codeloom_eraser"}

EXTENSIONS = {"plpgsql"}

VALUES: dict[str, Any] = {
    "schema": SCHEMA,
    "global": list(GLOBAL_TABLES),
    "policy": POLICY,
    "allowed": [" ".join(each) for each in POLICIES_FOR_ALL_TENANTS],
    "inside": list(INSIDE_ONE_TENANT),
    "definers": list(DEFINERS),
    "pinned": PINNED,
    "roles": list(ROLES),
    "working": sorted(set(ROLES) - {"codeloom_owner"}),
    "function_owners": list(FUNCTION_OWNERS),
    "extensions": list(EXTENSIONS),
}

OURS = "relnamespace = %(schema)s::regnamespace"
# Partitions and inherited tables too: whoever names one of them is judged by its own policies.
OF_TENANTS = f"{OURS} and relkind in ('r', 'p') and relname <> all(%(global)s)"
ELSEWHERE = "nspname <> %(schema)s::text and nspname !~ '^(pg_|information_schema$)'"

QUESTIONS = {
    "a table without a fence, or one that its owner passes": f"""
        select relname from pg_class
        where {OF_TENANTS} and not (relrowsecurity and relforcerowsecurity)""",
    "a table without the policy of tenants": f"""
        select relname from pg_class c
        where {OF_TENANTS} and not exists (
          select from pg_policy p
          where p.polrelid = c.oid and p.polname = 'tenant' and p.polpermissive
            and p.polcmd = '*' and p.polroles = array[0::oid]
            and pg_get_expr(p.polqual, p.polrelid) = %(policy)s
            and pg_get_expr(p.polwithcheck, p.polrelid) = %(policy)s)""",
    "a policy that nobody has listed": """
        select tablename || ': ' || policyname from pg_policies
        where schemaname = %(schema)s::text and policyname <> 'tenant'
          and not (tablename || ' ' || array_to_string(roles, ' ') || ' ' || cmd
            = any(%(allowed)s))""",
    "a policy that tells a role inside one tenant more": """
        select tablename || ': ' || policyname from pg_policies
        where schemaname = %(schema)s::text and policyname <> 'tenant' and permissive = 'PERMISSIVE'
          and roles && (%(inside)s || array['public'])::name[]""",
    "a column tenant_id that is missing, may be null or is no uuid": f"""
        select relname from pg_class c
        where {OF_TENANTS} and not exists (
          select from pg_attribute
          where attrelid = c.oid and attname = 'tenant_id' and attnotnull
            and atttypid = 'uuid'::regtype)""",
    "a unique index that is not led by the tenant": f"""
        select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
        where (i.indisunique or i.indisexclusion) and {OF_TENANTS} and not exists (
          select from pg_attribute a
          where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnum = i.indkey[0])""",
    "a reference that could cross": """
        select o.conname from pg_constraint o
        join pg_class c on c.oid = o.conrelid join pg_class target on target.oid = o.confrelid
        where o.contype = 'f' and target.relname <> all(%(global)s)
          and o.connamespace = %(schema)s::regnamespace and not exists (
          select from unnest(o.conkey, o.confkey) pair (here, there)
          join pg_attribute a on a.attrelid = o.conrelid and a.attnum = here
          join pg_attribute b on b.attrelid = o.confrelid and b.attnum = there
          where a.attname = 'tenant_id' and b.attname = 'tenant_id')""",
    "a view that reads as its owner": f"""
        select relname from pg_class
        where {OURS} and relkind = 'v'
          and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'],
            false)""",
    "a materialized view, a foreign table, a large object: no fence can be put around one": f"""
        select relname::text from pg_class where {OURS} and relkind in ('m', 'f')
        union all select oid::text from pg_largeobject_metadata""",
    "a relation or function outside of the schema": f"""
        select relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where {ELSEWHERE}
        union all
        select proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where {ELSEWHERE}""",
    "a function that borrows rights and is not listed, or is not pinned": """
        select proname from pg_proc
        where pronamespace = %(schema)s::regnamespace and prosecdef
          and (proname <> all(%(definers)s) or proconfig is distinct from array[%(pinned)s])""",
    "a function that may look at rows before the fence has judged them": """
        select proname from pg_proc
        where pronamespace = %(schema)s::regnamespace and proleakproof""",
    "a function that everybody may call and that reads tables": f"""
        select distinct p.proname from pg_proc p
        cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl
        where p.pronamespace = %(schema)s::regnamespace and acl.grantee = 0
          and p.prorettype <> 'trigger'::regtype and exists (
          select from pg_class where {OURS} and relkind in ('r', 'p', 'v')
            and coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
              ~* ('\\m' || relname || '\\M'))""",
    "a rule that rewrites statements": f"""
        select r.rulename from pg_rewrite r join pg_class c on c.oid = r.ev_class
        where {OURS} and not (c.relkind = 'v' and r.rulename = '_RETURN')""",
    "a sequence, which counts for all tenants": f"""
        select relname from pg_class where {OURS} and relkind = 'S'""",
    "something that PUBLIC or a stranger may use": f"""
        select relname::text from pg_class
        cross join lateral aclexplode(relacl) acl left join pg_roles r on r.oid = acl.grantee
        where {OURS} and (acl.grantee = 0 or r.rolname <> all(%(roles)s))
        union all
        select c.relname || '.' || a.attname from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        cross join lateral aclexplode(a.attacl) acl left join pg_roles r on r.oid = acl.grantee
        where {OURS} and (acl.grantee = 0 or r.rolname <> all(%(roles)s))
        union all
        select nspname::text from pg_namespace
        cross join lateral aclexplode(nspacl) acl left join pg_roles r on r.oid = acl.grantee
        where nspname = %(schema)s::text and (acl.grantee = 0 or r.rolname <> all(%(roles)s))""",
    "a right that comes by itself with what is made later": """
        select coalesce(n.nspname, '') || ' ' || d.defaclobjtype::text from pg_default_acl d
        left join pg_namespace n on n.oid = d.defaclnamespace
        cross join lateral aclexplode(d.defaclacl) acl
        where acl.grantee <> d.defaclrole""",
    "a right on a partition": f"""
        select relname from pg_class cross join lateral aclexplode(relacl) acl
        where {OURS} and relispartition and acl.grantee <> relowner""",
    "a right to truncate, refer, put a trigger or maintain": f"""
        select role || ' ' || relname from unnest(%(working)s::text[]) role
        cross join pg_class c
        where {OURS} and relkind in ('r', 'p')
          and has_table_privilege(role, c.oid, 'truncate, references, trigger, maintain')""",
    "a right to make something": """
        select role || ' ' || nspname from unnest(%(working)s::text[]) role
        cross join pg_namespace n
        where nspname !~ '^pg_(toast|temp)' and has_schema_privilege(role, n.oid, 'create')
        union all
        select role || ' database' from unnest(%(working)s::text[]) role
        where has_database_privilege(role, current_database(), 'create')""",
    "a right to hand a right on": f"""
        select relname from pg_class cross join lateral aclexplode(relacl) acl
        where {OURS} and acl.is_grantable and acl.grantee <> relowner""",
    "a role that passes the fence, or may log in": """
        select rolname from pg_roles
        where rolname = any(%(roles)s) and (rolcanlogin or rolsuper or rolbypassrls
          or rolcreaterole or rolcreatedb or rolreplication)""",
    "a role that becomes another": """
        select member::regrole || ' ' || roleid::regrole from pg_auth_members
        where member::regrole::text = any(%(roles)s)
          and not (member = 'codeloom_owner'::regrole
            and roleid::regrole::text = any(%(function_owners)s))""",
    "something that somebody else owns": f"""
        select relname::text from pg_class
        where {OURS} and relowner <> 'codeloom_owner'::regrole
        union all
        select proname::text from pg_proc
        where pronamespace = %(schema)s::regnamespace and proname <> all(%(definers)s)
          and proowner <> 'codeloom_owner'::regrole
        union all
        select nspname::text from pg_namespace
        where nspname = %(schema)s::text and nspowner <> 'codeloom_owner'::regrole""",
    "a setting that speaks for a tenant, or a right to change what only a superuser changes": """
        select setting from pg_db_role_setting s cross join unnest(s.setconfig) setting
        where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
          and setting ~ '^(app\\.|role=|row_security=|session_replication_role=)'
        union all
        select parname from pg_parameter_acl p cross join lateral aclexplode(p.paracl) acl
        left join pg_roles r on r.oid = acl.grantee
        where acl.grantee = 0 or r.rolname = any(%(roles)s)""",
    "a way for rows to leave without passing the fence": """
        select pubname::text from pg_publication
        union all select srvname::text from pg_foreign_server
        union all select extname::text from pg_extension where extname <> all(%(extensions)s)""",
}


def answers(connection: psycopg.Connection, question: str) -> list[str]:
    """The faults that a question finds, by name."""
    rows = connection.execute(QUESTIONS[question], VALUES)
    return sorted({str(name) for (name,) in rows})


def faults(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Every fault there is, by the question that found it."""
    found = {question: answers(connection, question) for question in QUESTIONS}
    return {question: names for question, names in found.items() if names}
