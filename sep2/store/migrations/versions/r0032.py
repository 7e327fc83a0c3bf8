"""Limits of published runs, plans of aggregators, and verdicts on them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0032"
down_revision = "r0031"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TABLES = ("plan_verdict", "plan_version", "market_plan", "published_limit", "published_run")


def upgrade() -> None:
    """Add the tables; they are empty until an engine publishes, or somebody plans."""
    _add_runs()
    _add_plans()


def downgrade() -> None:
    """Drop them, with all that they hold."""
    for table in TABLES:
        op.drop_table(table)


def _add_runs() -> None:
    _table(
        "published_run",
        [],
        _text("feeder"),
        _text("run_id"),
        _word("guarantee", 24),
        _count("step_s"),
        _whole("start"),
        _whole("end"),
        _bytes("starts"),
        _bytes("names"),
        *_recorded(),
    )
    _index("published_run", "feeder", "superseded_at")
    _table(
        "published_limit",
        ["published_run"],
        _text("connection_name"),
        _word("cause", 24),
        _whole("firm_gen_w"),
        _whole("firm_load_w"),
        _bytes("body"),
        _unique("published_limit", "published_run_id", "connection_name"),
    )
    _index("published_limit", "connection_name")


def _add_plans() -> None:
    _table(
        "market_plan",
        ["aggregation"],
        _text("name"),
        _text("name_key"),
        _whole("created"),
        _unique("market_plan", "aggregation_id", "name_key"),
    )
    _table(
        "plan_version",
        ["market_plan"],
        _count("version"),
        _word("basis", 12),
        _word("service", 32),
        _word("day", 10),
        _whole("start"),
        _whole("end"),
        _count("step_s"),
        _truth("waive_firm"),
        _truth("is_late"),
        _word("source", 16),
        _word("profile", 32),
        _word("profile_sha256", 64),
        _whole("verdict_due"),
        _bytes("body"),
        *_recorded(),
        _text("recorded_by"),
        _unique("plan_version", "market_plan_id", "version"),
    )
    _index("plan_version", "end")
    _table(
        "plan_verdict",
        ["plan_version"],
        _word("state", 12),
        _word("cause", 40),
        _text("detail"),
        _text("run_ids"),
        _word("inputs_sha256", 64),
        _word("server_version", 40),
        _count("took_ms"),
        _bytes("body"),
        _truth("is_too_late"),
        *_recorded(),
    )
    _index("plan_verdict", "plan_version_id")


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


def _truth(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _bytes(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _word(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=False)
