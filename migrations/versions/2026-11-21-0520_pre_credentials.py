"""Credentials for private repositories, sealed; and which key came in the place of which.

Phase: pre (before the code that needs it).
Locks: `api_keys` exclusively, for a moment.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

TABLES = """
-- The key that a rotation made in the place of this one.
alter table api_keys add column replaced_by uuid;

create table credentials (
  tenant_id uuid not null constraint credentials_tenant_id_fkey references tenants,
  credential_id uuid not null,
  name text not null check (length(name) between 1 and 200),
  kind text not null check (kind in ('token', 'basic')),
  -- The one host it may be sent to, in its canonical form, with the port if it is not 443.
  host text not null check (octet_length(host) between 1 and 270 and host = lower(host)),
  username text check (length(username) between 1 and 256),
  sealed bytea not null check (octet_length(sealed) between 1 and 16384),
  -- Which key of the keyring sealed it, as the sealed bytes say themselves.
  sealed_with text not null check (octet_length(sealed_with) between 1 and 64),
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_used_at timestamptz,
  primary key (tenant_id, credential_id),
  constraint credentials_username check (kind = 'token' or username is not null)
);
"""

# A secret that is not wanted any more is gone, not marked: the application may delete it. A worker
# opens it and notes that it did. An operator sees which keys of the keyring are still needed.
GRANTS = """
grant select, insert, update, delete on credentials to codeloom_app;
grant select, update (last_used_at) on credentials to codeloom_worker;
grant select (tenant_id, credential_id, sealed_with) on credentials to codeloom_operator;
"""

POLICIES = f"""
alter table credentials enable row level security, force row level security;
create policy tenant on credentials using (tenant_id = {TENANT}) with check (tenant_id = {TENANT});
create policy operator on credentials for select to codeloom_operator using (true);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)
    op.execute(POLICIES)


def downgrade() -> None:
    raise NotImplementedError("Credentials are not thrown away.")
