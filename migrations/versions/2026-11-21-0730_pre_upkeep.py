"""The next job of upkeep is found at once behind however many others.

Phase: pre (before the code that needs it; the code before it finds its way without).
Locks: `jobs` against writing while the jobs that wait are read once.

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create index jobs_upkeep on jobs (tenant_id, large, priority, run_at, job_id)"
        " where state = 'queued' and kind = 'purge'"
    )


def downgrade() -> None:
    op.execute("drop index jobs_upkeep")
