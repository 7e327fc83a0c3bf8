"""What devices write about themselves."""

from sep2.operations.alarms import SET_MAX_W, clear_alarm
from sep2.store import devices, documents, outbox
from sep2.store.connection import Connection


async def put_der_document(
    db: Connection, device_id: int, kind: str, body: bytes, *, now: int, set_max_w: int | None = None
) -> None:
    """Store a DERCapability, DERSettings, DERStatus or DERAvailability; percent limits follow the reported setMaxW."""
    await documents.put(db, device_id, kind, body, now=now)
    if set_max_w is not None:
        await _told_set_max_w(db, device_id, set_max_w, now)
    await outbox.changed(db, kind, edev=device_id)


async def _told_set_max_w(db: Connection, device_id: int, set_max_w: int, now: int) -> None:
    """Limits that are sent in percent read differently from now on."""
    device = await devices.one(db, device_id)
    if device is None or device.set_max_w == set_max_w:
        return
    await devices.update_one(db, device_id, set_max_w=set_max_w)
    await clear_alarm(db, SET_MAX_W, device.lfdi, now)
    for reads in ("DERControlList", "DefaultDERControl"):
        await outbox.changed(db, reads, edev=device_id)
