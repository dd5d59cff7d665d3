"""Every change of a job's state is told to whoever listens, when it is committed.

Phase: pre (before the code that needs it).
Locks: `jobs` exclusively, for a moment.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Ids and a word: who may listen may see those of all tenants, and only our own roles log in.
TRIGGER = """
create function tell_job_state() returns trigger
language plpgsql
set search_path = pg_catalog, codeloom, pg_temp
as $$
begin
  perform pg_notify('codeloom_job_states', concat_ws('/', new.tenant_id, new.job_id, new.state));
  return null;
end
$$;
revoke all on function tell_job_state() from public;

create trigger jobs_made after insert on jobs for each row execute function tell_job_state();
create trigger jobs_moved after update of state on jobs for each row
when (old.state is distinct from new.state) execute function tell_job_state();
"""


def upgrade() -> None:
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger jobs_made on jobs")
    op.execute("drop trigger jobs_moved on jobs")
    op.execute("drop function tell_job_state()")
