"""Limits of published runs, plans of aggregators, and verdicts on them."""

from alembic import op

from sep2.store.migrations.building import (
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

revision = "r0032"
down_revision = "r0031"
branch_labels = None
depends_on = None

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
    add_table(
        "published_run",
        {},
        text("feeder"),
        text("run_id"),
        word("guarantee", 24),
        count("step_s"),
        whole("start"),
        whole("end"),
        octets("starts"),
        octets("names"),
        *recorded(),
    )
    add_index("published_run", "feeder", "superseded_at")
    add_table(
        "published_limit",
        owned_by("published_run"),
        text("connection_name"),
        word("cause", 24),
        whole("firm_gen_w"),
        whole("firm_load_w"),
        octets("body"),
        unique("published_limit", "published_run_id", "connection_name"),
    )
    add_index("published_limit", "connection_name")


def _add_plans() -> None:
    add_table(
        "market_plan",
        owned_by("aggregation"),
        text("name"),
        text("name_key"),
        whole("created"),
        unique("market_plan", "aggregation_id", "name_key"),
    )
    add_table(
        "plan_version",
        owned_by("market_plan"),
        count("version"),
        word("basis", 12),
        word("service", 32),
        word("day", 10),
        whole("start"),
        whole("end"),
        count("step_s"),
        truth("waive_firm"),
        truth("is_late"),
        word("source", 16),
        word("profile", 32),
        word("profile_sha256", 64),
        whole("verdict_due"),
        octets("body"),
        *recorded(),
        text("recorded_by"),
        unique("plan_version", "market_plan_id", "version"),
    )
    add_index("plan_version", "end")
    add_table(
        "plan_verdict",
        owned_by("plan_version"),
        word("state", 12),
        word("cause", 40),
        text("detail"),
        text("run_ids"),
        word("inputs_sha256", 64),
        word("server_version", 40),
        count("took_ms"),
        octets("body"),
        truth("is_too_late"),
        *recorded(),
    )
    add_index("plan_verdict", "plan_version_id")
