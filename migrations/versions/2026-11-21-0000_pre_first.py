"""The first schema: tenants, repositories, jobs, documents, snapshots and the graph itself.

Phase: pre (before the code that needs it).
Locks: none that matters, every table is new.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

TABLES = """
create table plans (
  code text primary key,
  max_running integer not null check (max_running >= 0),
  max_queued integer not null check (max_queued >= 0),
  weight real not null default 1 check (weight > 0),
  max_repositories integer not null check (max_repositories >= 0)
);

create table tenants (
  tenant_id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  plan text not null constraint tenants_plan_fkey references plans,
  state text not null default 'active' check (state in ('active', 'suspended', 'erasing')),
  suspended_reason text,
  created_at timestamptz not null default now()
);

create table api_keys (
  tenant_id uuid not null constraint api_keys_tenant_id_fkey references tenants,
  key_id uuid not null,
  name text not null check (length(name) between 1 and 200),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  last_characters text not null check (length(last_characters) = 4),
  scopes text[] not null
    check (cardinality(scopes) > 0 and scopes <@ array['read', 'ingest', 'admin']),
  repositories uuid[],
  created_by uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  primary key (tenant_id, key_id)
);
create index api_keys_secret_hash on api_keys (secret_hash);

create table counters (
  tenant_id uuid not null,
  repository integer not null check (repository >= 0),
  name text not null check
    (name in ('repositories', 'documents', 'snapshots', 'generations')),
  value integer not null check (value > 0),
  primary key (tenant_id, repository, name)
) with (fillfactor = 50);

create table repositories (
  tenant_id uuid not null constraint repositories_tenant_id_fkey references tenants,
  number integer not null check (number > 0),
  repository_id uuid not null,
  name text not null check (length(name) between 1 and 200),
  url text not null check (octet_length(url) between 1 and 2048),
  default_ref text check (octet_length(default_ref) between 1 and 1024),
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (tenant_id, number),
  constraint repositories_tenant_id_repository_id_key unique (tenant_id, repository_id)
);
create unique index repositories_url on repositories (tenant_id, url) where deleted_at is null;

