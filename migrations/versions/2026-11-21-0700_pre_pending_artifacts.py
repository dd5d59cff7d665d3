"""What is about to be stored, or to be removed from the store, is written down before.

Phase: pre (before the code that needs it).
Locks: none that matters, the table is new.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

TABLE = """
create table pending_artifacts (
  tenant_id uuid not null,
  job_id uuid not null,
  epoch integer not null,
  kind text not null,
  sha256 bytea not null check (octet_length(sha256) = 32),
  discarded boolean not null default false,
  announced_at timestamptz not null default now(),
  primary key (tenant_id, job_id, epoch, kind, sha256),
  constraint pending_artifacts_tenant_id_job_id_fkey foreign key (tenant_id, job_id)
    references jobs (tenant_id, job_id) on delete cascade
);
create index pending_artifacts_object on pending_artifacts (tenant_id, kind, sha256);
alter table pending_artifacts enable row level security, force row level security;
"""

# Whoever looks after what killed workers left learns whose it is, and goes on in that tenant.
RIGHTS = f"""
create policy tenant on pending_artifacts using (tenant_id = {TENANT})
  with check (tenant_id = {TENANT});
create policy maintainer on pending_artifacts for select to codeloom_maintainer using (true);
grant select on pending_artifacts to codeloom_app, codeloom_maintainer;
grant select, insert, update, delete on pending_artifacts to codeloom_worker;
grant select, delete on pending_artifacts to codeloom_eraser;
-- An artifact that is stored again is a young one.
grant update (created_at) on artifacts to codeloom_worker;
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("revoke update (created_at) on artifacts from codeloom_worker")
    op.execute("drop table pending_artifacts")
