"""The audit chain; scores kept in batches whose digest it holds; wider ids and numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scoring.ledger.tables import Number

revision = "0003"
down_revision = "0002"
GENESIS = "0" * 64


def upgrade() -> None:
    """Make the tables; widen `scores_given`."""
    with op.batch_alter_table("scores_given") as table:
        table.alter_column("score_id", type_=Number, existing_type=sa.Integer, nullable=False)
        table.alter_column("clue_id", type_=sa.String(200), existing_type=sa.String(64))
        table.alter_column("office_id", type_=sa.String(200), existing_type=sa.String(64))
        table.add_column(sa.Column("purpose", sa.String(8), nullable=False, server_default="work"))
        table.add_column(sa.Column("given_clue", sa.JSON))
        table.add_column(sa.Column("batch", sa.String(32), nullable=False, server_default=""))
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE scores_given_score_id_seq AS bigint")
    op.drop_index("ix_scores_given_clue_id", "scores_given")
    op.create_index("ix_scores_given_clue", "scores_given", ["clue_id", "purpose", "score_id"])
    op.create_index("ix_scores_given_batch", "scores_given", ["batch"])
    op.create_table(
        "audit",
        sa.Column("seq", Number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("about", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_about", "audit", ["about"])
    head = op.create_table(
        "audit_head",
        sa.Column("head_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", Number, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"head_id": 1, "seq": 0, "digest": GENESIS}])


def downgrade() -> None:
    """Remove them; ids longer than before stay in SQLite only."""
    op.drop_table("audit_head")
    op.drop_table("audit")
    op.drop_index("ix_scores_given_batch", "scores_given")
    op.drop_index("ix_scores_given_clue", "scores_given")
    with op.batch_alter_table("scores_given") as table:
        for name in ("batch", "given_clue", "purpose"):
            table.drop_column(name)
        table.alter_column("office_id", type_=sa.String(64), existing_type=sa.String(200))
        table.alter_column("clue_id", type_=sa.String(64), existing_type=sa.String(200))
    op.create_index("ix_scores_given_clue_id", "scores_given", ["clue_id"])
