"""Transfers, limits of customers, and payees that can be removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

# What was drafted: never changed afterwards.
FROZEN = (
    *("id", "customer_id", "account_id", "beneficiary_id", "bill_id", "payee_name", "payee_detail", "payee_tail"),
    *("payee_alike", "amount_minor", "currency", "mode", "note", "factor", "link", "channel", "actor", "call_id"),
    *("key", "request_hash", "created_at"),
)
STEPS = {
    "drafted": ("confirmed", "declined", "expired", "failed"),
    "confirmed": ("challenged", "posted", "failed"),
    "challenged": ("confirmed", "declined", "expired", "failed"),
}


def upgrade() -> None:
    with op.batch_alter_table("beneficiaries") as table:
        table.add_column(sa.Column("removed_at", MOMENT, nullable=True))
        table.drop_constraint("uq_beneficiaries_customer_id_nickname", type_="unique")
    op.create_index(
        "uq_beneficiaries_nickname",
        "beneficiaries",
        ["customer_id", "nickname"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index("ix_beneficiaries_customer_id_created_at", "beneficiaries", ["customer_id", "created_at"])

    op.create_table(
        "customer_limits",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("per_transfer_minor", sa.BigInteger(), nullable=False),
        sa.Column("per_day_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("per_day_minor >= 0", name=op.f("ck_customer_limits_per_day")),
        sa.CheckConstraint("per_transfer_minor >= 0", name=op.f("ck_customer_limits_per_transfer")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_customer_limits_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", "channel", name=op.f("pk_customer_limits")),
    )

    op.create_table(
        "transfers",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("beneficiary_id", sa.String(40), nullable=True),
        sa.Column("bill_id", sa.String(40), nullable=True),
        sa.Column("payee_name", sa.String(120), nullable=False),
        sa.Column("payee_detail", sa.String(120), nullable=False),
        sa.Column("payee_tail", sa.String(4), nullable=False),
        sa.Column("payee_alike", sa.Boolean(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("note", sa.String(80), nullable=False),
        sa.Column("factor", sa.String(20), nullable=False),
        sa.Column("link", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("challenge_id", sa.String(40), nullable=True),
        sa.Column("posted_at", MOMENT, nullable=True),
        sa.Column("posting_id", sa.String(40), nullable=True),
        sa.Column("balance_after_minor", sa.BigInteger(), nullable=True),
        sa.Column("failure_code", sa.String(40), nullable=True),
        sa.Column("failure_text", sa.String(300), nullable=True),
        sa.CheckConstraint("(beneficiary_id IS NULL) <> (bill_id IS NULL)", name=op.f("ck_transfers_one_target")),
        sa.CheckConstraint("(state = 'failed') = (failure_code IS NOT NULL)", name=op.f("ck_transfers_failure")),
        sa.CheckConstraint("(state = 'posted') = (posting_id IS NOT NULL)", name=op.f("ck_transfers_posting")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_transfers_amount")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_transfers_account_id")),
        sa.ForeignKeyConstraint(["beneficiary_id"], ["beneficiaries.id"], name=op.f("fk_transfers_beneficiary_id")),
        sa.ForeignKeyConstraint(["bill_id"], ["bills.id"], name=op.f("fk_transfers_bill_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_transfers_customer_id")),
        sa.ForeignKeyConstraint(["posting_id"], ["postings.id"], name=op.f("fk_transfers_posting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("customer_id", "key", name=op.f("uq_transfers_customer_id_key")),
        sa.UniqueConstraint("posting_id", name=op.f("uq_transfers_posting_id")),
    )
    op.create_index("ix_transfers_customer_id_created_at", "transfers", ["customer_id", "created_at"])
    op.create_index("ix_transfers_customer_id_posted_at", "transfers", ["customer_id", "posted_at"])
    op.create_index("ix_transfers_state_expires_at", "transfers", ["state", "expires_at"])
    _guard()


def downgrade() -> None:
    op.drop_table("transfers")  # with its triggers
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION guard_transfer()")
    op.drop_table("customer_limits")
    op.execute("DELETE FROM beneficiaries WHERE removed_at IS NOT NULL")
    op.drop_index("ix_beneficiaries_customer_id_created_at", "beneficiaries")
    op.drop_index("uq_beneficiaries_nickname", "beneficiaries")
    with op.batch_alter_table("beneficiaries") as table:
        table.create_unique_constraint("uq_beneficiaries_customer_id_nickname", ["customer_id", "nickname"])
        table.drop_column("removed_at")


def _guard() -> None:
    """Let the database itself hold a transfer to what was drafted, to its steps, and to its end."""
    postgres = op.get_bind().dialect.name == "postgresql"
    differ = "IS DISTINCT FROM" if postgres else "IS NOT"
    changed = " OR ".join(f"NEW.{column} {differ} OLD.{column}" for column in FROZEN)
    steps = " OR ".join(
        f"(OLD.state = '{of}' AND NEW.state IN ({', '.join(repr(to) for to in tos)}))" for of, tos in STEPS.items()
    )
    # A draft's time may be prolonged once: to its challenge's.
    prolonged = f"NEW.expires_at {differ} OLD.expires_at AND NEW.state <> 'challenged'"
    refusals = (
        (changed, "what was drafted never changes"),
        (f"NOT ({steps})", "no such step"),
        (prolonged, "time is not prolonged"),
    )
    if not postgres:
        cases = " ".join(f"WHEN {wrong} THEN RAISE(ABORT, 'transfers: {why}')" for wrong, why in refusals)
        op.execute(f"CREATE TRIGGER transfers_guard BEFORE UPDATE ON transfers BEGIN SELECT CASE {cases} END; END")
        op.execute(
            "CREATE TRIGGER transfers_no_delete BEFORE DELETE ON transfers "
            "BEGIN SELECT RAISE(ABORT, 'transfers: never deleted'); END"
        )
        # INSERT OR REPLACE deletes without asking the trigger above.
        op.execute(
            "CREATE TRIGGER transfers_no_replace BEFORE INSERT ON transfers WHEN EXISTS (SELECT 1 FROM transfers WHERE "
            "id = NEW.id OR (customer_id = NEW.customer_id AND key = NEW.key) OR posting_id = NEW.posting_id) "
            "BEGIN SELECT RAISE(ABORT, 'transfers: never deleted'); END"
        )
        return
    cases = " ".join(
        f"ELSIF {wrong} THEN RAISE EXCEPTION 'transfers: {why}' USING ERRCODE = 'restrict_violation';"
        for wrong, why in refusals
    )
    op.execute(
        f"""
        CREATE FUNCTION guard_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'UPDATE' THEN
                RAISE EXCEPTION 'transfers: never deleted' USING ERRCODE = 'restrict_violation';
            {cases}
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER transfers_guard BEFORE UPDATE OR DELETE ON transfers "
        "FOR EACH ROW EXECUTE FUNCTION guard_transfer()"
    )
    op.execute(
        "CREATE TRIGGER transfers_no_truncate BEFORE TRUNCATE ON transfers "
        "FOR EACH STATEMENT EXECUTE FUNCTION guard_transfer()"
    )
