"""What the portal and its operators need: codes in detail, usage, answer times, refusals, summed traffic."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STAGES = ("endpointing", "transcription", "turn", "llm", "tool", "sentence", "tts", "output", "other")


def upgrade() -> None:
    op.add_column("otp_codes", sa.Column("deleted_at", MOMENT, nullable=True))
    op.add_column("otp_codes", sa.Column("created_by", sa.String(40), nullable=True))
    op.add_column("otp_codes", sa.Column("clear_sealed", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("last_login_at", MOMENT, nullable=True))
    op.add_column("calls", sa.Column("rating", sa.SmallInteger(), nullable=True))
    op.add_column("calls", sa.Column("rating_comment", sa.String(500), nullable=True))
    op.create_index(
        "ix_calls_rated",
        "calls",
        ["started_at"],
        sqlite_where=sa.text("rating IS NOT NULL"),
        postgresql_where=sa.text("rating IS NOT NULL"),
    )
    op.drop_index("ix_calls_otp_id", "calls")
    op.create_index("ix_calls_otp_id_started_at", "calls", ["otp_id", "started_at"])
    op.create_index("ix_accesses_at_agent_type", "accesses", ["at", "agent_type"])
    op.drop_index("ix_accesses_at", "accesses")
    op.create_index("ix_service_requests_created_at", "service_requests", ["created_at"])

    op.create_table(
        "call_usage",
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(120), nullable=True),
        sa.Column("audio_ms", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_usage_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "kind", "provider", name=op.f("pk_call_usage")),
    )
    op.create_table(
        "answers",
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("greeting", sa.Boolean(), nullable=False),
        sa.Column("total_ms", sa.Integer(), nullable=False),
        *(sa.Column(f"{stage}_ms", sa.Integer(), nullable=False) for stage in STAGES),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_answers_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_answers")),
    )
    op.create_index("ix_answers_at", "answers", ["at"])
    op.create_table(
        "call_events",
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_events_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_call_events")),
    )
    op.create_table(
        "refusals",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("agent_type", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(120), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_refusals_count")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
    )
    op.create_index("ix_refusals_at", "refusals", ["at"])
    op.create_table(
        "traffic",
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agent_type", sa.String(64), nullable=False),
        sa.Column("last_access_at", MOMENT, nullable=True),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in (
                *("accesses", "calls", "connected", "failed", "refused", "seconds", "cost_micros", "turns"),
                "answer_ms",
                *(f"{stage}_ms" for stage in STAGES),
            )
        ),
        sa.PrimaryKeyConstraint("quarter", "agent_type", name=op.f("pk_traffic")),
    )
    op.create_table(
        "traffic_answers",
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agent_type", sa.String(64), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("quarter", "agent_type", "bucket", name=op.f("pk_traffic_answers")),
    )
    op.create_table(
        "traffic_summed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traffic_summed")),
    )
    op.execute("INSERT INTO traffic_summed (id, until) VALUES (1, NULL)")


def downgrade() -> None:
    for table in ("traffic_summed", "traffic_answers", "traffic", "refusals", "call_events", "answers", "call_usage"):
        op.drop_table(table)
    op.drop_index("ix_service_requests_created_at", "service_requests")
    op.create_index("ix_accesses_at", "accesses", ["at"])
    op.drop_index("ix_accesses_at_agent_type", "accesses")
    op.drop_index("ix_calls_otp_id_started_at", "calls")
    op.create_index("ix_calls_otp_id", "calls", ["otp_id"])
    op.drop_index("ix_calls_rated", "calls")
    for table, columns in (
        ("calls", ("rating_comment", "rating")),
        ("users", ("last_login_at",)),
        ("otp_codes", ("clear_sealed", "created_by", "deleted_at")),
    ):
        for column in columns:
            op.drop_column(table, column)
