"""Agent profiles: what operators have chosen for each agent type."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_profiles",
        sa.Column("agent_type", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("voice", sa.String(length=100), nullable=False),
        sa.Column("voice_of", sa.String(length=64), nullable=False),
        sa.Column("stt_provider", sa.String(length=200), nullable=True),
        sa.Column("llm_provider", sa.String(length=200), nullable=True),
        sa.Column("tts_provider", sa.String(length=200), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("agent_type", name=op.f("pk_agent_profiles")),
    )


def downgrade() -> None:
    op.drop_table("agent_profiles")
