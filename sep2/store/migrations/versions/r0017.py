"""When clients and devices were heard of, when programs were told, and earlier editions of DER documents."""

import sqlalchemy as sa
from alembic import op

revision = "r0017"
down_revision = "r0016"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables; what documents say now is the first edition of their history."""
    _add_client_seen()
    _add_device_seen()
    _add_program_told()
    _add_document_history()


def _heard() -> list[sa.Column[int]]:
    times: list[sa.Column[int]] = [
        sa.Column(f"last_{what}", sa.BigInteger(), nullable=True) for what in ("request", "post", "answer")
    ]
    return [*times, *(_count(name) for name in ("requests", "posts", "answers"))]


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _to(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _add_client_seen() -> None:
    op.create_table(
        "client_seen",
        sa.Column("client_id", Id, nullable=False),
        sa.Column("server", sa.String(length=255), nullable=False),
        *_heard(),
        _count("refusals"),
        *(sa.Column(name, sa.Text(), server_default="", nullable=False) for name in ("address", "suite", "agent")),
        sa.Column("skew_s", sa.BigInteger(), nullable=True),
        _to("client_seen", "client_id", "client"),
        sa.PrimaryKeyConstraint("client_id", "server", name=op.f("pk_client_seen")),
    )


def _add_device_seen() -> None:
    op.create_table(
        "device_seen",
        sa.Column("end_device_id", Id, nullable=False),
        sa.Column("server", sa.String(length=255), nullable=False),
        *_heard(),
        _to("device_seen", "end_device_id", "end_device"),
        sa.PrimaryKeyConstraint("end_device_id", "server", name=op.f("pk_device_seen")),
    )


def _add_program_told() -> None:
    op.create_table(
        "program_told",
        sa.Column("end_device_id", Id, nullable=False),
        sa.Column("device_group_id", Id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _to("program_told", "end_device_id", "end_device"),
        _to("program_told", "device_group_id", "device_group"),
        sa.PrimaryKeyConstraint("end_device_id", "device_group_id", "at", name=op.f("pk_program_told")),
    )
    op.create_index(op.f("ix_program_told_at"), "program_told", ["at"])


def _add_document_history() -> None:
    op.create_table(
        "document_history",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("end_device_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        _to("document_history", "end_device_id", "end_device"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_history")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_document_history_end_device_id_kind_received"),
        "document_history",
        ["end_device_id", "kind", "received"],
    )
    op.execute(
        "INSERT INTO document_history (end_device_id, kind, body, received) "
        "SELECT end_device_id, kind, body, changed FROM der_document ORDER BY changed, end_device_id"
    )
