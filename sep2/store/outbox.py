"""What changed, recorded with the change itself, for the notifier to turn into deliveries."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select

from sep2.store.connection import Connection
from sep2.store.tables import outbox


class Change(NamedTuple):
    """One resource that reads differently now: its row of the resource table and its ids."""

    id: int
    kind: str
    ids: dict[str, int]


_INSERT = insert(outbox).values(kind=bindparam("kind"), ids=bindparam("ids"))
_OLDEST = select(outbox.c.id).order_by(outbox.c.id).limit(bindparam("most")).with_for_update(skip_locked=True)
_TAKE = delete(outbox).where(outbox.c.id.in_(_OLDEST.scalar_subquery())).returning(*outbox.c)
_ANY = select(outbox.c.id).limit(1)


async def changed(db: Connection, kind: str, **ids: int) -> None:
    """Record that a resource changed; the notifier learns of it when the transaction is kept."""
    await db.run(_INSERT, {"kind": kind, "ids": json.dumps(ids, sort_keys=True)})
    db.changed = True


async def changed_each(db: Connection, kind: str, each: Sequence[Mapping[str, int]]) -> None:
    """Record that several resources of one kind changed."""
    if each:
        await db.run(_INSERT, [{"kind": kind, "ids": json.dumps(dict(ids), sort_keys=True)} for ids in each])
        db.changed = True


async def take(db: Connection, most: int) -> list[Change]:
    """The oldest changes, taken out; they come back if the transaction is undone. Another process takes others."""
    rows = await db.all(_TAKE, most=most)
    return sorted(Change(row.id, row.kind, json.loads(row.ids)) for row in rows)


async def waits(db: Connection) -> bool:
    """Whether any change has not been turned into deliveries yet."""
    return await db.one(_ANY) is not None
