"""What devices wrote about themselves: DERCapability, DERSettings, DERStatus, DERAvailability."""

from sqlalchemy import bindparam, insert, select

from sep2.store.connection import Connection
from sep2.store.seen_tables import document_history
from sep2.store.tables import der_document as t
from sep2.store.upsert import upsert


async def body(db: Connection, device_id: int, kind: str) -> bytes | None:
    """The document of that kind, as it was stored."""
    found = await db.one(select(t.c.body).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bytes(found.body) if found else None


_LATEST = select(t.c.body).where(t.c.end_device_id == bindparam("device_id"), t.c.kind == bindparam("kind"))
_PUT = upsert(t, ["end_device_id", "kind"], ["body", "changed"])


async def put(db: Connection, device_id: int, kind: str, body: bytes, *, now: int) -> None:
    """Store a document in place of the one before; of several writers at once the last one's stands.

    Where it says something else than the one before, it is one more edition of its history.
    """
    before = await db.one(_LATEST, device_id=device_id, kind=kind)
    await db.run(_PUT, {"end_device_id": device_id, "kind": kind, "body": body, "changed": now})
    if before is None or bytes(before.body) != body:
        edition = {"end_device_id": device_id, "kind": kind, "body": body, "received": now}
        await db.run(insert(document_history), edition)
