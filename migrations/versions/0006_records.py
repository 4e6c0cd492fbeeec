"""The audit log, webhooks with their outbox, and kept answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=True),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=True),
        sa.Column("customer_id", sa.String(40), nullable=True),
        sa.Column("result", sa.String(10), nullable=False),
        sa.Column("command", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_act_seq", "audit_log", ["act", "seq"])
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_index("ix_audit_log_call_id", "audit_log", ["call_id"])
    op.create_index("ix_audit_log_customer_id_seq", "audit_log", ["customer_id", "seq"])
    _make_a_chain()

    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("events", sa.String(200), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("last_success_at", MOMENT, nullable=True),
        sa.Column("last_error", sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("webhook_id", sa.String(40), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index("ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"])
    op.create_index("ix_webhook_deliveries_due", "webhook_deliveries", ["webhook_id", "state", "next_try_at"])

    op.create_table(
        "kept_answers",
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("subject", "route", "key", name=op.f("pk_kept_answers")),
    )
    op.create_index("ix_kept_answers_created_at", "kept_answers", ["created_at"])


def downgrade() -> None:
    op.drop_table("kept_answers")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
    op.execute("DROP VIEW audit_head")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_head_locked()")
        op.execute("DROP FUNCTION chain_hash(text, text)")
    op.drop_table("audit_log")


def _make_a_chain() -> None:
    """Give the chain an end to add to, and let the database itself refuse to change or delete records.

    `audit_head` is the end: place and hash of the last record. The function `chain_hash` that makes the next hash is
    the application's on SQLite, which knows no SHA-256.
    """
    if op.get_bind().dialect.name == "postgresql":
        # Each statement of such a function sees what was committed when it began: the end is read after the wait.
        op.execute(
            """
            CREATE FUNCTION audit_head_locked() RETURNS TABLE (seq bigint, hash text) LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock(hashtext('parley.audit'));
                RETURN QUERY SELECT a.seq, a.hash::text FROM audit_log a ORDER BY a.seq DESC LIMIT 1;
                IF NOT FOUND THEN
                    RETURN QUERY SELECT 0::bigint, repeat('0', 64);
                END IF;
            END $$
            """
        )
        op.execute("CREATE VIEW audit_head AS SELECT seq, hash FROM audit_head_locked()")
        op.execute(
            """
            CREATE FUNCTION chain_hash(previous text, content text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
                SELECT encode(sha256(decode(previous, 'hex') || convert_to(content, 'UTF8')), 'hex')
            $$
            """
        )
        op.execute(
            "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        op.execute(
            """
            CREATE VIEW audit_head AS SELECT
                coalesce((SELECT seq FROM audit_log ORDER BY seq DESC LIMIT 1), 0) AS seq,
                coalesce((SELECT hash FROM audit_log ORDER BY seq DESC LIMIT 1), printf('%064d', 0)) AS hash
            """
        )
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{act.lower()} BEFORE {act} ON audit_log "
                "BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
            )
        # INSERT OR REPLACE deletes without asking the trigger above.
        op.execute(
            "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log "
            "WHEN EXISTS (SELECT 1 FROM audit_log WHERE seq = NEW.seq) "
            "BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
        )
