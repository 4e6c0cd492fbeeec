"""Bills, loans, reminders, notices, service requests, and what customers are known by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("customers", sa.Column("kyc", sa.Text(), nullable=True))

    op.create_table(
        "bills",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_name", sa.String(120), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("consumer_number", sa.String(34), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("paid_by", sa.String(40), nullable=True),
        sa.Column("paid_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_bills_amount")),
        sa.CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name=op.f("ck_bills_paid")),
        sa.CheckConstraint("paid_by IS NULL OR state = 'paid'", name=op.f("ck_bills_paid_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_bills_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bills")),
    )
    op.create_index("ix_bills_customer_id_state_due_on", "bills", ["customer_id", "state", "due_on"])
    # Partial, or Postgres would take paying a bill for a change of its key, against every transfer that refers to it.
    op.create_index(
        "uq_bills_paid_by",
        "bills",
        ["paid_by"],
        unique=True,
        sqlite_where=sa.text("paid_by IS NOT NULL"),
        postgresql_where=sa.text("paid_by IS NOT NULL"),
    )

    op.create_table(
        "loans",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("annual_rate_bps", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("first_due_on", sa.Date(), nullable=False),
        sa.CheckConstraint("principal_minor > 0", name=op.f("ck_loans_principal")),
        sa.CheckConstraint("annual_rate_bps BETWEEN 0 AND 10000", name=op.f("ck_loans_rate")),
        sa.CheckConstraint("months BETWEEN 1 AND 480", name=op.f("ck_loans_months")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_loans_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loans")),
    )
    op.create_index("ix_loans_customer_id", "loans", ["customer_id"])
    op.create_table(
        "loan_payments",
        sa.Column("loan_id", sa.String(40), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paid_at", MOMENT, nullable=False),
        sa.Column("posting_id", sa.String(40), nullable=True),
        sa.CheckConstraint("n >= 1", name=op.f("ck_loan_payments_n")),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_loan_payments_loan_id")),
        sa.ForeignKeyConstraint(["posting_id"], ["postings.id"], name=op.f("fk_loan_payments_posting_id")),
        sa.PrimaryKeyConstraint("loan_id", "n", name=op.f("pk_loan_payments")),
        sa.UniqueConstraint("posting_id", name=op.f("uq_loan_payments_posting_id")),
    )

    op.create_table(
        "reminders",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("repeats", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_reminders_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
    )
    op.create_index("ix_reminders_customer_id_state_due_at", "reminders", ["customer_id", "state", "due_at"])
    op.create_index("ix_reminders_state_due_at", "reminders", ["state", "due_at"])

    op.create_table(
        "notices",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_notices_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_customer_id_at", "notices", ["customer_id", "at"])

    op.create_table(
        "service_requests",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_service_requests_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_requests")),
        sa.UniqueConstraint("customer_id", "key", name=op.f("uq_service_requests_customer_id_key")),
    )
    op.create_index("ix_service_requests_customer_id_created_at", "service_requests", ["customer_id", "created_at"])


def downgrade() -> None:
    op.drop_table("service_requests")
    op.drop_table("notices")
    op.drop_table("reminders")
    op.drop_table("loan_payments")
    op.drop_table("loans")
    op.drop_table("bills")
    op.drop_column("customers", "kyc")
