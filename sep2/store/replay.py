"""A day that is played again in a copy for training: what devices said since it began waits until its time comes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, func, insert, literal, select, text, update

from sep2.store.connection import Connection
from sep2.store.metering_tables import mirror_meter_reading, mirror_usage_point, reading, reading_set
from sep2.store.seen_tables import client_seen, device_seen, document_history, program_told
from sep2.store.tables import client, der_document, end_device, log_event, response

TOLD: Mapping[str, str] = {
    reading_set.name: "received",
    reading.name: "received",
    document_history.name: "received",
    log_event.name: "received",
    response.name: "received",
    program_told.name: "at",
}
"""What devices said, or were told, by table, and the column that says when."""
DONE: Mapping[str, str] = {
    "control": "created",
    "override": "created",
    "control_edition": "created",
    "alarm": "raised",
    "judged": "start",
    "judged_day": "day",
    "judged_sum": "day",
    "exemption": "created",
    "approval": "created",
    "shift_entry": "at",
}
"""What people and the server did since: it is left out, for whoever learns does it anew."""
ENDED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "control": {"cancelled": ("cancelled_as",), "successor_created": ("successor_start",), "overlapped_since": ()},
    "override": {"released": (), "reviewed": ()},
    "alarm": {"cleared": (), "acknowledged": (), "shelved_until": ()},
}
"""Times at which something before the day ended on it, with the columns that go with them: it has not ended yet."""
AT_ONCE = 2000


class Beginning:
    """Where a day begins: which rows of a database are of before it."""

    def __init__(self, at: int) -> None:
        """at: epoch seconds."""
        self.at = at
        self._left_out: dict[str, set[int]] = defaultdict(set)

    def of(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The rows that stand as the day begins, and those that come on it."""
        kept: list[dict[str, Any]] = []
        later: list[dict[str, Any]] = []
        column = TOLD.get(table.name) or DONE.get(table.name)
        for row in rows:
            is_later = column is not None and row[column] >= self.at
            if self._hangs(table, row) or (is_later and table.name in DONE):
                self._left_out[table.name].add(row.get("id", 0))
            elif is_later:
                later.append(dict(row))
            else:
                kept.append(self._unended(table, dict(row)))
        return kept, later

    def _hangs(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Whether it belongs to something that is left out."""
        keys = [(key.parent.name, self._left_out.get(key.column.table.name)) for key in table.foreign_keys]
        return any(out and row[name] in out for name, out in keys)

    def _unended(self, table: Table, row: dict[str, Any]) -> dict[str, Any]:
        for name, with_it in ENDED.get(table.name, {}).items():
            if row[name] is not None and row[name] >= self.at:
                row |= dict.fromkeys((name, *with_it))
        return row


async def unbind(db: Connection) -> None:
    """Have a fresh database on SQLite take rows without those that they refer to."""
    for table in reversed(tables()):
        await db.run(text(f'ALTER TABLE "{table.name}" RENAME TO bound'))
        await db.run(text(f'CREATE TABLE "{table.name}" AS SELECT * FROM bound WHERE 0'))  # noqa: S608
        await db.run(text("DROP TABLE bound"))


async def set_back(db: Connection, at: int) -> None:
    """Have latest readings, documents and contacts be those of before the day."""
    latest = select(func.max(reading.c.start)).where(reading.c.mirror_meter_reading_id == mirror_meter_reading.c.id)
    await db.run(update(mirror_meter_reading).values(latest_start=latest.scalar_subquery()))
    for seen in (client_seen, device_seen):
        for name in ("last_request", "last_post", "last_answer"):
            await db.run(update(seen).where(seen.c[name] > at).values({name: at}))
    h, d = document_history, der_document
    same = h.c.end_device_id == d.c.end_device_id, h.c.kind == d.c.kind
    newest = select(h.c.body).where(*same).order_by(h.c.received.desc(), h.c.id.desc()).limit(1).scalar_subquery()
    await db.run(
        update(d).where(d.c.changed >= at, newest.is_not(None)).values(body=newest, changed=at - 1, since=None)
    )
    await db.run(delete(d).where(d.c.changed >= at))


async def due(db: Connection, table: Table, since: int, until: int) -> list[dict[str, Any]]:
    """The rows that come from one time on until before another one, in their order."""
    when = table.c[TOLD[table.name]]
    query = select(table).where(when >= since, when < until).order_by(when, *table.primary_key.columns)
    return [dict(row._mapping) for row in await db.all(query)]


async def come(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Have rows be there now, with what follows from the latest of them."""
    for first in range(0, len(rows), AT_ONCE):
        await db.run(insert(table), list(rows[first : first + AT_ONCE]))
    if table is reading:
        s = mirror_meter_reading
        for number, start in {row["mirror_meter_reading_id"]: row["start"] for row in rows}.items():
            is_earlier = func.coalesce(s.c.latest_start, 0) < start
            await db.run(update(s).where(s.c.id == number, is_earlier).values(latest_start=start))
    if table is document_history:
        for row in rows:
            which = {name: row[name] for name in ("end_device_id", "kind")}
            await db.run(delete(der_document).where(*(der_document.c[name] == value for name, value in which.items())))
            await db.run(insert(der_document).values(which | {"body": row["body"], "changed": row["received"]}))


async def speakers(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The devices that rows are of: id, and lfdi of the client that acts for each."""
    query = select(end_device.c.id, client.c.lfdi).join_from(end_device, client)
    if "end_device_id" in table.c:
        numbers = {row["end_device_id"] for row in rows}
        return list(await db.all(query.where(end_device.c.id.in_(numbers))))
    series = {row["mirror_meter_reading_id"] for row in rows}
    point = mirror_usage_point
    query = query.join(point, point.c.end_device_id == end_device.c.id)
    query = query.join(mirror_meter_reading, mirror_meter_reading.c.mirror_usage_point_id == point.c.id)
    return list(await db.all(query.where(mirror_meter_reading.c.id.in_(series)).distinct()))


async def next_at(db: Connection, since: int) -> int | None:
    """When the next row comes, from a time on; None: none does."""
    found = []
    for table in tables():
        when = table.c[TOLD[table.name]]
        row = await db.one(select(func.min(when).label("at")).where(when >= literal(since)))
        found += [row.at] if row is not None and row.at is not None else []
    return min(found, default=None)


def tables() -> tuple[Table, ...]:
    """The tables of what devices said, each after those that it refers to."""
    return reading_set, reading, document_history, log_event, response, program_told
