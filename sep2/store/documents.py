"""What devices wrote about themselves: DERCapability, DERSettings, DERStatus, DERAvailability."""

from sqlalchemy import select

from sep2.store.connection import Connection
from sep2.store.tables import der_document as t
from sep2.store.upsert import upsert


async def body(db: Connection, device_id: int, kind: str) -> bytes | None:
    """The document of that kind, as it was stored."""
    found = await db.one(select(t.c.body).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bytes(found.body) if found else None


_PUT = upsert(t, ["end_device_id", "kind"], ["body", "changed"])


async def put(db: Connection, device_id: int, kind: str, body: bytes, *, now: int) -> None:
    """Store a document in place of the one before; of several writers at once the last one's stands."""
    await db.run(_PUT, {"end_device_id": device_id, "kind": kind, "body": body, "changed": now})
