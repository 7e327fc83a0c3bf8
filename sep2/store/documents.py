"""What devices wrote about themselves: DERCapability, DERSettings, DERStatus, DERAvailability, LoadShedAvailability."""

from typing import Any

from sqlalchemy import case, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from sep2.store.connection import Connection
from sep2.store.seen_tables import document_history
from sep2.store.tables import der_document as t


async def body(db: Connection, device_id: int, kind: str) -> bytes | None:
    """The document of that kind, as it was stored."""
    found = await db.one(select(t.c.body).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bytes(found.body) if found else None


SAME_S = 300
"""A document that is written again within so long, and says the same, is not stored again."""

_SAID = insert(t)
_NEW: Any = _SAID.excluded
_PUT = _SAID.on_conflict_do_update(
    index_elements=[t.c.end_device_id, t.c.kind],
    set_={
        "body": _NEW.body,
        "changed": _NEW.changed,
        "since": case((t.c.body == _NEW.body, t.c.since), else_=_NEW.changed),
    },
    where=or_(t.c.body != _NEW.body, t.c.changed > _NEW.changed, t.c.changed <= _NEW.changed - SAME_S),
).returning(t.c.since)
_EDITION = insert(document_history)


async def put(db: Connection, device_id: int, kind: str, body: bytes, *, now: int) -> bool:
    """Store a document in place of the one before, and say whether it differs from that.

    Of several writers at once the last one's stands. What differs is one more edition of its history.
    """
    said = {"end_device_id": device_id, "kind": kind, "body": body}
    put = await db.one(_PUT, **said, changed=now, since=now)
    differs = put is not None and put.since == now
    if differs:
        await db.later(_EDITION, said | {"received": now})
    return differs


async def remove(db: Connection, device_id: int, kind: str) -> bool:
    """Forget the document of that kind, and say whether there was one; its history stays."""
    gone = await db.run(delete(t).where(t.c.end_device_id == device_id, t.c.kind == kind))
    return bool(gone.rowcount)