create table snapshots (
  tenant_id uuid not null,
  repository integer not null,
  snapshot integer not null check (snapshot > 0),
  snapshot_id uuid not null,
  commit_sha text not null check (commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
  tree_sha text not null,
  pipeline text not null,
  ref text,
  job_id uuid not null,
  documents int4multirange not null,
  document_count integer not null check (document_count >= 0),
  node_count bigint not null check (node_count >= 0),
  edge_count bigint not null check (edge_count >= 0),
  facts_packs bytea[] not null,
  report jsonb not null,
  published_at timestamptz not null default now(),
  resolution bytea check (octet_length(resolution) = 32),
  primary key (tenant_id, repository, snapshot),
  constraint snapshots_tenant_id_snapshot_id_key unique (tenant_id, snapshot_id),
  constraint snapshots_tenant_id_repository_fkey
    foreign key (tenant_id, repository) references repositories (tenant_id, number)
);
create index snapshots_commit_sha on snapshots (tenant_id, repository, commit_sha);

create table refs (
  tenant_id uuid not null,
  repository integer not null,
  name text not null check (octet_length(name) between 1 and 1024),
  head integer not null,
  head_generation integer not null,
  head_moved_at timestamptz not null default now(),
  primary key (tenant_id, repository, name),
  constraint refs_tenant_id_repository_fkey
    foreign key (tenant_id, repository) references repositories (tenant_id, number),
  constraint refs_tenant_id_repository_head_fkey
    foreign key (tenant_id, repository, head)
    references snapshots (tenant_id, repository, snapshot)
);

create table jobs (
  tenant_id uuid not null constraint jobs_tenant_id_fkey references tenants,
  job_id uuid not null,
  kind text not null,
  repository integer,
  ref text check (octet_length(ref) between 1 and 1024),
  commit_sha text check (commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
  force boolean not null default false,
  parameters jsonb not null default '{}',
  flight text check (octet_length(flight) <= 1100),
  priority smallint not null default 0,
  idempotency_key text check (octet_length(idempotency_key) between 1 and 255),
  request_fingerprint bytea not null,
  created_by uuid,
  trace_parent text,
  state text not null default 'queued' check (state in
    ('queued', 'dispatched', 'running',
     'succeeded', 'failed', 'cancelled', 'superseded', 'dead')),
  run_at timestamptz not null default now(),
  attempt smallint not null default 0 check (attempt >= 0),
  max_attempts smallint not null default 4 check (max_attempts > 0),
  resets smallint not null default 0,
  epoch integer not null default 0,
  celery_task_id text,
  lease_owner text,
  lease_until timestamptz,
  generation integer,
  stage text,
  percent smallint not null default 0 check (percent between 0 and 100),
  files_done integer not null default 0,
  files_total integer not null default 0,
  nodes bigint not null default 0,
  edges bigint not null default 0,
  error_code text,
  error_message text,
  report jsonb,
  snapshot_id uuid,
  superseded_by uuid,
  created_at timestamptz not null default now(),
  dispatched_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, job_id),
  -- A lease without a live job, or a live job without a lease, would be lost to the reaper.
  check ((state in ('dispatched', 'running')) = (lease_until is not null)),
  check ((state in ('queued', 'dispatched', 'running')) = (finished_at is null)),
  constraint jobs_tenant_id_repository_fkey
    foreign key (tenant_id, repository) references repositories (tenant_id, number)
-- Beats and progress change columns of no index: room on the page keeps them off the indexes.
) with (fillfactor = 70);
create index jobs_queue on jobs (tenant_id, priority, run_at, job_id) where state = 'queued';
create index jobs_waiting_flight on jobs (tenant_id, repository, flight) where state = 'queued';
create unique index jobs_live_flight on jobs (tenant_id, repository, flight)
  where state in ('dispatched', 'running');
create unique index jobs_idempotency_key on jobs (tenant_id, idempotency_key)
  where idempotency_key is not null;
create index jobs_repository on jobs (tenant_id, repository, job_id);

create table documents (
  tenant_id uuid not null,
  repository integer not null,
  document integer not null check (document > 0),
  key bytea not null check (octet_length(key) = 16),
  path_hash bigint not null,
  path bytea not null,
  display_path text collate "C" not null,
  blob_sha bytea not null,
  language text,
  fingerprint bytea not null,
  resolution bytea not null,
  status text not null check (status in ('parsed', 'partial', 'skipped')),
  skip_reason text,
  lines integer not null,
  size_bytes bigint not null,
  resolved integer not null,
  external integer not null,
  unresolved integer not null,
  node_count integer not null check (node_count >= 0),
  edge_count integer not null check (edge_count >= 0),
  loaded_at timestamptz not null default now(),
  primary key (tenant_id, repository, document),
  constraint documents_tenant_id_repository_key_key unique (tenant_id, repository, key),
  constraint documents_tenant_id_repository_fkey
    foreign key (tenant_id, repository) references repositories (tenant_id, number)
);
create index documents_path_hash on documents (tenant_id, repository, path_hash);

create table nodes (
  tenant_id uuid not null,
  repository integer not null,
  document integer not null,
  id bigint not null,
  parent bigint not null,
  line integer not null,
  utf16_column integer not null,
  start_line integer not null,
  end_line integer not null,
  flags integer not null,
  kind smallint not null,
  name text collate "C" not null,
  qualified_name text collate "C" not null,
  signature text not null,
  doc text not null,
  symbol text not null
);
create index nodes_id on nodes (tenant_id, repository, id) include (document);
create index nodes_name on nodes (tenant_id, repository, name);
create index nodes_qualified_name on nodes (tenant_id, repository, qualified_name);
create index nodes_document on nodes (tenant_id, repository, document);

create table edges (
  tenant_id uuid not null,
  repository integer not null,
  document integer not null,
  src bigint not null,
  dst bigint not null,
  line integer not null,
  utf16_column integer not null,
  kind smallint not null,
  certainty smallint not null,
  rule smallint not null,
  candidates smallint not null
);
create index edges_dst on edges (tenant_id, repository, dst, kind) include (src, document);
create index edges_src on edges (tenant_id, repository, src);
create index edges_document on edges (tenant_id, repository, document);

create table artifacts (
  tenant_id uuid not null constraint artifacts_tenant_id_fkey references tenants,
  kind text not null,
  sha256 bytea not null check (octet_length(sha256) = 32),
  size_bytes bigint not null check (size_bytes >= 0),
  repository integer,
  created_at timestamptz not null default now(),
  primary key (tenant_id, kind, sha256),
  constraint artifacts_tenant_id_repository_fkey
    foreign key (tenant_id, repository) references repositories (tenant_id, number)
);

insert into plans (code, max_running, max_queued, max_repositories)
values ('standard', 4, 10000, 10000);
"""

TENANT_TABLES = (
    "tenants",
    "api_keys",
    "counters",
    "repositories",
    "snapshots",
    "refs",
    "jobs",
    "documents",
    "nodes",
    "edges",
    "artifacts",
)

# The planner judges a tenant that came since the last ANALYZE as holding no rows: any index seems
# as good as the next, and it may choose one that leads it over all rows of the repository (measured
# on 43,000 nodes: 6 ms instead of 0.1 ms). So it is told once, and ANALYZE leaves it at that, that
# a tenant, and a repository, hold a tenth of a table. To be wrong that way costs nothing, because
# every query has a better condition as well. Servers before version 18 cannot be told.
STATISTICS = """
do $$
declare
  place record;
begin
  for place in
    select t as table_name, c as column_name, w as width
    from unnest(array['documents', 'nodes', 'edges']) t,
      (values ('tenant_id', 16), ('repository', 4)) columns (c, w)
  loop
    execute format('alter table %I alter column %I set statistics 0',
      place.table_name, place.column_name);
    if current_setting('server_version_num')::int >= 180000 then
      perform pg_restore_attribute_stats(
        'schemaname', 'codeloom', 'relname', place.table_name, 'attname', place.column_name,
        'inherited', false, 'null_frac', 0::real, 'avg_width', place.width,
        'n_distinct', 10::real);
    end if;
  end loop;
end $$;
"""

# No DELETE, TRUNCATE, REFERENCES or TRIGGER unless it is needed: what a role cannot do, a mistake
# in our code cannot do either.
GRANTS = """
grant usage on schema codeloom to codeloom_app, codeloom_worker, codeloom_authenticator,
  codeloom_dispatcher, codeloom_operator, codeloom_keyring;

grant select on alembic_version to codeloom_app, codeloom_worker, codeloom_dispatcher,
  codeloom_operator;
grant select on plans, tenants to codeloom_app, codeloom_worker, codeloom_dispatcher;

grant select, insert, update on api_keys, counters, repositories, jobs to codeloom_app;
grant select on refs, snapshots, documents, nodes, edges, artifacts to codeloom_app;

grant select, insert, update on counters, refs, jobs to codeloom_worker;
grant select on repositories to codeloom_worker;
grant select, insert, delete on snapshots, documents, nodes, edges, artifacts to codeloom_worker;

grant select, update on jobs to codeloom_dispatcher;
grant select, insert, update on plans, tenants to codeloom_operator;
grant select on jobs, repositories to codeloom_operator;

grant select (tenant_id, state) on tenants to codeloom_keyring;
grant select (tenant_id, key_id, secret_hash, scopes, repositories, expires_at, revoked_at,
  last_used_at), update (last_used_at) on api_keys to codeloom_keyring;
"""

# Policies beside the tenant's own: a role that works for all tenants, on the tables it works on.
POLICIES = """
create policy dispatcher on jobs to codeloom_dispatcher using (true) with check (true);
create policy dispatcher on tenants for select to codeloom_dispatcher using (true);
create policy operator on tenants to codeloom_operator using (true) with check (true);
create policy operator on jobs for select to codeloom_operator using (true);
create policy operator on repositories for select to codeloom_operator using (true);
create policy keyring on tenants for select to codeloom_keyring using (true);
create policy keyring on api_keys to codeloom_keyring using (true) with check (true);
"""

# The whole of what can be asked before a tenant is known: the hash in, one row out. `last_used_at`
# is written at most once a minute, and never waited for.
LOOKUP = """
create function authenticate(hash bytea)
returns table (tenant_id uuid, key_id uuid, scopes text[], repositories uuid[], tenant_state text)
language plpgsql volatile strict security definer
set search_path = pg_catalog, codeloom, pg_temp
as $$
#variable_conflict use_column
begin
  update api_keys set last_used_at = now()
  where (tenant_id, key_id) in (
    select k.tenant_id, k.key_id from api_keys k
    where k.secret_hash = hash
      and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
    for no key update skip locked
  );
  return query
    select k.tenant_id, k.key_id, k.scopes, k.repositories, t.state
    from api_keys k join tenants t on t.tenant_id = k.tenant_id
    where k.secret_hash = hash
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())
    limit 1;
end
$$;
revoke all on function authenticate(bytea) from public;
grant execute on function authenticate(bytea) to codeloom_authenticator;
-- A new owner needs CREATE for the moment of the change.
grant create on schema codeloom to codeloom_keyring;
alter function authenticate(bytea) owner to codeloom_keyring;
revoke create on schema codeloom from codeloom_keyring;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in TENANT_TABLES:
        op.execute(f"alter table {table} enable row level security, force row level security")
        op.execute(
            f"create policy tenant on {table} using (tenant_id = {TENANT})"
            f" with check (tenant_id = {TENANT})"
        )
    op.execute(STATISTICS)
    op.execute(GRANTS)
    op.execute(POLICIES)
    op.execute(LOOKUP)


def downgrade() -> None:
    raise NotImplementedError("The first schema is not taken back: drop the database.")
