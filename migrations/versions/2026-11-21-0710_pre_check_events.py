"""What the clock finds wrong is among the operators' events.

Phase: pre (before the code that needs it).
Locks: `operator_events` against writing while it is read once.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("grant insert on operator_events to codeloom_maintainer")
    op.execute(
        "create index operator_events_failures on operator_events (action) where outcome = 'failed'"
    )


def downgrade() -> None:
    op.execute("drop index operator_events_failures")
    op.execute("revoke insert on operator_events from codeloom_maintainer")
