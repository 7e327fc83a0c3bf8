"""What plans leave members, and how they keep it."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0033"
down_revision = "r0032"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OWNERS = ("aggregation", "component_der")


def upgrade() -> None:
    """Add the tables; they are empty until an accepted plan meets a published run."""
    _table("member_band", OWNERS, _word("sha256", 64), _bytes("body"), *_recorded())
    _index("member_band", "aggregation_id", "superseded_at")
    _index("member_band", "component_der_id")
    _table(
        "plan_credit",
        OWNERS,
        _whole("day"),
        *(_count(name) for name in ("version", "tested", "kept", "worst_ppm", "credit_ppm", "target_ppm")),
        _whole("until"),
        *_recorded(),
        _unique("plan_credit", "aggregation_id", "component_der_id", "day", "version"),
    )


def downgrade() -> None:
    """Drop them, with all that they hold."""
    op.drop_table("plan_credit")
    op.drop_table("member_band")


def _table(name: str, owners: Sequence[str], *parts: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(f"{owner}_id", Id, nullable=False) for owner in owners),
        *parts,
        *(
            sa.ForeignKeyConstraint([f"{owner}_id"], [f"{owner}.id"], name=op.f(f"fk_{name}_{owner}_id"))
            for owner in owners
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _recorded() -> list[sa.Column[Any]]:
    return [_whole("recorded_at"), _whole("superseded_at", nullable=True)]


def _whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _count(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _bytes(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _word(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=False)
