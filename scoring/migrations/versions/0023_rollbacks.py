"""A proposal says what it proposes: a promotion, or that the champion before is put back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0020"


def upgrade() -> None:
    """Add the column; what was proposed until now were promotions."""
    with op.batch_alter_table("promotions") as table:
        table.add_column(
            sa.Column("change", sa.String(16), nullable=False, server_default="promoted")
        )


def downgrade() -> None:
    """Remove it."""
    with op.batch_alter_table("promotions") as table:
        table.drop_column("change")
