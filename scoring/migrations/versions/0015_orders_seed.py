"""Orders keep what they were drawn from, and are found by office and week."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; what was ordered before has no seed."""
    op.add_column("orders", sa.Column("seed", sa.String(200)))
    op.add_column(
        "orders", sa.Column("floor", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("ix_orders_office", "orders", ["office_id", "ordered_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_orders_office", "orders")
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("floor")
        orders.drop_column("seed")
