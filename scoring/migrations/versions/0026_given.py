"""What offices were given lately is found without a look at every event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the index, of moves to dispatched alone."""
    given = sa.text("to_state = 'dispatched'")
    op.create_index(
        "ix_clue_events_given",
        "clue_events",
        ["kept_at"],
        postgresql_where=given,
        sqlite_where=given,
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_clue_events_given", "clue_events")
