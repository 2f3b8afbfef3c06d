"""Messages to other systems that wait to be delivered, and who wants them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scoring.ledger.tables import Number

revision = "0020"
down_revision = "0022"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "exchange_destinations",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("kinds", sa.JSON, nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
    )
    op.create_table(
        "outbox",
        sa.Column("message_no", Number, primary_key=True, autoincrement=True),
        sa.Column("message_id", sa.String(64), nullable=False, unique=True),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("clue_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_tried_at", sa.DateTime),
        sa.Column("next_at", sa.DateTime, nullable=False),
        sa.Column("settled_at", sa.DateTime),
        sa.Column("said", sa.String(200), nullable=False),
    )
    op.create_index("ix_outbox_due", "outbox", ["destination", "state", "next_at"])
    op.create_index("ix_outbox_clue", "outbox", ["destination", "clue_id", "message_no"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("outbox")
    op.drop_table("exchange_destinations")
