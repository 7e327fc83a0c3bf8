"""How far a database has come, and controls that were lost with what a copy of it does not hold."""

import sqlalchemy as sa
from alembic import op

revision = "r0035"
down_revision = "r0034"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add both tables; they are empty until a server runs, and until a copy is put back."""
    op.create_table(
        "database_age",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_database_age"),
    )
    op.create_table(
        "lost_control",
        sa.Column("id", Id, nullable=False, autoincrement=True),
        sa.Column("mrid", sa.String(32), nullable=False),
        sa.Column("lfdi", sa.String(40), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("first_heard", sa.BigInteger, nullable=False),
        sa.Column("last_heard", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lost_control"),
        sa.UniqueConstraint("mrid", "lfdi", name="uq_lost_control_mrid_lfdi"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("lost_control")
    op.drop_table("database_age")
