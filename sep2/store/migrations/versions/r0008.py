"""What each device is served of defaults and percentages, what it reported of itself, and where it says it is."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from sep2 import wire as w
from sep2.rules.alarm_kinds import priority_of
from sep2.rules.ratings import whole_watts

revision = "r0008"
down_revision = "r0007"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REPORTED = ("nameplate_w", "agreed_max_w", "agreed_nameplate_w", "modes_supported", "doe_modes_supported")
AT_ONCE = 500

_device = sa.table("end_device", *map(sa.column, ("id", "lfdi", "client_id", "set_max_w", *REPORTED)))
_document = sa.table("der_document", *map(sa.column, ("end_device_id", "kind", "body")))
_alarm = sa.table("alarm", *map(sa.column, ("id", "code", "subject", "detail", "priority", "raised", "cleared")))
_client = sa.table("client", *map(sa.column, ("id", "lfdi")))


def upgrade() -> None:
    """Add tables and columns; read again what devices have reported; join alarms of one aggregator."""
    _tables()
    for name in REPORTED:
        op.add_column("end_device", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("end_device", sa.Column("claimed_connection", sa.String(length=32), nullable=True))
    core = op.get_bind()
    core.execute(sa.update(_device).where(_device.c.set_max_w <= 0).values(set_max_w=None))
    core.execute(sa.update(_device).values(agreed_max_w=_device.c.set_max_w))
    _read_again(core)
    _join_alarms(core)
    _note_layout(core)


def _tables() -> None:
    op.create_table(
        "served_default",
        sa.Column("device_group_id", ID, nullable=False),
        sa.Column("end_device_id", ID, nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_group_id"], ["device_group.id"], name=op.f("fk_served_default_device_group_id")
        ),
        sa.ForeignKeyConstraint(["end_device_id"], ["end_device.id"], name=op.f("fk_served_default_end_device_id")),
        sa.PrimaryKeyConstraint("device_group_id", "end_device_id", name=op.f("pk_served_default")),
    )
    op.create_index(op.f("ix_served_default_end_device_id"), "served_default", ["end_device_id"])
    op.create_table(
        "control_edition",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("control_id", ID, nullable=False),
        sa.Column("end_device_id", ID, nullable=False),
        sa.Column("mrid", sa.String(length=32), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("rating_w", sa.BigInteger(), nullable=True),
        sa.Column("before_w", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["control_id"], ["control.id"], name=op.f("fk_control_edition_control_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["end_device_id"], ["end_device.id"], name=op.f("fk_control_edition_end_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_control_edition")),
        sa.UniqueConstraint("mrid", name=op.f("uq_control_edition_mrid")),
        sqlite_autoincrement=True,
    )
    for columns in (["end_device_id", "control_id"], ["control_id"]):
        op.create_index(op.f(f"ix_control_edition_{'_'.join(columns)}"), "control_edition", columns)


def _read_again(core: sa.Connection) -> None:
    """Take the nameplate and the modes out of every DERCapability, some at a time."""
    after = 0
    while True:
        query = sa.select(_document.c.end_device_id, _document.c.body).where(
            _document.c.kind == "DERCapability", _document.c.end_device_id > after
        )
        rows = core.execute(query.order_by(_document.c.end_device_id).limit(AT_ONCE)).all()
        for row in rows:
            if said := _reported(bytes(row.body)):
                core.execute(sa.update(_device).where(_device.c.id == row.end_device_id).values(said))
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].end_device_id


def _reported(body: bytes) -> dict[str, Any]:
    try:
        found = w.decode(body, w.DERCapability, profile=w.Profile.CSIP)
    except w.WireError:
        return {}
    doe = found.doeModesSupported
    return {
        "nameplate_w": whole_watts(found.rtgMaxW.value, found.rtgMaxW.multiplier),
        "modes_supported": int(found.modesSupported),
        "doe_modes_supported": None if doe is None else int(doe),
    }


def _note_layout(core: sa.Connection) -> None:
    """Each program was served its own default alone until now; the first start tells who is served another one."""
    setting = sa.table("setting", sa.column("name"), sa.column("value"))
    if core.execute(sa.select(sa.func.count()).select_from(sa.table("default_control"))).scalar():
        core.execute(sa.insert(setting).values(name="default_layout", value="own"))


def _join_alarms(core: sa.Connection) -> None:
    """`no_import_control` of each device becomes `mode_unsupported` of its client and the mode."""
    standing = (_alarm.c.code == "no_import_control", _alarm.c.cleared.is_(None))
    query = (
        sa.select(_client.c.lfdi, sa.func.min(_alarm.c.raised).label("raised"), sa.func.count().label("devices"))
        .join_from(_alarm, _device, _device.c.lfdi == _alarm.c.subject)
        .join(_client, _client.c.id == _device.c.client_id)
        .where(*standing)
        .group_by(_client.c.lfdi)
    )
    for row in core.execute(query).all():
        detail = f"{row.devices} of its devices can not be told an import limit in profile csip"
        core.execute(
            sa.insert(_alarm).values(
                code="mode_unsupported",
                subject=f"{row.lfdi} opModImpLimW",
                detail=detail,
                priority=priority_of("mode_unsupported"),
                raised=row.raised,
            )
        )
    core.execute(sa.delete(_alarm).where(*standing))
