"""A job knows since when it has been put off, so that it is not put off for ever.

Phase: pre (before the code that needs it).
Locks: `jobs` exclusively, for a moment.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table jobs add column put_off_since timestamptz")


def downgrade() -> None:
    op.execute("alter table jobs drop column put_off_since")
