"""Overrides of aggregations: limits by place, notices, answers, messages to parties, and what parties can not do."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "r0034"
down_revision = "r0033"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TABLES = (
    *("market_outage", "party_webhook", "message_count", "market_message", "override_answer", "override_notice"),
    "market_override",
)


def upgrade() -> None:
    """Add the tables; overrides that are there have the same limits at every place."""
    with op.batch_alter_table("override") as override:
        override.add_column(sa.Column("shares", sa.Text(), nullable=False, server_default="{}"))
    _add_override()
    _add_notices()
    _add_messages()
    _add_outages()


def downgrade() -> None:
    """Drop them, with all that they hold."""
    for table in TABLES:
        op.drop_table(table)
    with op.batch_alter_table("override") as override:
        override.drop_column("shares")


def _add_override() -> None:
    _table(
        "market_override",
        {"override_id": "override", "aggregation_id": "aggregation"},
        _word("notice_class", 12),
        _word("profile", 32),
        _word("profile_sha256", 64),
        _text("rules"),
        _text("binding"),
        _text("fairness_note"),
        _text("effect"),
        _whole("reason_due", nullable=True),
        _whole("reason_at", nullable=True),
        _text("reason_text", empty=True),
        _text("reason_by", empty=True),
        _whole("over_told", nullable=True),
        _count("copied", zero=True),
        _unique("market_override", "override_id"),
    )
    _index("market_override", "aggregation_id")


def _add_notices() -> None:
    whose = {"market_override_id": "market_override", "party_id": "party"}
    _table(
        "override_notice",
        whose,
        _count("rung"),
        _truth("must_answer"),
        _whole("due"),
        _count("answer_s"),
        _count("sent", zero=True),
        *(_whole(name, nullable=True) for name in ("last_sent", "answer_by", "next_at", "answered_at", "silent_at")),
        _whole("called_at", nullable=True),
        _text("called_by", empty=True),
        _text("called_note", empty=True),
        _unique("override_notice", "market_override_id", "party_id", "rung"),
    )
    _index("override_notice", "next_at")
    _table(
        "override_answer",
        whose,
        _word("answer", 8),
        _whole("expected_w", nullable=True),
        _text("revised_plan"),
        _text("note"),
        _truth("is_late"),
        _whole("recorded_at"),
        _word("dispute", 12),
        _text("outcome", empty=True),
        _whole("closed_at", nullable=True),
        _text("closed_by", empty=True),
    )
    _index("override_answer", "market_override_id")


def _add_messages() -> None:
    _table(
        "market_message",
        {"party_id": "party"},
        _whole("sequence"),
        _word("kind", 40),
        _text("subject"),
        _text("body"),
        _word("sha256", 64),
        _whole("created"),
        _unique("market_message", "party_id", "sequence"),
    )
    op.create_table(
        "message_count",
        sa.Column("party_id", Id, nullable=False),
        _whole("last"),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_message_count_party_id")),
        sa.PrimaryKeyConstraint("party_id", name=op.f("pk_message_count")),
    )
    _table(
        "party_webhook",
        {"party_id": "party", "webhook_id": "webhook"},
        _text("name"),
        _text("name_key"),
        _unique("party_webhook", "party_id", "name_key"),
        cascades=("webhook_id",),
    )
    _index("party_webhook", "webhook_id")


def _add_outages() -> None:
    _table(
        "market_outage",
        {"party_id": "party", "component_der_id": "component_der", "aggregation_id": "aggregation"},
        _whole("start"),
        _whole("end"),
        _whole("available_w"),
        _text("cause"),
        _truth("planned"),
        _whole("recorded_at"),
        _text("recorded_by"),
        optional=("component_der_id", "aggregation_id"),
    )
    _index("market_outage", "component_der_id")
    _index("market_outage", "aggregation_id")


def _table(
    name: str,
    owners: Mapping[str, str],
    *parts: sa.schema.SchemaItem,
    optional: tuple[str, ...] = (),
    cascades: tuple[str, ...] = (),
) -> None:
    op.create_table(
        name,
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(column, Id, nullable=column in optional) for column in owners),
        *parts,
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{owner}.id"],
                name=op.f(f"fk_{name}_{column}"),
                ondelete="CASCADE" if column in cascades else None,
            )
            for column, owner in owners.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _count(name: str, *, zero: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0" if zero else None)


def _truth(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _text(name: str, *, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="" if empty else None)


def _word(name: str, longest: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=longest), nullable=False)
