"""Keys: who holds one, and until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0005"


def upgrade() -> None:
    """Add both columns, empty for the keys that are there."""
    with op.batch_alter_table("keys") as table:
        table.add_column(sa.Column("holder", sa.String(200)))
        table.add_column(sa.Column("expires_at", sa.DateTime))


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("keys") as table:
        table.drop_column("expires_at")
        table.drop_column("holder")
