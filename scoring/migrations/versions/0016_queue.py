"""The week's ranking, kept so that a page of the queue is an indexed query."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scoring.ledger.tables import Number

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the tables, empty: the first look at the queue fills them."""
    op.create_table(
        "queue_places",
        sa.Column("clue_id", sa.String(200), primary_key=True),
        sa.Column("office_id", sa.String(200), nullable=False),
        sa.Column("below", sa.Integer, nullable=False),
        sa.Column("minus_value", sa.Float, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("margin", sa.Float, nullable=False),
        sa.Column("urgency", sa.Float, nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("exploration", sa.Boolean, nullable=False),
        sa.Column("floor", sa.Boolean, nullable=False),
        sa.Column("drawing_probability", sa.Float, nullable=False),
        sa.Column("supervision_model", sa.String(200)),
        sa.Column("raised_at", sa.DateTime, nullable=False),
        sa.Column("score_id", Number),
    )
    op.create_index("ix_queue_places_all", "queue_places", ["below", "minus_value", "clue_id"])
    op.create_index(
        "ix_queue_places_office", "queue_places", ["office_id", "below", "minus_value", "clue_id"]
    )
    op.create_table(
        "queue_offices",
        sa.Column("office_id", sa.String(200), primary_key=True),
        sa.Column("week", sa.String(8), nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("within", sa.Integer, nullable=False),
        sa.Column("seed", sa.String(200), nullable=False),
    )
    op.create_table(
        "queue_mark",
        sa.Column("mark_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", Number, nullable=False),
        sa.Column("week", sa.String(8), nullable=False),
        sa.Column("ends", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    for name in ("queue_mark", "queue_offices", "queue_places"):
        op.drop_table(name)
