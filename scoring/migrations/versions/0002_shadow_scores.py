"""Shadow scores: what a challenger would have said beside the champion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shadow_scores",
        sa.Column("shadow_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("clue_id", sa.String(200), nullable=False),
        sa.Column("moment", sa.DateTime, nullable=False),
        sa.Column("champion", sa.String(64), nullable=False),
        sa.Column("champion_margin", sa.Float, nullable=False),
        sa.Column("challenger", sa.String(64), nullable=False),
        sa.Column("challenger_margin", sa.Float, nullable=False),
        sa.Column("dropped_before", sa.Integer, nullable=False),
        sa.Column("given_at", sa.DateTime, nullable=False),
    )
    op.create_index("ix_shadow_scores_pair", "shadow_scores", ["challenger", "champion"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("shadow_scores")
