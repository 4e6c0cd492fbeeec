"""Personal fields sealed; what is looked up by is found by a keyed hash.

Needs the keys (`core.vault.unlock`) where there is anything to seal or to open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

from core.vault import vault

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BATCH = 500


class Field(NamedTuple):
    """A column in clear, and how it is sealed."""

    name: str
    type: sa.types.TypeEngine[str]
    nullable: bool = False
    unique: bool = False

    @property
    def sealed(self) -> list[sa.Column[str]]:
        hashed = [sa.Column(f"{self.name}_hash", sa.String(64), nullable=True)] if self.unique else []
        return [sa.Column(f"{self.name}_sealed", sa.Text(), nullable=True), *hashed]


TABLES = {
    "users": (
        Field("email", sa.String(254), nullable=True, unique=True),
        Field("phone", sa.String(32), nullable=True, unique=True),
    ),
    "customers": (
        Field("email", sa.String(254), nullable=True),
        Field("phone", sa.String(32), nullable=True),
        Field("kyc", sa.Text(), nullable=True),
    ),
    "accounts": (Field("number", sa.String(34), unique=True),),
    "beneficiaries": (Field("account_number", sa.String(34)),),
    "bills": (Field("consumer_number", sa.String(34)),),
}


def upgrade() -> None:
    for table, fields in TABLES.items():
        for field in fields:
            for column in field.sealed:
                op.add_column(table, column)
        _convert(table, fields, _seal)
        with op.batch_alter_table(table) as batch:
            for field in fields:
                if field.unique:
                    batch.drop_constraint(op.f(f"uq_{table}_{field.name}"), type_="unique")
                    batch.create_unique_constraint(op.f(f"uq_{table}_{field.name}_hash"), [f"{field.name}_hash"])
                batch.drop_column(field.name)
                for column in field.sealed:
                    batch.alter_column(column.name, existing_type=column.type, nullable=field.nullable)
        if op.get_bind().dialect.name == "postgresql":
            # A dropped column stays in the rows until they are written anew, which this does.
            name = f"{fields[0].name}_sealed"
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE text USING {name} || ''")


def downgrade() -> None:
    for table, fields in TABLES.items():
        for field in fields:
            op.add_column(table, sa.Column(field.name, field.type, nullable=True))
        _convert(table, fields, _open)
        with op.batch_alter_table(table) as batch:
            for field in fields:
                if field.unique:
                    batch.drop_constraint(op.f(f"uq_{table}_{field.name}_hash"), type_="unique")
                    batch.create_unique_constraint(op.f(f"uq_{table}_{field.name}"), [field.name])
                for column in field.sealed:
                    batch.drop_column(column.name)
                batch.alter_column(field.name, existing_type=field.type, nullable=field.nullable)


Convert = Callable[[str, str, Field, "dict[str, str | None]"], "dict[str, str | None]"]


def _convert(table: str, fields: tuple[Field, ...], convert: Convert) -> None:
    """Fill the new columns of every row from the old ones."""
    connection = op.get_bind()
    columns = [column for field in fields for column in (sa.Column(field.name, field.type), *field.sealed)]
    rows = sa.Table(table, sa.MetaData(), sa.Column("id", sa.String(40)), *columns)
    last = ""
    while True:
        some = connection.execute(sa.select(rows).where(rows.c.id > last).order_by(rows.c.id).limit(BATCH)).all()
        if not some:
            return
        last = some[-1].id
        connection.execute(
            sa.update(rows).where(rows.c.id == sa.bindparam("of_row")),
            [
                {"of_row": row.id}
                | {
                    name: kept
                    for field in fields
                    for name, kept in convert(table, row.id, field, row._asdict()).items()
                }
                for row in some
            ],
        )


def _seal(table: str, row: str, field: Field, stored: dict[str, str | None]) -> dict[str, str | None]:
    value = stored[field.name]
    sealed = None if value is None else vault().seal(value, table=table, row=row, column=field.name)
    hashed = None if value is None else vault().hash(value, column=f"{table}.{field.name}")
    return {f"{field.name}_sealed": sealed} | ({f"{field.name}_hash": hashed} if field.unique else {})


def _open(table: str, row: str, field: Field, stored: dict[str, str | None]) -> dict[str, str | None]:
    sealed = stored[f"{field.name}_sealed"]
    return {field.name: None if sealed is None else vault().open(sealed, table=table, row=row, column=field.name)}
