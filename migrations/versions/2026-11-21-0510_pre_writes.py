"""What every write leaves behind: an audit event, and the answer for its idempotency key.

Phase: pre (before the code that needs it).
Locks: `jobs` exclusively, for a moment.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

TABLES = """
-- No reference to the tenant: what was done outlives whom it was done to.
create table audit_events (
  tenant_id uuid not null,
  event_id uuid not null,
  at timestamptz not null default now(),
  actor_kind text not null check (actor_kind in ('key', 'operator', 'system')),
  actor_id uuid,
  action text not null check (length(action) between 1 and 100),
  target_kind text check (length(target_kind) between 1 and 100),
  target_id text check (length(target_id) <= 1024),
  outcome text not null check (outcome in ('succeeded', 'refused', 'failed')),
  code text check (length(code) <= 100),
  request_id text check (length(request_id) <= 100),
  primary key (tenant_id, event_id),
  check ((outcome = 'succeeded') = (code is null))
);

create table idempotency_records (
  tenant_id uuid not null constraint idempotency_records_tenant_id_fkey references tenants,
  idempotency_key text not null check (octet_length(idempotency_key) between 1 and 255),
  fingerprint bytea not null check (octet_length(fingerprint) = 32),
  -- The answer; without one as long as its transaction is under way, which nobody else can see.
  status smallint,
  headers jsonb not null default '{}',
  body bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, idempotency_key)
);

drop index jobs_idempotency_key;
alter table jobs drop column idempotency_key;
alter table jobs drop column request_fingerprint;
"""

# Events can be added and read, never changed.
GRANTS = """
grant select, insert on audit_events to codeloom_app, codeloom_operator;
grant insert on audit_events to codeloom_worker;
create policy operator on audit_events for select to codeloom_operator using (true);
grant select, insert, update on idempotency_records to codeloom_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("audit_events", "idempotency_records"):
        op.execute(f"alter table {table} enable row level security, force row level security")
        op.execute(
            f"create policy tenant on {table} using (tenant_id = {TENANT})"
            f" with check (tenant_id = {TENANT})"
        )
    op.execute(GRANTS)


def downgrade() -> None:
    raise NotImplementedError("Audit events are not thrown away.")
