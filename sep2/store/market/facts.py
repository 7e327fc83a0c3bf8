"""Facts with two times, of anything: read as they were known, written without changing what was known before."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, func, insert, select, update

from sep2.rules.market.facts import Amended, Fact
from sep2.store.connection import Connection
from sep2.store.many import among

TIMES = ("id", "version", "valid_from", "valid_to", "recorded_at", "superseded_at", "recorded_by")


class AsOf(NamedTuple):
    """What held at a time, as it was known at another; `known` None: as it is known now."""

    valid: int
    known: int | None = None


class Written(NamedTuple):
    """By whom facts are written, when, and from when on they hold."""

    by: str
    now: int
    start: int


def known(table: Table, at: int | None) -> ColumnElement[bool]:
    """Whether a fact was what we knew at a time."""
    if at is None:
        return table.c.superseded_at.is_(None)
    later = table.c.superseded_at.is_(None) | (table.c.superseded_at > at)
    return (table.c.recorded_at <= at) & later


def holds(table: Table, time: AsOf) -> ColumnElement[bool]:
    """Whether a fact held then, as it was known then."""
    ends = table.c.valid_to.is_(None) | (table.c.valid_to > time.valid)
    return known(table, time.known) & (table.c.valid_from <= time.valid) & ends


def there(table: Table, at: int | None) -> ColumnElement[bool]:
    """Whether something was in the register, as it was known then."""
    if at is None:
        return table.c.removed.is_(None)
    return (table.c.created <= at) & (table.c.removed.is_(None) | (table.c.removed > at))


def owner_of(table: Table) -> ColumnElement[Any]:
    """The column of whose facts they are."""
    found: ColumnElement[Any] = table.c[next(column.name for column in table.c if column.foreign_keys)]
    return found


async def of(db: Connection, table: Table, owners: Collection[int], at: int | None = None) -> list[Row[Any]]:
    """All facts of these, those to come too, as they were known then, the earliest first."""
    query = select(table).where(among(owner_of(table), list(owners)), known(table, at))
    return await db.all(query.order_by(table.c.valid_from, table.c.id))


async def history(db: Connection, table: Table, owner: int) -> Sequence[Row[Any]]:
    """Every version of the facts of one, those that are superseded too, in the order in which they were recorded."""
    return await db.all(select(table).where(owner_of(table) == owner).order_by(table.c.version))


def as_facts(table: Table, rows: Sequence[Row[Any]]) -> list[Fact]:
    """Rows as facts: what is said is every column but the times."""
    owner = owner_of(table).key
    names = [column.name for column in table.c if column.name not in TIMES and column.name != owner]
    return [Fact(row.valid_from, row.valid_to, {name: getattr(row, name) for name in names}) for row in rows]


async def replace(
    db: Connection, table: Table, rows: Sequence[Row[Any]], amended: Amended, *, owner: int, written: Written
) -> None:
    """Have facts of one take the place of others, whose rows are kept as superseded; rows: those known now."""
    ids = [rows[n].id for n in amended.superseded]
    if ids:
        await db.run(update(table).where(among(table.c.id, ids)).values(superseded_at=written.now))
    await add(db, table, [(owner, fact) for fact in amended.added], written)


async def add(db: Connection, table: Table, facts: Sequence[tuple[int, Fact]], written: Written) -> None:
    """Keep new facts, each of its owner, with the versions that follow."""
    if not facts:
        return
    key = str(owner_of(table).key)
    versions = await _versions(db, table, {owner for owner, _ in facts})
    rows: list[dict[str, Any]] = []
    for owner, fact in facts:
        versions[owner] = versions.get(owner, 0) + 1
        row: dict[str, Any] = {
            "version": versions[owner],
            "valid_from": fact.start,
            "valid_to": fact.end,
            "recorded_at": written.now,
            "superseded_at": None,
            "recorded_by": written.by,
        }
        rows.append({**row, **fact.said, key: owner})
    await db.run(insert(table), rows)


async def _versions(db: Connection, table: Table, owners: Collection[int]) -> dict[int, int]:
    key = owner_of(table)
    query = select(key.label("owner"), func.max(table.c.version).label("last")).where(among(key, list(owners)))
    found: dict[int, int] = {row.owner: row.last for row in await db.all(query.group_by(key))}
    return found


async def add_identity(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The numbers of new entries, in their order."""
    if not rows:
        return []
    if len(rows) == 1:
        return [await db.add(insert(table).values(**rows[0]))]
    await db.run(insert(table), rows)
    found = await identities(db, table, [row["name_key"] for row in rows])
    return [found[row["name_key"]].id for row in rows]


async def identities(db: Connection, table: Table, keys: Collection[str], at: int | None = None) -> dict[str, Row[Any]]:
    """Entries of the register by the keys of their names."""
    query = select(table).where(among(table.c.name_key, list(keys)), there(table, at))
    return {row.name_key: row for row in await db.all(query)}


async def locked(db: Connection, table: Table, ids: Collection[int]) -> None:
    """Have others who write about the same wait until this transaction has ended; in one order, so that none waits."""
    await db.all(select(table.c.id).where(among(table.c.id, list(ids))).order_by(table.c.id).with_for_update())


async def change_identity(db: Connection, table: Table, row_id: int, **columns: Any) -> None:
    """Rename or remove an entry."""
    await db.run(update(table).where(table.c.id == row_id).values(columns))
