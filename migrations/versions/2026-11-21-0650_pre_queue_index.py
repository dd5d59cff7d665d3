"""The next job of a tenant is found at once, a large one as well as one that is not.

Phase: pre (before the code that needs it; the code before it finds its way with either index).
Locks: `jobs` against writing while the jobs that wait are read once, then exclusively for a moment.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("drop index jobs_queue")
    op.execute(
        "create index jobs_queue on jobs (tenant_id, large, priority, run_at, job_id)"
        " where state = 'queued'"
    )


def downgrade() -> None:
    op.execute("drop index jobs_queue")
    op.execute(
        "create index jobs_queue on jobs (tenant_id, priority, run_at, job_id)"
        " where state = 'queued'"
    )
