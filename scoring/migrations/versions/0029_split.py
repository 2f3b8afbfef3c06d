"""A clue may be split: its parts know what they were a part of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0026"


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("clue_states", sa.Column("split_from", sa.String(200)))
    op.create_index("ix_clue_states_split", "clue_states", ["split_from"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_clue_states_split", "clue_states")
    op.drop_column("clue_states", "split_from")
