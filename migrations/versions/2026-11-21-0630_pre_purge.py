"""Workers may forget the refs of a removed repository.

Phase: pre (before the code that needs it).
Locks: none.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("grant delete on refs to codeloom_worker")


def downgrade() -> None:
    op.execute("revoke delete on refs from codeloom_worker")
