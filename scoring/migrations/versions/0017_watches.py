"""Offices that look on at the handling of a clue: by supervision, or because it is overdue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scoring.ledger.tables import Number

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "watches",
        sa.Column("watch_id", Number, primary_key=True, autoincrement=True),
        sa.Column("clue_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("office_id", sa.String(200), nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("about", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.UniqueConstraint("clue_id", "kind", "office_id", "about", name="uq_watches"),
    )
    op.create_index("ix_watches_office", "watches", ["office_id", "ended_at"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("watches")
