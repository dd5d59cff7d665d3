"""Every attempt of a job leaves a row, written by the database whoever changes the job.

Phase: pre (before the code that needs it).
Locks: `jobs` exclusively, for a moment.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

TABLE = """
create table job_attempts (
  tenant_id uuid not null,
  job_id uuid not null,
  epoch integer not null,
  attempt smallint not null,
  worker text,
  started_at timestamptz not null default now(),
  -- How it ended: the state that the job went on to; none while it runs.
  ended_at timestamptz,
  outcome text,
  stage text,
  error_code text,
  error_message text,
  primary key (tenant_id, job_id, epoch),
  constraint job_attempts_tenant_id_job_id_fkey
    foreign key (tenant_id, job_id) references jobs (tenant_id, job_id) on delete cascade,
  check ((ended_at is null) = (outcome is null))
);

-- A trigger, because a job leaves `running` by many ways: its worker's, a tenant's, the reaper's.
create function record_attempt() returns trigger
language plpgsql
set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  if new.state = 'running' then
    insert into job_attempts (tenant_id, job_id, epoch, attempt, worker)
    values (new.tenant_id, new.job_id, new.epoch, new.attempt, new.lease_owner);
  else
    update job_attempts a
    set ended_at = clock_timestamp(), outcome = new.state, stage = coalesce(new.stage, old.stage),
      error_code = case when new.state = 'succeeded' then null else new.error_code end,
      error_message = case when new.state = 'succeeded' then null else new.error_message end
    where a.tenant_id = old.tenant_id and a.job_id = old.job_id and a.epoch = old.epoch
      and a.ended_at is null;
  end if;
  return null;
end
$$;
revoke all on function record_attempt() from public;

create trigger jobs_attempts after update of state on jobs for each row
when (old.state is distinct from new.state and (old.state = 'running' or new.state = 'running'))
execute function record_attempt();
"""

GRANTS = """
grant select, insert, update on job_attempts to codeloom_app, codeloom_worker,
  codeloom_dispatcher;
grant select on job_attempts to codeloom_operator, codeloom_eraser;
grant delete on job_attempts to codeloom_eraser;
create policy dispatcher on job_attempts to codeloom_dispatcher using (true) with check (true);
create policy operator on job_attempts for select to codeloom_operator using (true);
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute("alter table job_attempts enable row level security, force row level security")
    op.execute(
        f"create policy tenant on job_attempts using (tenant_id = {TENANT})"
        f" with check (tenant_id = {TENANT})"
    )
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("drop trigger jobs_attempts on jobs")
    op.execute("drop function record_attempt()")
    op.execute("drop table job_attempts")
