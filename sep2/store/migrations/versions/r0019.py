"""The tree of places that connections are at, from the system down to transformers."""

import sqlalchemy as sa
from alembic import op

revision = "r0019"
down_revision = "r0018"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table; connections are at no place until somebody says so."""
    op.create_table(
        "place",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("parent_id", Id, nullable=True),
        sa.Column("device_group_id", Id, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["place.id"], name=op.f("fk_place_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_place_name_key"), "place", ["name_key"], unique=True)
    op.create_index(op.f("ix_place_parent_id"), "place", ["parent_id"])
    op.create_index(op.f("ix_place_device_group_id"), "place", ["device_group_id"], unique=True)
    with op.batch_alter_table("connection") as connection:
        connection.add_column(sa.Column("place_id", Id, nullable=True))
        connection.create_foreign_key(op.f("fk_connection_place_id"), "place", ["place_id"], ["id"])
        connection.create_index(op.f("ix_connection_place_id"), ["place_id"])
