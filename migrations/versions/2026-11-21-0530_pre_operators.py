"""Operators: their keys, what they did, and which tenants they had erased.

Phase: pre (before the code that needs it).
Locks: `audit_events` and `counters` against writing while they are read once.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
create table operator_keys (
  key_id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  last_characters text not null check (length(last_characters) = 4),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create unique index operator_keys_secret_hash on operator_keys (secret_hash);

create table operator_events (
  event_id uuid primary key,
  at timestamptz not null default now(),
  actor_kind text not null check (actor_kind in ('operator', 'command_line', 'system')),
  actor_id uuid,
  action text not null check (length(action) between 1 and 100),
  target_kind text check (length(target_kind) between 1 and 100),
  target_id text check (length(target_id) <= 1024),
  -- No reference to the tenant: what was done outlives whom it was done to.
  tenant_id uuid,
  outcome text not null check (outcome in ('succeeded', 'refused', 'failed')),
  code text check (length(code) <= 100),
  request_id text check (length(request_id) <= 100),
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
  check ((outcome = 'succeeded') = (code is null)),
  check ((actor_kind = 'operator') = (actor_id is not null))
);
create index operator_events_tenant on operator_events (tenant_id, event_id)
  where tenant_id is not null;

create table erasures (
  erasure_id uuid primary key,
  -- No reference to the tenant: this is what is left of it.
  tenant_id uuid not null constraint erasures_tenant_id_key unique,
  tenant_name text not null,
  requested_by uuid,
  requested_at timestamptz not null default now(),
  state text not null default 'requested'
    check (state in ('requested', 'stopping', 'erasing', 'finished')),
  -- What was removed so far: rows by table, objects and bytes by kind, keys in Redis.
  counts jsonb not null default '{}' check (jsonb_typeof(counts) = 'object'),
  -- What is being removed outside of the database, so that after a crash nothing counts twice.
  in_hand jsonb,
  -- One higher with each step: whoever has read an older one changes nothing any more.
  revision integer not null default 0,
  nudged_at timestamptz,
  worked_at timestamptz,
  finished_at timestamptz,
  checked_at timestamptz,
  check ((state = 'finished') = (finished_at is not null))
);
"""

# A tenant's row goes last. With a way of references from every table to it, nothing can be written
# for a tenant that is gone, however late the writer is. Nodes and edges come with their documents.
REFERENCES = """
alter table audit_events add constraint audit_events_tenant_id_fkey
  foreign key (tenant_id) references tenants;
alter table counters add constraint counters_tenant_id_fkey
  foreign key (tenant_id) references tenants;
"""

# Events can be added and read, never changed. The eraser may delete from every table of tenants,
# and the fence of each table, which it cannot pass, says of whom.
GRANTS = """
grant select, insert on operator_events to codeloom_operator;
grant select, insert, update (revoked_at) on operator_keys to codeloom_operator;
grant select, insert on erasures to codeloom_operator;

grant usage on schema codeloom to codeloom_eraser;
grant select on alembic_version to codeloom_eraser;
grant select, update on erasures to codeloom_eraser;
grant insert on operator_events to codeloom_eraser;
do $$
declare
  place regclass;
begin
  for place in
    select oid from pg_class
    where relnamespace = 'codeloom'::regnamespace and relkind in ('r', 'p') and relrowsecurity
      and not relispartition
  loop
    execute format('grant select, delete on %s to codeloom_eraser', place);
  end loop;
end $$;

grant select, update (nudged_at) on erasures to codeloom_dispatcher;

grant select (key_id, name, secret_hash, expires_at, revoked_at, last_used_at),
  update (last_used_at) on operator_keys to codeloom_keyring;
"""

# As for the keys of tenants: the hash in, one row out.
LOOKUP = """
create function authenticate_operator(hash bytea)
returns table (key_id uuid, name text, expires_at timestamptz)
language plpgsql volatile strict security definer
set search_path = pg_catalog, codeloom, pg_temp
as $$
#variable_conflict use_column
begin
  update operator_keys set last_used_at = now()
  where key_id in (
    select k.key_id from operator_keys k
    where k.secret_hash = hash
      and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
    for no key update skip locked
  );
  return query
    select k.key_id, k.name, k.expires_at from operator_keys k
    where k.secret_hash = hash
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now());
end
$$;
revoke all on function authenticate_operator(bytea) from public;
grant execute on function authenticate_operator(bytea) to codeloom_authenticator;
-- A new owner needs CREATE for the moment of the change.
grant create on schema codeloom to codeloom_keyring;
alter function authenticate_operator(bytea) owner to codeloom_keyring;
revoke create on schema codeloom from codeloom_keyring;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(REFERENCES)
    op.execute(GRANTS)
    op.execute(LOOKUP)


def downgrade() -> None:
    raise NotImplementedError("What operators did is not thrown away.")
