"""What plans leave members, and how they keep it."""

from alembic import op

from sep2.store.migrations.building import add_index, add_table, count, octets, owned_by, recorded, unique, whole, word

revision = "r0033"
down_revision = "r0032"
branch_labels = None
depends_on = None

OWNERS = owned_by("aggregation", "component_der")


def upgrade() -> None:
    """Add the tables; they are empty until an accepted plan meets a published run."""
    add_table("member_band", OWNERS, word("sha256", 64), octets("body"), *recorded())
    add_index("member_band", "aggregation_id", "superseded_at")
    add_index("member_band", "component_der_id")
    add_table(
        "plan_credit",
        OWNERS,
        whole("day"),
        *(count(name) for name in ("version", "tested", "kept", "worst_ppm", "credit_ppm", "target_ppm")),
        whole("until"),
        *recorded(),
        unique("plan_credit", "aggregation_id", "component_der_id", "day", "version"),
    )


def downgrade() -> None:
    """Drop them, with all that they hold."""
    op.drop_table("plan_credit")
    op.drop_table("member_band")
