"""What devices wrote about themselves: DERCapability, DERSettings, DERStatus, DERAvailability."""

from sqlalchemy import delete, insert, select

from sep2.store.connection import Connection
from sep2.store.tables import der_document as t


async def body(db: Connection, device_id: int, kind: str) -> bytes | None:
    """The document of that kind, as it was stored."""
    found = await db.one(select(t.c.body).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bytes(found.body) if found else None


async def put(db: Connection, device_id: int, kind: str, body: bytes, *, now: int) -> None:
    """Store a document in place of the one before."""
    await db.run(delete(t).where(t.c.end_device_id == device_id, t.c.kind == kind))
    await db.run(insert(t).values(end_device_id=device_id, kind=kind, body=body, changed=now))
