"""Members of aggregations that went far beyond their limits, and how many intervals they have kept since."""

from alembic import op

from sep2.store.migrations.building import add_index, add_table, count, owned_by, recorded, whole, word

revision = "r0037"
down_revision = "r0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; it fills as days are settled."""
    add_table(
        "ignored_limit",
        owned_by("aggregation", "component_der"),
        word("direction", 8),
        whole("since"),
        count("excess_ppm"),
        count("kept"),
        count("needed"),
        whole("counted_until"),
        *recorded(),
    )
    add_index("ignored_limit", "component_der_id")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("ignored_limit")
