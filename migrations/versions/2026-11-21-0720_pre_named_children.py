"""A job that fails for one of its children names the first that did not succeed.

Phase: pre (before the code that needs it).
Locks: none that anybody meets.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

JOIN = """
create or replace function join_children() returns trigger
language plpgsql
set search_path = pg_catalog, codeloom, pg_temp
as $$
declare
  needs_all boolean;
  children bigint;
  bad bigint;
  named text := '';
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
    -- naming
    update jobs p
    set state = 'failed', finished_at = now(), error_code = 'child_failed',
      error_message = format('%s of the %s jobs that this one needs did not succeed%s.',
        bad, children, named)
    where p.tenant_id = new.tenant_id and p.job_id = new.parent_job_id;
  else
    update jobs p set state = 'queued', run_at = least(p.run_at, now())
    where p.tenant_id = new.tenant_id and p.job_id = new.parent_job_id;
  end if;
  perform pg_notify('codeloom_jobs', '');
  return null;
end
$$;
"""


NAMING = """
    select format('; %s is %s', c.job_id, c.state)
      || case when c.error_code is null then '' else format(' (%s)', c.error_code) end
    into named
    from jobs c
    where c.tenant_id = new.tenant_id and c.parent_job_id = new.parent_job_id
      and c.parent_epoch = new.parent_epoch and c.state <> 'succeeded'
    order by c.finished_at, c.job_id limit 1;
"""


def upgrade() -> None:
    op.execute(JOIN.replace("-- naming", NAMING))


def downgrade() -> None:
    op.execute(JOIN)
