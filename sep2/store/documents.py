"""What devices wrote about themselves: DERCapability, DERSettings, DERStatus, DERAvailability, LoadShedAvailability."""

from sqlalchemy import bindparam, delete, insert, select

from sep2.store.connection import Connection
from sep2.store.seen_tables import document_history
from sep2.store.tables import der_document as t
from sep2.store.upsert import upsert


async def body(db: Connection, device_id: int, kind: str) -> bytes | None:
    """The document of that kind, as it was stored."""
    found = await db.one(select(t.c.body).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bytes(found.body) if found else None


SAME_S = 300
"""A document that is written again within so long, and says the same, is not stored again."""

_LATEST = select(t.c.body, t.c.changed).where(
    t.c.end_device_id == bindparam("device_id"), t.c.kind == bindparam("kind")
)
_PUT = upsert(t, ["end_device_id", "kind"], ["body", "changed"])
_EDITION = insert(document_history)


async def put(db: Connection, device_id: int, kind: str, body: bytes, *, now: int) -> bool:
    """Store a document in place of the one before, and say whether it differs from that.

    Of several writers at once the last one's stands. What differs is one more edition of its history.
    """
    before = await db.one(_LATEST, device_id=device_id, kind=kind)
    differs = before is None or bytes(before.body) != body
    if differs or before is None or not 0 <= now - before.changed < SAME_S:
        await db.run(_PUT, {"end_device_id": device_id, "kind": kind, "body": body, "changed": now})
    if differs:
        edition = {"end_device_id": device_id, "kind": kind, "body": body, "received": now}
        await db.run(_EDITION, edition)
    return differs


async def remove(db: Connection, device_id: int, kind: str) -> bool:
    """Forget the document of that kind, and say whether there was one; its history stays."""
    gone = await db.run(delete(t).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bool(gone.rowcount)
