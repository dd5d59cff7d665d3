"""Limits are rows: of a plan, of a tenant, what of them is used and what is promised.

Phase: pre (before the code that needs it).
Locks: `plans` and `tenants` exclusively, both small; `repositories`, `documents` and `artifacts`
exclusively while their rows are counted once, some seconds for ten million documents.

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

-- What one attempt at a job may use of a month and, once settled, what it did use.
create table reservations (
  tenant_id uuid not null,
  job_id uuid not null,
  epoch integer not null,
  resource text not null,
  period date not null,
  amount bigint not null check (amount >= 0),
  spent bigint not null default 0 check (spent between 0 and amount),
  settled_at timestamptz,
  primary key (tenant_id, job_id, epoch, resource),
  constraint reservations_tenant_id_job_id_fkey
    foreign key (tenant_id, job_id) references jobs (tenant_id, job_id) on delete cascade
);
create index reservations_open on reservations (tenant_id, resource, period)
  where settled_at is null;

-- What a transaction has used so far: posted and gone when it commits, so nobody else ever sees a
-- row, and a crash may empty it. Dead rows come fast; the index leads past them.
create unlogged table charges (
  tenant_id uuid not null,
  transaction bigint not null,
  resource text not null,
  period date not null,
  amount bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index charges_transaction on charges (transaction);
"""

# What is there is counted once. The owner is fenced like everybody, so the fence is opened for it;
# nobody else sees that, because the transaction holds these tables alone until the fence is back.
FILL = """
alter table repositories no force row level security;
alter table documents no force row level security;
alter table artifacts no force row level security;
insert into usage (tenant_id, resource, used)
  select tenant_id, 'repositories', count(*) from repositories
  where deleted_at is null group by tenant_id
  union all
  select tenant_id, resource, amount
  from (
    select tenant_id, count(*) as files, sum(lines) as lines, sum(node_count) as nodes
    from documents group by tenant_id
  ) stored
  cross join lateral (values ('files', files), ('lines', lines), ('nodes', nodes))
    counted (resource, amount)
  union all
  select tenant_id, 'stored_bytes', sum(size_bytes) from artifacts group by tenant_id;
alter table repositories force row level security;
alter table documents force row level security;
alter table artifacts force row level security;
"""

# Nobody but these functions writes `usage`: they run as their owner, whoever fires them. What a
# statement adds or removes is charged at once and posted at the commit, so that a load, which may
# go on for seconds, keeps no other load of its tenant waiting.
BOOKKEEPING = """
create function charge_repositories() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  insert into charges (tenant_id, transaction, resource, period, amount)
  select tenant_id, pg_current_xact_id()::text::bigint, 'repositories', '0001-01-01',
    count(*) * tg_argv[0]::bigint
  from changed where deleted_at is null group by tenant_id;
  return null;
end
$$;

create function charge_documents() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  insert into charges (tenant_id, transaction, resource, period, amount)
  select tenant_id, pg_current_xact_id()::text::bigint, resource, '0001-01-01',
    amount * tg_argv[0]::bigint
  from (
    select tenant_id, count(*) as files, sum(lines) as lines, sum(node_count) as nodes
    from changed group by tenant_id
  ) counts
  cross join lateral (values ('files', files), ('lines', lines), ('nodes', nodes))
    counted (resource, amount)
  where amount <> 0;
  return null;
end
$$;

create function charge_artifacts() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  insert into charges (tenant_id, transaction, resource, period, amount)
  select tenant_id, pg_current_xact_id()::text::bigint, 'stored_bytes', '0001-01-01',
    sum(size_bytes) * tg_argv[0]::bigint
  from changed group by tenant_id;
  return null;
end
$$;

-- However an attempt ends: what it spent stays charged to the month it was reserved in, the rest is
-- free again. Time is measured here, by the clock that started it.
create function settle_job() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  with settled as (
    update reservations r
    set settled_at = now(),
      spent = case r.resource when 'job_minutes'
        then least(r.amount, ceil(extract(epoch from now() - old.started_at))::bigint)
        else r.spent end
    where r.tenant_id = old.tenant_id and r.job_id = old.job_id and r.epoch = old.epoch
      and r.settled_at is null
    returning r.tenant_id, r.resource, r.period, r.spent
  )
  insert into charges (tenant_id, transaction, resource, period, amount)
  select tenant_id, pg_current_xact_id()::text::bigint, resource, period, spent
  from settled where spent > 0;
  return null;
end
$$;

-- The first charge of a transaction posts all of them, in one order for everybody: rows of `usage`
-- are the last that any transaction locks, so nobody who holds one waits for anything else.
create function post_charges() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
declare
  charge record;
  total bigint;
  allowed bigint;
begin
  for charge in
    with taken as (
      delete from charges where transaction = pg_current_xact_id()::text::bigint
      returning tenant_id, resource, period, amount
    )
    select tenant_id, resource, period, sum(amount)::bigint as amount from taken
    group by tenant_id, resource, period having sum(amount) <> 0
    order by tenant_id, resource, period
  loop
    update usage u set used = u.used + charge.amount
    where u.tenant_id = charge.tenant_id and u.resource = charge.resource
      and u.period = charge.period
    returning u.used into total;
    continue when charge.amount < 0;
    if not found then
      insert into usage as u (tenant_id, resource, period, used)
      values (charge.tenant_id, charge.resource, charge.period, charge.amount)
      on conflict (tenant_id, resource, period) do update set used = u.used + excluded.used
      returning u.used into total;
    end if;
    -- What is used in a month was reserved before: it is within the limit that held then.
    continue when charge.period <> '0001-01-01';
    select limit_of(t.limits, p.limits, charge.resource) into allowed
    from tenants t join plans p on p.code = t.plan
    where t.tenant_id = charge.tenant_id;
    if total > allowed then
      raise exception using errcode = 'QU001', message = 'a quota is exceeded',
        detail = jsonb_build_object('resource', charge.resource, 'limit', allowed,
          'used', total - charge.amount, 'asked', charge.amount);
    end if;
  end loop;
  return null;
end
$$;

create constraint trigger charges_posted after insert on charges
  deferrable initially deferred for each row execute function post_charges();

create trigger jobs_settled after update of state on jobs for each row
  when (old.state = 'running' and new.state <> 'running') execute function settle_job();
"""

