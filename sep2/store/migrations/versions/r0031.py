"""Commitments, dispatch, settled intervals and evidence packs of the market."""

import sqlalchemy as sa
from alembic import op

from sep2.store.migrations.building import (
    Id,
    add_index,
    add_table,
    count,
    octets,
    owned_by,
    recorded,
    text,
    truth,
    unique,
    whole,
    word,
)

revision = "r0031"
down_revision = "r0030"
branch_labels = None
depends_on = None

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
    add_table(
        "commitment",
        owned_by("component_der", "aggregation"),
        word("service", 32),
        word("holder", 12),
        text("program"),
        text("basis"),
        sa.Column("origin_id", Id, nullable=True),
        whole("created"),
        optional=["aggregation_id"],
    )
    add_index("commitment", "component_der_id")
    add_table(
        "commitment_state",
        owned_by("commitment"),
        count("version"),
        word("state", 12),
        whole("start"),
        whole("end"),
        text("reason"),
        *recorded(),
        text("recorded_by"),
        unique("commitment_state", "commitment_id", "version"),
    )


def _add_dispatch() -> None:
    add_table(
        "dispatch",
        owned_by("aggregation"),
        word("iso_dispatch_id", 80),
        count("sequence"),
        word("kind", 16),
        *(whole(name) for name in ("issued_at", "received_at", "start", "end", "target_w")),
        count("ramp_s"),
        truth("is_late"),
        word("source", 80),
        text("recorded_by"),
        unique("dispatch", "iso_dispatch_id", "sequence"),
    )
    add_index("dispatch", "aggregation_id", "start")
    add_table(
        "dispatch_share",
        owned_by("dispatch", "component_der"),
        count("version"),
        text("iso_node"),
        whole("target_w"),
        whole("limit_w", nullable=True),
        word("cause", 16),
        text("binding"),
        whole("recorded_at"),
        whole("superseded_at", nullable=True),
        unique("dispatch_share", "dispatch_id", "component_der_id", "version"),
    )


def _add_settled() -> None:
    wh = ("breach_wh", "lost_override_wh", "lost_envelope_wh", "own_shortfall_wh")
    add_table(
        "market_interval",
        owned_by("aggregation", "component_der"),
        whole("start"),
        count("duration"),
        count("version"),
        *(whole(name, nullable=True) for name in ("instructed_w", "available_w", "want_w", "measured_wh")),
        count("coverage_ppm"),
        *(whole(name, nullable=True) for name in ("envelope_w", "limit_w")),
        word("override_mrid", 32),
        word("state", 12),
        *(whole(name, nullable=True) for name in wh),
        text("body"),
        *recorded(),
        text("recorded_by"),
        optional=["component_der_id"],
    )
    add_index("market_interval", "aggregation_id", "start")
    add_table(
        "settle_run",
        owned_by("aggregation"),
        *(whole(name) for name in ("start", "end", "recorded_at")),
        text("recorded_by"),
        count("changed"),
        word("profile_sha256", 64),
    )
    add_index("settle_run", "aggregation_id", "start")
    add_table(
        "evidence_pack",
        owned_by("aggregation"),
        *(whole(name) for name in ("start", "end", "as_of")),
        word("manifest_sha256", 64),
        octets("bytes"),
        whole("made_at"),
        text("made_by"),
        unique("evidence_pack", "aggregation_id", "start", "end", "as_of"),
    )
