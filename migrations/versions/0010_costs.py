"""What calls cost in more detail: cache writes, estimates, prices that are not known, each answer's share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COUNTS = {"call_usage": ("cache_write_tokens", "estimated_answers"), "traffic": ("unpriced",)}


def upgrade() -> None:
    op.add_column("answers", sa.Column("cost_micros", sa.BigInteger(), nullable=True))
    for table, columns in COUNTS.items():
        for column in columns:
            op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, existing_type=sa.BigInteger(), server_default=None)
            if table == "call_usage":
                batch.alter_column("cost_micros", existing_type=sa.BigInteger(), nullable=True)


def downgrade() -> None:
    op.execute("UPDATE call_usage SET cost_micros = 0 WHERE cost_micros IS NULL")
    for table, columns in COUNTS.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)
            if table == "call_usage":
                batch.alter_column("cost_micros", existing_type=sa.BigInteger(), nullable=False)
    op.drop_column("answers", "cost_micros")
