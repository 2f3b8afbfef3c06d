"""Clues in hand and those that ended are found by state and office, however many wait."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0023"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_clue_states_state", "clue_states", ["state", "office_id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_clue_states_state", "clue_states")
