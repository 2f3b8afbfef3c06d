"""The life of a clue: where it stands, and every change that brought it there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scoring.ledger.tables import Number

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "clue_states",
        sa.Column("clue_id", sa.String(200), primary_key=True),
        sa.Column("office_id", sa.String(200)),
        sa.Column("supervision_model", sa.String(200)),
        sa.Column("raised_at", sa.DateTime, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("score_id", Number),
        sa.Column("margin", sa.Float),
        sa.Column("probability", sa.Float),
        sa.Column("dispatched_at", sa.DateTime),
        sa.Column("accept_until", sa.DateTime),
        sa.Column("verify_until", sa.DateTime),
        sa.Column("merged_into", sa.String(200)),
    )
    op.create_index("ix_clue_states_queue", "clue_states", ["office_id", "open", "margin"])
    op.create_index("ix_clue_states_open", "clue_states", ["open", "margin"])
    op.create_index("ix_clue_states_verify", "clue_states", ["open", "verify_until"])
    op.create_index("ix_clue_states_merged", "clue_states", ["merged_into"])
    op.create_table(
        "clue_events",
        sa.Column("event_id", Number, primary_key=True, autoincrement=True),
        sa.Column("clue_id", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("from_state", sa.String(20)),
        sa.Column("to_state", sa.String(20), nullable=False),
        sa.Column("decided_at", sa.DateTime, nullable=False),
        sa.Column("reported_at", sa.DateTime, nullable=False),
        sa.Column("kept_at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("office_id", sa.String(200)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("record", sa.String(64)),
        sa.Column("to_admit", sa.Boolean, nullable=False),
        sa.UniqueConstraint("clue_id", "version", name="uq_clue_events_version"),
        sa.UniqueConstraint("clue_id", "record", name="uq_clue_events_record"),
    )
    op.create_index("ix_clue_events_to_admit", "clue_events", ["to_admit"])
    # Clues scored before stand as scored, those ordered as dispatched; what outcomes say of them
    # is taken from the records at the next scoring.
    op.execute("""
        INSERT INTO clue_states (clue_id, office_id, raised_at, state, open, version, since,
                                 score_id, margin, probability, dispatched_at, accept_until,
                                 verify_until)
        SELECT s.clue_id, s.office_id, s.moment,
               CASE WHEN o.clue_id IS NULL THEN 'scored' ELSE 'dispatched' END, true, 1,
               coalesce(o.ordered_at, s.given_at), s.score_id, s.margin, s.probability,
               o.ordered_at, o.accept_until, o.verify_until
        FROM scores_given s LEFT JOIN orders o ON o.clue_id = s.clue_id
        WHERE s.score_id IN (SELECT max(score_id) FROM scores_given GROUP BY clue_id)
    """)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("clue_events")
    op.drop_table("clue_states")
