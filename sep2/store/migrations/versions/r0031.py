"""Commitments, dispatch, settled intervals and evidence packs of the market."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0031"
down_revision = "r0030"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TABLES = (
    "evidence_pack",
    "settle_run",
    "market_interval",
    "dispatch_share",
    "dispatch",
    "commitment_state",
    "commitment",
)


def upgrade() -> None:
    """Add the tables; they are empty until somebody commits, dispatches or settles."""
    _add_commitments()
    _add_dispatch()
    _add_settled()


def downgrade() -> None:
    """Drop them, with all that they hold."""
    for table in TABLES:
        op.drop_table(table)


def _add_commitments() -> None:
    _table(
        "commitment",
        ["component_der", "aggregation"],
        _word("service", 32),
        _word("holder", 12),
        _text("program"),
        _text("basis"),
        sa.Column("origin_id", Id, nullable=True),
        _whole("created"),
        nullable=["aggregation"],
    )
    _index("commitment", "component_der_id")
    _table(
        "commitment_state",
        ["commitment"],
        _version(),
        _word("state", 12),
        _whole("start"),
        _whole("end"),
        _text("reason"),
        *_recorded(),
        _unique("commitment_state", "commitment_id", "version"),
    )


def _add_dispatch() -> None:
    _table(
        "dispatch",
        ["aggregation"],
        _word("iso_dispatch_id", 80),
        sa.Column("sequence", sa.Integer(), nullable=False),
        _word("kind", 16),
        *(_whole(name) for name in ("issued_at", "received_at", "start", "end", "target_w")),
        sa.Column("ramp_s", sa.Integer(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        _word("source", 80),
        _text("recorded_by"),
        _unique("dispatch", "iso_dispatch_id", "sequence"),
    )
    _index("dispatch", "aggregation_id", "start")
    _table(
        "dispatch_share",
        ["dispatch", "component_der"],
        _version(),
        _text("iso_node"),
        _whole("target_w"),
        _whole("limit_w", nullable=True),
        _word("cause", 16),
        _text("binding"),
        _whole("recorded_at"),
        _whole("superseded_at", nullable=True),
        _unique("dispatch_share", "dispatch_id", "component_der_id", "version"),
    )


def _add_settled() -> None:
    wh = ("breach_wh", "lost_override_wh", "lost_envelope_wh", "own_shortfall_wh")
    _table(
        "market_interval",
        ["aggregation", "component_der"],
        _whole("start"),
        sa.Column("duration", sa.Integer(), nullable=False),
        _version(),
        *(_whole(name, nullable=True) for name in ("instructed_w", "available_w", "want_w", "measured_wh")),
        sa.Column("coverage_ppm", sa.Integer(), nullable=False),
        *(_whole(name, nullable=True) for name in ("envelope_w", "limit_w")),
        _word("override_mrid", 32),
        _word("state", 12),
        *(_whole(name, nullable=True) for name in wh),
        _text("body"),
        *_recorded(),
        nullable=["component_der"],
    )
    _index("market_interval", "aggregation_id", "start")
    _table(
        "settle_run",
        ["aggregation"],
        *(_whole(name) for name in ("start", "end", "recorded_at")),
        _text("recorded_by"),
        sa.Column("changed", sa.Integer(), nullable=False),
        _word("profile_sha256", 64),
    )
    _index("settle_run", "aggregation_id", "start")
    _table(
        "evidence_pack",
        ["aggregation"],
        *(_whole(name) for name in ("start", "end", "as_of")),
        _word("manifest_sha256", 64),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        _whole("made_at"),
        _text("made_by"),
        _unique("evidence_pack", "aggregation_id", "start", "end", "as_of"),
    )


def _table(name: str, owners: Sequence[str], *parts: sa.schema.SchemaItem, nullable: Sequence[str] = ()) -> None:
    op.create_table(
        name,
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(f"{owner}_id", Id, nullable=owner in nullable) for owner in owners),
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
    return [_whole("recorded_at"), _whole("superseded_at", nullable=True), _text("recorded_by")]


def _version() -> sa.Column[Any]:
    return sa.Column("version", sa.Integer(), nullable=False)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _word(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=False)
