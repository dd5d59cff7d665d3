"""What runs by the clock is rows, and a role removes what is past its time.

Phase: pre (before the code that needs it).
Locks: none that matters, the table is new.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

TABLES = """
create table periodic_work (
  name text primary key,
  every_seconds integer not null check (every_seconds > 0),
  due_at timestamptz not null,
  next_run_at timestamptz not null,
  run integer not null default 0,
  fired_at timestamptz,
  finished_at timestamptz,
  error_code text,
  done integer,
  seconds real
);

-- Audit events that are in the object store and no longer in their table.
create table audit_archives (
  tenant_id uuid not null constraint audit_archives_tenant_id_fkey references tenants,
  sha256 bytea not null check (octet_length(sha256) = 32),
  size_bytes bigint not null check (size_bytes > 0),
  events integer not null check (events > 0),
  first_at timestamptz not null,
  last_at timestamptz not null,
  archived_at timestamptz not null default now(),
  primary key (tenant_id, sha256)
);
"""

GRANTS = """
grant usage on schema codeloom to codeloom_maintainer;
grant select on alembic_version, plans, tenants to codeloom_maintainer;
grant select, insert, update, delete on periodic_work to codeloom_maintainer;
grant select on periodic_work to codeloom_operator;
grant select, delete on audit_events, idempotency_records, api_keys to codeloom_maintainer;
grant select, insert on audit_archives to codeloom_maintainer;
grant select on audit_archives to codeloom_app, codeloom_operator, codeloom_eraser;
grant delete on audit_archives to codeloom_eraser;
"""

# What is past its time, over all tenants. The policies say what that is: a mistake in a statement
# cannot remove what is still needed. Retention is set by the operator, never below these bounds.
POLICIES = """
create policy operator on audit_archives for select to codeloom_operator using (true);
create policy maintainer on tenants for select to codeloom_maintainer using (true);
create policy maintainer on idempotency_records for all to codeloom_maintainer
  using (expires_at < now()) with check (false);
create policy maintainer on api_keys for all to codeloom_maintainer
  using (least(revoked_at, expires_at) < now() - interval '30 days') with check (false);
create policy maintainer_keeps on audit_events as restrictive for delete to codeloom_maintainer
  using (at < now() - interval '30 days');
create policy maintainer_keeps on api_keys as restrictive for delete to codeloom_maintainer
  using (least(revoked_at, expires_at) < now() - interval '30 days');
create policy maintainer_keeps on idempotency_records as restrictive for delete
  to codeloom_maintainer using (expires_at < now());
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute("alter table audit_archives enable row level security, force row level security")
    op.execute(
        f"create policy tenant on audit_archives using (tenant_id = {TENANT})"
        f" with check (tenant_id = {TENANT})"
    )
    op.execute(GRANTS)
    op.execute(POLICIES)


def downgrade() -> None:
    raise NotImplementedError("Archives of audit events are not forgotten.")
