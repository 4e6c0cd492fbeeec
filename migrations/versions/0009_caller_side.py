"""Answers as the caller's page measured them: round trip, jitter buffer, playout."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = ("rtt_ms", "jitter_buffer_ms", "playout_ms")


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("answers", sa.Column(column, sa.Integer(), nullable=True))


def downgrade() -> None:
    for column in reversed(COLUMNS):
        op.drop_column("answers", column)
