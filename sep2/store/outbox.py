"""What changed, recorded with the change itself, for the notifier to turn into deliveries."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.tables import outbox
from sep2.terminal import request_id

Ids = dict[str, int | list[int]]
"""The numbers in the path of what changed, by name; a list where several resources did."""


BY_CLOCK = "Turned"
"""The kind of a change by the clock alone, of all controls at once; its ids are the fields of `clock_changes.Span`."""


class Change(NamedTuple):
    """What reads differently now: a row of the resource table and its ids."""

    id: int
    kind: str
    stored_ids: str
    request: str = ""
    """The id of the request that made it; empty where time did, or the engine."""

    @property
    def ids(self) -> Ids:
        """Read only now: what can not be read is to stop nothing but this change."""
        found: Ids = json.loads(self.stored_ids)
        return found


_INSERT = insert(outbox).values(kind=bindparam("kind"), ids=bindparam("ids"), request=bindparam("request"))
_OLDEST = (
    select(outbox.c.id, outbox.c.kind, outbox.c.ids, outbox.c.request)
    .where(outbox.c.set_aside.is_(False))
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_ANY = select(outbox.c.id).where(outbox.c.set_aside.is_(False)).limit(1)
_TOLD = delete(outbox).where(among(outbox.c.id, bindparam("those")))


def _row(kind: str, ids: Mapping[str, int | list[int]]) -> dict[str, str]:
    return {"kind": kind, "ids": json.dumps(dict(ids), sort_keys=True), "request": request_id.get()}


async def changed(db: Connection, kind: str, **ids: int | list[int]) -> None:
    """Record that a resource changed; the notifier learns of it when the transaction is kept."""
    await db.later(_INSERT, _row(kind, ids))
    db.changed = True


async def oldest(db: Connection, most: int) -> list[Change]:
    """The oldest changes that were not turned into deliveries yet."""
    return [Change(row.id, row.kind, row.ids, row.request) for row in await db.all(_OLDEST, most=most)]


async def remove(db: Connection, ids: Collection[int]) -> None:
    """Forget changes: they have been turned into deliveries."""
    await db.run(_TOLD, {"those": list(ids)})


async def changed_each(db: Connection, kind: str, each: Sequence[Mapping[str, int | list[int]]]) -> None:
    """Record that several resources of one kind changed."""
    if each:
        await db.later(_INSERT, [_row(kind, ids) for ids in each])
        db.changed = True


async def waits(db: Connection) -> bool:
    """Whether any change has not been turned into deliveries yet."""
    return await db.one(_ANY) is not None


async def failed(db: Connection, ids: Sequence[int], error: str, tries: int) -> int:
    """Note that changes could not be turned into deliveries; how many are set aside now, after `tries` attempts."""
    these = update(outbox).where(among(outbox.c.id, ids))
    await db.run(these.values(attempts=outbox.c.attempts + 1, error=error))
    return (await db.run(these.where(outbox.c.attempts >= tries).values(set_aside=True))).rowcount


async def replay(db: Connection, change_id: int) -> int:
    """Have a change that was set aside tried again; how many were found."""
    aside = update(outbox).where(outbox.c.id == change_id, outbox.c.set_aside)
    found = (await db.run(aside.values(set_aside=False, attempts=0))).rowcount
    db.changed = db.changed or found > 0
    return found


async def count_set_aside(db: Connection) -> int:
    """How many changes are set aside."""
    row = await db.one(select(func.count().label("n")).where(outbox.c.set_aside))
    return row.n if row else 0


async def set_aside(db: Connection, page: Keyset) -> Following:
    """The changes that are set aside, oldest first: id, kind, ids, attempts, error."""
    columns = (outbox.c.id, outbox.c.kind, outbox.c.ids, outbox.c.attempts, outbox.c.error)
    return await select_following(db, select(*columns).where(outbox.c.set_aside).order_by(outbox.c.id), page)