# Tables whose rows are counted, by function and event: what is new adds, what is old takes away.
COUNTED = {
    "repositories": ("insert", "update", "delete"),
    "documents": ("insert", "delete"),
    "artifacts": ("insert", "delete"),
}
FUNCTIONS = (*(f"charge_{table}" for table in COUNTED), "settle_job", "post_charges")

GRANTS = """
grant select on usage, reservations to codeloom_app, codeloom_worker, codeloom_operator;
grant insert, update (amount, spent) on reservations to codeloom_worker;
create policy operator on usage for select to codeloom_operator using (true);
create policy operator on reservations for select to codeloom_operator using (true);

grant usage on schema codeloom to codeloom_bookkeeper;
grant select, insert, update on usage to codeloom_bookkeeper;
grant select, update on reservations to codeloom_bookkeeper;
grant select, insert, delete on charges to codeloom_bookkeeper;
grant select (tenant_id, plan, limits) on tenants to codeloom_bookkeeper;
grant select (code, limits) on plans to codeloom_bookkeeper;
create policy bookkeeper on usage to codeloom_bookkeeper using (true) with check (true);
create policy bookkeeper on reservations to codeloom_bookkeeper using (true) with check (true);
create policy bookkeeper on charges to codeloom_bookkeeper using (true) with check (true);
create policy bookkeeper on tenants for select to codeloom_bookkeeper using (true);

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
    op.execute(FILL)
    for table in ("usage", "reservations", "charges"):
        op.execute(f"alter table {table} enable row level security, force row level security")
        op.execute(
            f"create policy tenant on {table} using (tenant_id = {TENANT})"
            f" with check (tenant_id = {TENANT})"
        )
    op.execute(BOOKKEEPING)
    for table, events in COUNTED.items():
        for event in events:
            if event != "delete":
                _count(table, event, of="new", sign=1)
            if event != "insert":
                _count(table, event, of="old", sign=-1)
    op.execute(GRANTS)
    _hand_over()
    op.execute(LOOKUP)


def _count(table: str, event: str, *, of: str, sign: int) -> None:
    op.execute(
        f"create trigger {table}_{event}_{of} after {event} on {table}"
        f" referencing {of} table as changed"
        f" for each statement execute function charge_{table}('{sign}')"
    )


def _hand_over() -> None:
    # A new owner needs CREATE for the moment of the change.
    op.execute("grant create on schema codeloom to codeloom_bookkeeper")
    for function in FUNCTIONS:
        op.execute(f"revoke all on function {function}() from public")
        op.execute(f"alter function {function}() owner to codeloom_bookkeeper")
    op.execute("revoke create on schema codeloom from codeloom_bookkeeper")


def downgrade() -> None:
    raise NotImplementedError("Limits are not taken back: the plans would lose them.")
