"""How often more was noted of a device that is to be judged again."""

from alembic import op

from sep2.store.migrations.building import count

revision = "r0038"
down_revision = "r0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count."""
    op.add_column("judge_again", count("times", zero=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("judge_again", "times")
