"""Operators see the dead jobs of all tenants at once, and may have one tried again or put aside.

Phase: pre (before the code that needs it).
Locks: `jobs` against writing while it is read once.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create index jobs_dead on jobs (job_id) where state = 'dead'")
    # Its policy for all tenants is for reading: an operator changes a row only inside of a tenant.
    op.execute("grant update on jobs to codeloom_operator")


def downgrade() -> None:
    op.execute("revoke update on jobs from codeloom_operator")
    op.execute("drop index jobs_dead")
