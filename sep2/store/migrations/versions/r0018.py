"""How limits were kept: verdicts by interval and by day, what is to be judged again, and exemptions."""

import sqlalchemy as sa
from alembic import op

revision = "r0018"
down_revision = "r0017"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables; judging begins with the next start of the server."""
    _add_judged()
    _add_judged_day()
    _add_judge_again()
    _add_exemption()


def _to(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _add_judged() -> None:
    op.create_table(
        "judged",
        sa.Column("end_device_id", Id, autoincrement=False, nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("allowed_w", sa.Float(), nullable=False),
        sa.Column("measured_w", sa.Float(), nullable=True),
        sa.Column("covered_s", sa.Integer(), nullable=False),
        sa.Column("binding", sa.Boolean(), nullable=False),
        sa.Column("breach_wh", sa.Float(), nullable=False),
        sa.Column("control", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("end_device_id", "direction", "start", name=op.f("pk_judged")),
    )
    op.create_index(op.f("ix_judged_start"), "judged", ["start"])


def _add_judged_day() -> None:
    seconds = ("ok", "late", "breach", "opted_out", "unknown", "binding", "binding_ok")
    op.create_table(
        "judged_day",
        sa.Column("end_device_id", Id, autoincrement=False, nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("lfdi", sa.String(length=40), nullable=False),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("connection_name", sa.String(length=32), nullable=False),
        *(sa.Column(f"{name}_s", sa.Integer(), nullable=False) for name in seconds),
        sa.Column("breach_wh", sa.Float(), nullable=False),
        *(sa.Column(f"{name}_bits", sa.LargeBinary(), nullable=False) for name in ("ok", "unknown", "binding")),
        sa.Column("reason", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("end_device_id", "direction", "day", name=op.f("pk_judged_day")),
    )
    op.create_index(op.f("ix_judged_day_day"), "judged_day", ["day"])
    op.create_index(op.f("ix_judged_day_client_name_day"), "judged_day", ["client_name", "day"])


def _add_judge_again() -> None:
    op.create_table(
        "judge_again",
        sa.Column("end_device_id", Id, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        _to("judge_again", "end_device_id", "end_device"),
        sa.PrimaryKeyConstraint("end_device_id", name=op.f("pk_judge_again")),
    )


def _add_exemption() -> None:
    op.create_table(
        "exemption",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("connection_id", Id, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        _to("exemption", "connection_id", "connection"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exemption")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_exemption_connection_id_end"), "exemption", ["connection_id", "end"])
