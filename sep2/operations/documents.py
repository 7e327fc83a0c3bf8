"""What devices write about themselves."""

from sep2.store import devices, documents, outbox
from sep2.store.connection import Connection


async def put_der_document(
    db: Connection, device_id: int, kind: str, body: bytes, *, now: int, set_max_w: int | None = None
) -> None:
    """Store a DERCapability, DERSettings, DERStatus or DERAvailability; percent limits follow the reported setMaxW."""
    await documents.put(db, device_id, kind, body, now=now)
    if set_max_w is not None:
        await devices.update_one(db, device_id, set_max_w=set_max_w)
    await outbox.changed(db, kind, edev=device_id)
