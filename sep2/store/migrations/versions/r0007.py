"""The programs of each connection in which operators overrule envelopes, and overrides."""

import secrets
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAMES = {
    "override": "override of {}",
    "wide-override": "wide override of {}",
    "schedule": "schedule of {}",
}
PRIMACY = {"override": 1, "wide-override": 2, "schedule": 3}

device_group = sa.table(
    "device_group",
    *(sa.column(name) for name in ("id", "name", "level", "primacy", "program_mrid", "fsa_mrid", "role")),
    *(sa.column(name) for name in ("connection_id", "end_device_id", "created")),
)
default_control = sa.table("default_control", sa.column("device_group_id"), sa.column("mrid"), sa.column("changed"))
member = sa.table("member", sa.column("device_group_id"), sa.column("end_device_id"), sa.column("since"))
setting = sa.table("setting", sa.column("name"), sa.column("value"))
outbox = sa.table("outbox", sa.column("kind"), sa.column("ids"))


def upgrade() -> None:
    """Give every place its programs; what was sent into a connection's own program stays there until it ends."""
    _change_tables()
    db = op.get_bind()
    taken = {name for (name,) in db.execute(sa.select(device_group.c.name))}
    of_place = sa.or_(device_group.c.role == "connection", device_group.c.role == "device")
    places = db.execute(sa.select(device_group).where(of_place).order_by(device_group.c.id)).all()
    pen = db.execute(sa.select(setting.c.value).where(setting.c.name == "pen")).scalar() or "32473"
    for place in places:
        members = db.execute(sa.select(member).where(member.c.device_group_id == place.id)).all()
        for columns in _programs_of(place, taken, int(pen)):
            db.execute(sa.insert(device_group).values(columns))
            made = sa.select(device_group.c.id).where(device_group.c.program_mrid == columns["program_mrid"])
            group_id = db.execute(made).scalar_one()
            db.execute(
                sa.insert(default_control).values(device_group_id=group_id, mrid=_mrid(int(pen)), changed=place.created)
            )
            for one in members:
                db.execute(
                    sa.insert(member).values(device_group_id=group_id, end_device_id=one.end_device_id, since=one.since)
                )
        for one in members:
            ids = f'{{"derp": {place.id}, "edev": {one.end_device_id}}}'
            db.execute(sa.insert(outbox).values(kind="FunctionSetAssignmentsList", ids=ids))


def _change_tables() -> None:
    with op.batch_alter_table("device_group", table_kwargs={"sqlite_autoincrement": True}) as group:
        group.add_column(sa.Column("role", sa.String(length=16), server_default="group", nullable=False))
        group.drop_index(op.f("ix_device_group_end_device_id"))
    for column, role in (("connection_id", "connection"), ("end_device_id", "device")):
        op.execute(sa.update(device_group).where(device_group.c[column].is_not(None)).values(role=role))
    for column in ("connection_id", "end_device_id"):
        op.create_index(op.f(f"ix_device_group_{column}_role"), "device_group", [column, "role"], unique=True)
    op.add_column("control", sa.Column("continues", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_control_continues"), "control", ["continues"])
    limits = [
        sa.Column(f"{what}_limit_w", sa.BigInteger(), nullable=True) for what in ("import", "export", "gen", "load")
    ]
    op.create_table(
        "override",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        *limits,
        sa.Column("modes", sa.Text(), server_default="{}", nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_override")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_override_end"), "override", ["end"])
    op.create_table(
        "override_control",
        sa.Column("override_id", ID, nullable=False),
        sa.Column("control_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["override_id"], ["override.id"], name=op.f("fk_override_control_override_id")),
        sa.ForeignKeyConstraint(
            ["control_id"], ["control.id"], name=op.f("fk_override_control_control_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("override_id", "control_id", name=op.f("pk_override_control")),
    )
    op.create_index(op.f("ix_override_control_control_id"), "override_control", ["control_id"])


def _programs_of(place: Any, taken: set[str], pen: int) -> Iterator[dict[str, Any]]:
    """The rows of the operators' programs of one place."""
    for role, form in NAMES.items():
        name = form.format(place.name)
        while name in taken:
            name += "*"
        taken.add(name)
        yield {
            "name": name,
            "level": "SP",
            "primacy": PRIMACY[role],
            "program_mrid": _mrid(pen),
            "fsa_mrid": _mrid(pen),
            "role": role,
            "connection_id": place.connection_id,
            "end_device_id": place.end_device_id,
            "created": place.created,
        }


def _mrid(pen: int) -> str:
    """A new mRID, as `sep2.rules.identifiers` made them when this step was written."""
    return f"{secrets.token_hex(12).upper()}{pen:08d}"
