"""What the server has seen of the devices of component DERs: their registration, what they report, their readings."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, or_, select

from sep2.store import judged
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import connection, end_device

UNPROVEN = "unproven"


class DeviceOf(NamedTuple):
    """The EndDevice of a DER, and what it says its rating is (rtgMaxW)."""

    id: int
    lfdi: str
    nameplate_w: int | None


async def devices_of(db: Connection, ders: Sequence[Row[Any]]) -> dict[int, DeviceOf]:
    """The EndDevice of each of these DERs that has one, by the number of the DER.

    It is the one with the DER's LFDI, or the one that holds the limits of its connection.
    """
    lfdis, names = {row.lfdi for row in ders if row.lfdi}, {row.connection_name for row in ders if not row.lfdi}
    t = end_device
    query = select(
        t.c.id, t.c.lfdi, t.c.nameplate_w, t.c.holds_net_limit, connection.c.connection_id.label("connection_name")
    )
    query = query.join_from(t, connection, connection.c.id == t.c.connection_id, isouter=True)
    at = among(connection.c.connection_id, list(names)) & t.c.holds_net_limit
    rows = await db.all(query.where(or_(among(t.c.lfdi, list(lfdis)), at)))
    by_lfdi = {row.lfdi: row for row in rows}
    by_name = {row.connection_name: row for row in rows if row.holds_net_limit}
    found = {row.id: by_lfdi.get(row.lfdi) if row.lfdi else by_name.get(row.connection_name) for row in ders}
    return {
        der: DeviceOf(device.id, device.lfdi, device.nameplate_w) for der, device in found.items() if device is not None
    }


class Received(NamedTuple):
    """How much of a time the readings of a device cover, and whether the sign of any of them is unproven."""

    coverage: float
    is_unproven: bool


async def received(db: Connection, devices: Collection[int], since: int, until: int) -> Mapping[int, Received]:
    """What was posted of the power of some devices, by their numbers; those that posted nothing are left out."""
    spans: dict[int, set[tuple[int, int]]] = {}
    unproven: set[int] = set()
    for row in await judged.power(db, list(devices), since, until):
        spans.setdefault(row.end_device_id, set()).add((row.start, min(row.start + row.duration, until)))
        if row.reading_sign == UNPROVEN:
            unproven.add(row.end_device_id)
    return {
        device: Received(_covered(several) / (until - since), device in unproven) for device, several in spans.items()
    }


def _covered(spans: Collection[tuple[int, int]]) -> int:
    """The seconds that lie in at least one of these."""
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
