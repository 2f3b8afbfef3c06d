"""The first ledger: scores given, orders, keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "scores_given",
        sa.Column("score_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("clue_id", sa.String(64), nullable=False),
        sa.Column("office_id", sa.String(64)),
        sa.Column("moment", sa.DateTime, nullable=False),
        sa.Column("scorer", sa.String(64), nullable=False),
        sa.Column("features_fingerprint", sa.String(64), nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("margin", sa.Float, nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("base", sa.Float, nullable=False),
        sa.Column("feature_values", sa.JSON, nullable=False),
        sa.Column("contributions", sa.LargeBinary, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("given_at", sa.DateTime, nullable=False),
    )
    op.create_index("ix_scores_given_clue_id", "scores_given", ["clue_id"])
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("clue_id", sa.String(64), nullable=False, unique=True),
        sa.Column("office_id", sa.String(64)),
        sa.Column("ordered_at", sa.DateTime, nullable=False),
        sa.Column("ordered_by", sa.String(200), nullable=False),
        sa.Column("accept_until", sa.DateTime, nullable=False),
        sa.Column("verify_until", sa.DateTime, nullable=False),
        sa.Column("exploration", sa.Boolean, nullable=False),
        sa.Column("drawing_probability", sa.Float, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("office_id", sa.String(64)),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
    )


def downgrade() -> None:
    """Remove them."""
    for table in ("keys", "orders", "scores_given"):
        op.drop_table(table)
