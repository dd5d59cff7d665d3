"""Jobs ask for jobs: a job may have a parent, and may wait for its children.

Phase: pre (before the code that needs it).
Locks: `jobs` exclusively, while its rows are checked and two indexes are made.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = """
alter table jobs
  add column parent_job_id uuid,
  -- The dispatch of the parent that asked; children of an earlier one do not decide for a later.
  add column parent_epoch integer,
  -- Of a job that waits: whether a child that does not succeed fails it.
  add column needs_all boolean not null default true,
  drop constraint jobs_state_check,
  drop constraint jobs_check1,
  add constraint jobs_state_check check (state in
    ('queued', 'dispatched', 'running', 'waiting',
     'succeeded', 'failed', 'cancelled', 'superseded', 'dead')),
  add constraint jobs_finished_check check
    ((state in ('queued', 'dispatched', 'running', 'waiting')) = (finished_at is null)),
  add constraint jobs_parent_check check ((parent_job_id is null) = (parent_epoch is null));
create index jobs_parent on jobs (tenant_id, parent_job_id, job_id)
  where parent_job_id is not null;
drop index jobs_waiting_flight;
create index jobs_waiting_flight on jobs (tenant_id, repository, flight)
  where state in ('queued', 'waiting');
"""

# A trigger, because a child ends by many ways: its worker's, a tenant's, the reaper's.
JOIN = """
create function join_children() returns trigger
language plpgsql
set search_path = pg_catalog, codeloom, pg_temp
as $$
declare
  needs_all boolean;
  children bigint;
  bad bigint;
begin
  -- Two that end at once take turns here, so the second of them sees the first one's end.
  select p.needs_all into needs_all from jobs p
  where p.tenant_id = new.tenant_id and p.job_id = new.parent_job_id
    and p.epoch = new.parent_epoch and p.state = 'waiting'
  for no key update;
  if not found or exists (
    select from jobs c
    where c.tenant_id = new.tenant_id and c.parent_job_id = new.parent_job_id
      and c.parent_epoch = new.parent_epoch and c.finished_at is null
  ) then
    return null;
  end if;
  select count(*), count(*) filter (where c.state <> 'succeeded') into children, bad
  from jobs c
  where c.tenant_id = new.tenant_id and c.parent_job_id = new.parent_job_id
    and c.parent_epoch = new.parent_epoch;
  if bad > 0 and needs_all then
    update jobs p
    set state = 'failed', finished_at = now(), error_code = 'child_failed',
      error_message = format('%s of the %s jobs that this one needs did not succeed.',
        bad, children)
    where p.tenant_id = new.tenant_id and p.job_id = new.parent_job_id;
  else
    update jobs p set state = 'queued', run_at = least(p.run_at, now())
    where p.tenant_id = new.tenant_id and p.job_id = new.parent_job_id;
  end if;
  perform pg_notify('codeloom_jobs', '');
  return null;
end
$$;
revoke all on function join_children() from public;

create trigger jobs_joined after update of state on jobs for each row
when (new.parent_job_id is not null and old.finished_at is null and new.finished_at is not null)
execute function join_children();
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(JOIN)


def downgrade() -> None:
    op.execute("drop trigger jobs_joined on jobs")
    op.execute("drop function join_children()")
    op.execute(
        "update jobs set state = 'cancelled', finished_at = now() where state = 'waiting';"
        "drop index jobs_waiting_flight;"
        "create index jobs_waiting_flight on jobs (tenant_id, repository, flight)"
        " where state = 'queued';"
        "drop index jobs_parent;"
        "alter table jobs drop constraint jobs_parent_check, drop constraint jobs_finished_check,"
        " drop constraint jobs_state_check,"
        " add constraint jobs_state_check check (state in ('queued', 'dispatched', 'running',"
        " 'succeeded', 'failed', 'cancelled', 'superseded', 'dead')),"
        " add constraint jobs_check1 check"
        " ((state in ('queued', 'dispatched', 'running')) = (finished_at is null)),"
        " drop column needs_all, drop column parent_epoch, drop column parent_job_id"
    )
