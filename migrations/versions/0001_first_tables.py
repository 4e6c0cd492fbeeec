"""People, codes, calls and the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "otp_codes",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("label", sa.String(120), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.CheckConstraint("max_uses >= 0", name=op.f("ck_otp_codes_max_uses")),
        sa.CheckConstraint("uses >= 0", name=op.f("ck_otp_codes_uses")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_otp_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_otp_codes_code_hash")),
    )
    op.create_index("ix_otp_codes_created_at", "otp_codes", ["created_at"])

    op.create_table(
        "postings",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("category", sa.String(40), nullable=True),
        sa.Column("narration", sa.String(200), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reverses", sa.String(40), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["reverses"], ["postings.id"], name=op.f("fk_postings_reverses")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
        sa.UniqueConstraint("key", name=op.f("uq_postings_key")),
        sa.UniqueConstraint("reverses", name=op.f("uq_postings_reverses")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(32), nullable=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("phone", name=op.f("uq_users_phone")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_table(
        "accesses",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("otp_id", sa.String(40), nullable=True),
        sa.Column("user_id", sa.String(40), nullable=True),
        sa.Column("agent_type", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("call_id", sa.String(40), nullable=True),
        sa.Column("returned_at", MOMENT, nullable=True),
        sa.CheckConstraint("(otp_id IS NULL) <> (user_id IS NULL)", name=op.f("ck_accesses_one_bearer")),
        sa.ForeignKeyConstraint(["otp_id"], ["otp_codes.id"], name=op.f("fk_accesses_otp_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accesses_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accesses")),
        sa.UniqueConstraint("call_id", name=op.f("uq_accesses_call_id")),
    )
    op.create_index("ix_accesses_at", "accesses", ["at"])
    op.create_index("ix_accesses_otp_id_agent_type", "accesses", ["otp_id", "agent_type", "at"])

    op.create_table(
        "calls",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("agent_type", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=True),
        sa.Column("otp_id", sa.String(40), nullable=True),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("node", sa.String(120), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("connected_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.String(64), nullable=True),
        sa.Column("stt", sa.String(64), nullable=True),
        sa.Column("llm", sa.String(64), nullable=True),
        sa.Column("tts", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["otp_id"], ["otp_codes.id"], name=op.f("fk_calls_otp_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index("ix_calls_otp_id", "calls", ["otp_id"])
    op.create_index("ix_calls_started_at", "calls", ["started_at"])
    op.create_index("ix_calls_state_node", "calls", ["state", "node"])
    op.create_index("ix_calls_subject", "calls", ["subject"])

    op.create_table(
        "customers",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("demo_number", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.String(40), nullable=True),
        sa.Column("guest_of", sa.String(40), nullable=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(32), nullable=True),
        sa.Column("kyc_status", sa.String(20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("user_id IS NULL OR guest_of IS NULL", name=op.f("ck_customers_one_owner")),
        sa.ForeignKeyConstraint(["guest_of"], ["otp_codes.id"], name=op.f("fk_customers_guest_of")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_customers_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("demo_number", name=op.f("uq_customers_demo_number")),
        sa.UniqueConstraint("guest_of", name=op.f("uq_customers_guest_of")),
        sa.UniqueConstraint("user_id", name=op.f("uq_customers_user_id")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("number", sa.String(34), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.Column("floor_minor", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.CheckConstraint("(customer_id IS NULL) = (kind = 'internal')", name=op.f("ck_accounts_owner")),
        sa.CheckConstraint(
            "kind = 'internal' OR floor_minor IS NOT NULL", name=op.f("ck_accounts_customers_have_a_floor")
        ),
        sa.CheckConstraint("floor_minor IS NULL OR balance_minor >= floor_minor", name=op.f("ck_accounts_floor")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_accounts_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("number", name=op.f("uq_accounts_number")),
    )
    op.create_index("ix_accounts_customer_id", "accounts", ["customer_id"])
    op.create_index(
        "uq_accounts_primary",
        "accounts",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("is_primary"),
        postgresql_where=sa.text("is_primary"),
    )

    op.create_table(
        "beneficiaries",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("nickname", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("account_number", sa.String(34), nullable=False),
        sa.Column("ifsc", sa.String(11), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_beneficiaries_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beneficiaries")),
        sa.UniqueConstraint("customer_id", "nickname", name=op.f("uq_beneficiaries_customer_id_nickname")),
    )
    op.create_table(
        "turns",
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("role IN ('user', 'assistant', 'tool')", name=op.f("ck_turns_role")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_turns_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_turns")),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("posting_id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_minor", sa.BigInteger(), nullable=False),
        sa.Column("counterparty", sa.String(120), nullable=False),
        sa.Column("narration", sa.String(200), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_entries_amount")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_entries_account_id")),
        sa.ForeignKeyConstraint(["posting_id"], ["postings.id"], name=op.f("fk_entries_posting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("posting_id", "account_id", name=op.f("uq_entries_posting_id_account_id")),
    )
    op.create_index("ix_entries_account_id_id", "entries", ["account_id", "id"])

    _make_append_only("postings", "entries")


def downgrade() -> None:
    op.drop_table("entries")
    op.drop_table("turns")
    op.drop_table("beneficiaries")
    op.drop_table("accounts")
    op.drop_table("customers")
    op.drop_table("calls")
    op.drop_table("accesses")
    op.drop_table("users")
    op.drop_table("postings")
    op.drop_table("otp_codes")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _make_append_only(*tables: str) -> None:
    """Let the database itself refuse to change or delete what is in `tables`."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """
            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
            END $$
            """
        )
        for table in tables:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
    else:
        for table in tables:
            for act in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
