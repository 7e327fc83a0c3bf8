"""Ids of system operators, each of one aggregation."""

import sqlalchemy as sa
from alembic import op

from sep2.store.migrations.building import Id, add_index, text

revision = "r0039"
down_revision = "r0038"
branch_labels = None
depends_on = None

FILL = """
INSERT INTO iso_resource (resource_id, aggregation_id)
SELECT f.iso_resource_id, min(f.aggregation_id)
FROM aggregation_fact AS f JOIN aggregation AS a ON a.id = f.aggregation_id
WHERE f.superseded_at IS NULL AND f.valid_to IS NULL AND f.iso_resource_id <> '' AND a.removed IS NULL
GROUP BY f.iso_resource_id
"""
"""Of several with one id, which nothing refused until now, the first is taken to have it."""


def upgrade() -> None:
    """Add the table with the ids that aggregations have."""
    op.create_table(
        "iso_resource",
        text("resource_id"),
        sa.Column("aggregation_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["aggregation_id"], ["aggregation.id"], name=op.f("fk_iso_resource_aggregation_id")),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_iso_resource")),
    )
    add_index("iso_resource", "aggregation_id")
    op.execute(FILL)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("iso_resource")
