"""When a tenant last had its turn is found at once.

Phase: pre (before the code that needs it).
Locks: `jobs` against writing while it is read once.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create index jobs_turns on jobs (tenant_id, dispatched_at) where dispatched_at is not null"
    )


def downgrade() -> None:
    op.execute("drop index jobs_turns")
