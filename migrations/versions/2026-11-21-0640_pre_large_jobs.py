"""Jobs of large repositories are told from the others, so that they cannot take every slot.

Phase: pre (before the code that needs it).
Locks: `jobs` exclusively, for a moment.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table jobs add column large boolean not null default false")


def downgrade() -> None:
    op.execute("alter table jobs drop column large")
