"""Proposals to change the champion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "promotions",
        sa.Column("promotion_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("scorer", sa.String(64), nullable=False),
        sa.Column("open_for", sa.String(64), unique=True),
        sa.Column("champion", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", sa.String(200), nullable=False),
        sa.Column("proposed_at", sa.DateTime, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("failed", sa.JSON, nullable=False),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("decided_at", sa.DateTime),
    )
    op.create_index("ix_promotions_scorer", "promotions", ["scorer"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("promotions")
