"""Keys and credentials are counted, and limited like everything that a tenant makes.

Phase: pre (before the code that tells of them; the code before it is refused by them as by others).
Locks: `api_keys`, `credentials` and `usage` exclusively, while the first two are counted once.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# A key counts until it is revoked or another has taken its place: one that leaked can be replaced
# also where there may be no more. An expired one counts still, for its owner may yet extend it.
BOOKKEEPING = """
create function charge_keys() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  insert into charges (tenant_id, transaction, resource, period, amount)
  select tenant_id, pg_current_xact_id()::text::bigint, 'api_keys', '0001-01-01',
    count(*) * tg_argv[0]::bigint
  from changed where revoked_at is null and replaced_by is null group by tenant_id;
  return null;
end
$$;

-- Most updates of a key note its use, which charges nothing.
create function charge_key() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  insert into charges (tenant_id, transaction, resource, period, amount)
  values (new.tenant_id, pg_current_xact_id()::text::bigint, 'api_keys', '0001-01-01',
    case when new.revoked_at is null and new.replaced_by is null then 1 else -1 end);
  return null;
end
$$;

create function charge_credentials() returns trigger
language plpgsql security definer set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  insert into charges (tenant_id, transaction, resource, period, amount)
  select tenant_id, pg_current_xact_id()::text::bigint, 'credentials', '0001-01-01',
    count(*) * tg_argv[0]::bigint
  from changed group by tenant_id;
  return null;
end
$$;

create trigger api_keys_insert_new after insert on api_keys referencing new table as changed
  for each statement execute function charge_keys('1');
create trigger api_keys_delete_old after delete on api_keys referencing old table as changed
  for each statement execute function charge_keys('-1');
create trigger api_keys_update after update of revoked_at, replaced_by on api_keys for each row
  when ((old.revoked_at is null and old.replaced_by is null)
    <> (new.revoked_at is null and new.replaced_by is null))
  execute function charge_key();
create trigger credentials_insert_new after insert on credentials
  referencing new table as changed for each statement execute function charge_credentials('1');
create trigger credentials_delete_old after delete on credentials
  referencing old table as changed for each statement execute function charge_credentials('-1');
"""
FUNCTIONS = ("charge_keys", "charge_key", "charge_credentials")

# The owner is fenced like everybody: the fence is opened for it while it counts, and nobody else
# sees that, because the transaction holds these tables alone until the fence is back.
FILL = """
alter table api_keys no force row level security;
alter table credentials no force row level security;
alter table usage no force row level security;
insert into usage (tenant_id, resource, used)
  select tenant_id, 'api_keys', count(*) from api_keys
  where revoked_at is null and replaced_by is null group by tenant_id
  union all
  select tenant_id, 'credentials', count(*) from credentials group by tenant_id;
alter table api_keys force row level security;
alter table credentials force row level security;
alter table usage force row level security;
"""

PLANS = """
update plans set limits = '{"api_keys": 1000, "credentials": 1000}' || limits;
"""


def upgrade() -> None:
    op.execute(BOOKKEEPING)
    # A new owner needs CREATE for the moment of the change.
    op.execute("grant create on schema codeloom to codeloom_bookkeeper")
    for function in FUNCTIONS:
        op.execute(f"revoke all on function {function}() from public")
        op.execute(f"alter function {function}() owner to codeloom_bookkeeper")
    op.execute("revoke create on schema codeloom from codeloom_bookkeeper")
    op.execute(FILL)
    op.execute(PLANS)


def downgrade() -> None:
    raise NotImplementedError("Limits are not taken back: the plans would lose them.")
