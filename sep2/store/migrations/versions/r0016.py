"""Names are unique, certificates can be replaced, and what was removed keeps its history."""

import time
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "r0016"
down_revision = "r0015"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
LONGEST = 80
NAMED = ("end_device", "mirror_usage_point", "curve")
_client = sa.table("client", *(sa.column(name) for name in ("id", "name", "name_key", "kind", "lfdi")))
_group = sa.table("device_group", *(sa.column(name) for name in ("id", "name", "name_key")))
_connection = sa.table("connection", *(sa.column(name) for name in ("id", "connection_id", "name_key")))
_device = sa.table("end_device", *(sa.column(name) for name in ("lfdi", "name", "name_key", "client_id")))
_alarm = sa.table(
    "alarm", *(sa.column(name) for name in ("code", "subject", "detail", "priority", "raised", "cleared"))
)


def upgrade() -> None:
    """Add the columns, rename what clashes with an alarm that says so, and only then have the names unique."""
    for table in ("client", "device_group"):
        op.add_column(table, sa.Column("name_key", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("removed", sa.BigInteger(), nullable=True))
    op.add_column("connection", sa.Column("name_key", sa.Text(), nullable=True))
    for table in NAMED:
        op.add_column(table, sa.Column("name", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("name_key", sa.Text(), nullable=True))
    renamed = {"clients": _fold(_client), "groups": _fold(_group)}
    core = op.get_bind()
    for row in core.execute(sa.select(_connection.c.id, _connection.c.connection_id)).all():
        core.execute(sa.update(_connection).where(_connection.c.id == row.id).values(name_key=_key(row.connection_id)))
    _name_devices()
    for subject, changes in renamed.items():
        if changes:
            _warn(subject, changes)
    for table in ("client", "device_group", *NAMED):
        op.create_index(op.f(f"ix_{table}_name_key"), table, ["name_key"], unique=True)
    op.create_index(op.f("ix_connection_name_key"), "connection", ["name_key"])
    op.create_index(op.f("ix_client_removed"), "client", ["removed"])
    _make_identities()


def _fold(table: sa.TableClause) -> list[str]:
    """Give every row its key; of several that would have the same, the first keeps its name. What was renamed."""
    core = op.get_bind()
    taken: set[str] = set()
    changes = []
    for row in core.execute(sa.select(table.c.id, table.c.name).order_by(table.c.id)).all():
        name, number = row.name, 1
        while _key(name) in taken:
            number += 1
            more = f" ({number})"
            name = f"{row.name[: LONGEST - len(more)]}{more}"
        taken.add(_key(name))
        core.execute(sa.update(table).where(table.c.id == row.id).values(name=name, name_key=_key(name)))
        if name != row.name:
            changes.append(f"{row.name} is now {name}")
    return changes


def _key(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def _name_devices() -> None:
    """A device that is its own client has its client's name."""
    core = op.get_bind()
    own = sa.select(_client.c.id, _client.c.lfdi, _client.c.name, _client.c.name_key).where(_client.c.kind == "device")
    for row in core.execute(own).all():
        this = (_device.c.lfdi == row.lfdi) & (_device.c.client_id == row.id)
        core.execute(sa.update(_device).where(this).values(name=row.name, name_key=row.name_key))


def _warn(subject: str, changes: list[str]) -> None:
    detail = "; ".join(changes[:20]) + (f"; and {len(changes) - 20} more" if len(changes) > 20 else "")
    said = {"code": "name_clash", "subject": subject, "detail": f"names have to differ: {detail}", "priority": 3}
    op.get_bind().execute(sa.insert(_alarm).values(**said, raised=int(time.time()), cleared=None))


def _make_identities() -> None:
    op.create_table(
        "client_identity",
        sa.Column("lfdi", sa.String(length=40), nullable=False),
        sa.Column("client_id", Id, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_identity_client_id")),
        sa.PrimaryKeyConstraint("lfdi", name=op.f("pk_client_identity")),
    )
    op.create_index(op.f("ix_client_identity_client_id"), "client_identity", ["client_id"])
