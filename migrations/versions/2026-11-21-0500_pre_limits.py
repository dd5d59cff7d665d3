"""Limits are rows: of a plan, of a tenant, what of them is used and what is promised.

Phase: pre (before the code that needs it).
Locks: `plans` and `tenants` exclusively, both small.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

PLANS = """
alter table plans add column title text not null default '' check (length(title) <= 200);
alter table plans add column limits jsonb not null default '{}'
  check (jsonb_typeof(limits) = 'object');
update plans set title = initcap(code), limits = jsonb_build_object(
  'repositories', max_repositories, 'running_jobs', max_running, 'queued_jobs', max_queued,
  'requests_per_minute', 6000, 'key_requests_per_minute', 3000);
alter table plans drop column max_running;
alter table plans drop column max_queued;
alter table plans drop column max_repositories;
alter table tenants add column limits jsonb not null default '{}'
  check (jsonb_typeof(limits) = 'object');

-- What counts: the tenant's own limit, else its plan's; null where there is none.
create function limit_of(own jsonb, of_plan jsonb, name text) returns bigint
language sql immutable parallel safe
return coalesce((own ->> name)::bigint, (of_plan ->> name)::bigint);
"""

USAGE = """
create table usage (
  tenant_id uuid not null constraint usage_tenant_id_fkey references tenants,
  resource text not null,
  -- The first day of the month that is counted; what is counted as a whole has the first of all.
  period date not null default '0001-01-01',
  used bigint not null default 0 check (used >= 0),
  primary key (tenant_id, resource, period)
) with (fillfactor = 50);

create table reservations (
  tenant_id uuid not null,
  job_id uuid not null,
  resource text not null,
  period date not null default '0001-01-01',
  amount bigint not null check (amount >= 0),
  spent bigint not null default 0 check (spent >= 0),
  primary key (tenant_id, job_id, resource),
  constraint reservations_tenant_id_job_id_fkey
    foreign key (tenant_id, job_id) references jobs (tenant_id, job_id) on delete cascade
);
"""

GRANTS = """
grant select on usage, reservations to codeloom_app, codeloom_operator;
grant insert, update on usage to codeloom_app;
grant select, insert, update on usage to codeloom_worker;
grant select, insert, update, delete on reservations to codeloom_worker;
create policy operator on usage for select to codeloom_operator using (true);
create policy operator on reservations for select to codeloom_operator using (true);
grant select (code, limits) on plans to codeloom_keyring;
grant select (plan, limits, suspended_reason) on tenants to codeloom_keyring;
"""

LOOKUP = """
drop function authenticate(bytea);
create function authenticate(hash bytea)
returns table (
  tenant_id uuid, key_id uuid, scopes text[], repositories uuid[], expires_at timestamptz,
  tenant_state text, suspended_reason text, plan text,
  requests_per_minute bigint, key_requests_per_minute bigint
)
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
    select k.tenant_id, k.key_id, k.scopes, k.repositories, k.expires_at,
      t.state, t.suspended_reason, t.plan,
      limit_of(t.limits, p.limits, 'requests_per_minute'),
      limit_of(t.limits, p.limits, 'key_requests_per_minute')
    from api_keys k join tenants t on t.tenant_id = k.tenant_id join plans p on p.code = t.plan
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
    op.execute(PLANS)
    op.execute(USAGE)
    for table in ("usage", "reservations"):
        op.execute(f"alter table {table} enable row level security, force row level security")
        op.execute(
            f"create policy tenant on {table} using (tenant_id = {TENANT})"
            f" with check (tenant_id = {TENANT})"
        )
    op.execute(GRANTS)
    op.execute(LOOKUP)


def downgrade() -> None:
    raise NotImplementedError("Limits are not taken back: the plans would lose them.")
