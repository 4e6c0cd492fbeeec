"""Holds: money set aside on an account; and what is posted cannot be replaced either."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# INSERT OR REPLACE deletes without asking the triggers of revision 0001.
TAKEN = {
    "postings": "id = NEW.id OR key = NEW.key OR reverses = NEW.reverses",
    "entries": "id = NEW.id OR (posting_id = NEW.posting_id AND account_id = NEW.account_id)",
}
ACTIVE = sa.text("released_at IS NULL AND captured_by IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("held_minor", sa.BigInteger(), nullable=False, server_default="0"))
        accounts.drop_constraint(op.f("ck_accounts_floor"), type_="check")
        accounts.create_check_constraint(
            op.f("ck_accounts_floor"), "floor_minor IS NULL OR balance_minor - held_minor >= floor_minor"
        )
        accounts.create_check_constraint(op.f("ck_accounts_held"), "held_minor >= 0")
    with op.batch_alter_table("accounts") as accounts:
        accounts.alter_column("held_minor", server_default=None)

    op.create_table(
        "holds",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.Column("captured_by", sa.String(40), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_holds_amount")),
        sa.CheckConstraint("released_at IS NULL OR captured_by IS NULL", name=op.f("ck_holds_one_end")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_holds_account_id")),
        sa.ForeignKeyConstraint(["captured_by"], ["postings.id"], name=op.f("fk_holds_captured_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("captured_by", name=op.f("uq_holds_captured_by")),
        sa.UniqueConstraint("key", name=op.f("uq_holds_key")),
    )
    op.create_index("ix_holds_account_id", "holds", ["account_id"])
    op.create_index("ix_holds_due", "holds", ["expires_at"], sqlite_where=ACTIVE, postgresql_where=ACTIVE)

    if op.get_bind().dialect.name == "sqlite":
        for table, taken in TAKEN.items():
            replaces = f"EXISTS (SELECT 1 FROM {table} WHERE {taken})"  # noqa: S608 - our own words
            op.execute(
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {replaces} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TAKEN:
            op.execute(f"DROP TRIGGER {table}_no_replace")
    op.drop_table("holds")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_constraint(op.f("ck_accounts_floor"), type_="check")
        accounts.drop_constraint(op.f("ck_accounts_held"), type_="check")
        accounts.drop_column("held_minor")
        accounts.create_check_constraint(
            op.f("ck_accounts_floor"), "floor_minor IS NULL OR balance_minor >= floor_minor"
        )
