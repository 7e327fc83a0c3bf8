"""Overrides of aggregations: limits by place, notices, answers, messages to parties, and what parties can not do."""

import sqlalchemy as sa
from alembic import op

from sep2.store.migrations.building import Id, add_index, add_table, count, text, truth, unique, whole, word

revision = "r0034"
down_revision = "r0033"
branch_labels = None
depends_on = None

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
    add_table(
        "market_override",
        {"override_id": "override", "aggregation_id": "aggregation"},
        word("notice_class", 12),
        word("profile", 32),
        word("profile_sha256", 64),
        text("rules"),
        text("binding"),
        text("fairness_note"),
        text("effect"),
        whole("reason_due", nullable=True),
        whole("reason_at", nullable=True),
        text("reason_text", empty=True),
        text("reason_by", empty=True),
        whole("over_told", nullable=True),
        count("copied", zero=True),
        unique("market_override", "override_id"),
    )
    add_index("market_override", "aggregation_id")


def _add_notices() -> None:
    whose = {"market_override_id": "market_override", "party_id": "party"}
    add_table(
        "override_notice",
        whose,
        count("rung"),
        truth("must_answer"),
        whole("due"),
        count("answer_s"),
        count("sent", zero=True),
        *(whole(name, nullable=True) for name in ("last_sent", "answer_by", "next_at", "answered_at", "silent_at")),
        whole("called_at", nullable=True),
        text("called_by", empty=True),
        text("called_note", empty=True),
        unique("override_notice", "market_override_id", "party_id", "rung"),
    )
    add_index("override_notice", "next_at")
    add_table(
        "override_answer",
        whose,
        word("answer", 8),
        whole("expected_w", nullable=True),
        text("revised_plan"),
        text("note"),
        truth("is_late"),
        whole("recorded_at"),
        word("dispute", 12),
        text("outcome", empty=True),
        whole("closed_at", nullable=True),
        text("closed_by", empty=True),
    )
    add_index("override_answer", "market_override_id")


def _add_messages() -> None:
    add_table(
        "market_message",
        {"party_id": "party"},
        whole("sequence"),
        word("kind", 40),
        text("subject"),
        text("body"),
        word("sha256", 64),
        whole("created"),
        unique("market_message", "party_id", "sequence"),
    )
    op.create_table(
        "message_count",
        sa.Column("party_id", Id, nullable=False),
        whole("last"),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_message_count_party_id")),
        sa.PrimaryKeyConstraint("party_id", name=op.f("pk_message_count")),
    )
    add_table(
        "party_webhook",
        {"party_id": "party", "webhook_id": "webhook"},
        text("name"),
        text("name_key"),
        unique("party_webhook", "party_id", "name_key"),
        cascades=("webhook_id",),
    )
    add_index("party_webhook", "webhook_id")


def _add_outages() -> None:
    add_table(
        "market_outage",
        {"party_id": "party", "component_der_id": "component_der", "aggregation_id": "aggregation"},
        whole("start"),
        whole("end"),
        whole("available_w"),
        text("cause"),
        truth("planned"),
        whole("recorded_at"),
        text("recorded_by"),
        optional=("component_der_id", "aggregation_id"),
    )
    add_index("market_outage", "component_der_id")
    add_index("market_outage", "aggregation_id")
