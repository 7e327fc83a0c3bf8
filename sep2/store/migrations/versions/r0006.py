"""How soon somebody must act on an alarm."""

import sqlalchemy as sa
from alembic import op

from sep2.rules.alarm_kinds import KINDS

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    """Give every alarm the priority of its kind; `no_set_max_w` is `set_max_w` now."""
    op.add_column("alarm", sa.Column("priority", sa.Integer(), server_default="3", nullable=False))
    alarm = sa.table("alarm", sa.column("code", sa.String), sa.column("priority", sa.Integer))
    op.execute(sa.update(alarm).where(alarm.c.code == "no_set_max_w").values(code="set_max_w"))
    for code, kind in KINDS.items():
        op.execute(sa.update(alarm).where(alarm.c.code == code).values(priority=kind.priority))
