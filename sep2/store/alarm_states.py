"""What is done about alarms: announced, acknowledged, shelved, escalated; and how many of which state there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, not_, or_, select, update

from sep2.rules.alarming import ESCALATES_S
from sep2.rules.cursor import Keyset
from sep2.store.alarm_tables import alarm as t
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among

MOST_COUNTED = 10_000
PERIOD_S = 60
"""For how long after its cause is gone an alarm that it explained is left to clear by itself."""
_STANDS = t.c.cleared.is_(None)
_IS_GONE = and_(t.c.cleared.is_not(None), t.c.acknowledged.is_(None), t.c.announced.is_not(None))
_CAUSE = t.alias("cause")
_NOW = bindparam("now", type_=t.c.raised.type)
_ESCALATES = or_(
    *(
        and_(t.c.priority == priority, t.c.announced <= _NOW - patience, t.c.acknowledged.is_(None))
        for priority, patience in ESCALATES_S.items()
    )
)
_GONE = select(_CAUSE.c.id).where(_CAUSE.c.cleared <= _NOW - PERIOD_S)
_DUE = (
    select(t)
    .where(
        or_(
            t.c.news,
            and_(_STANDS, t.c.shelved_until <= _NOW),
            and_(_STANDS, t.c.escalated.is_(None), t.c.shelved_until.is_(None), t.c.under.is_(None), _ESCALATES),
            and_(_STANDS, t.c.under.in_(_GONE)),
        )
    )
    .order_by(t.c.priority, t.c.raised, t.c.id)
    .limit(bindparam("most"))
)


async def any_due(db: Connection, now: int) -> bool:
    """Whether some alarm has to be looked at."""
    return await db.one(_DUE, now=now, most=1) is not None


async def due(db: Connection, now: int, most: int) -> Sequence[Row[Any]]:
    """Alarms that have to be looked at, the most urgent first: news, ends of shelving, and what is to be escalated.

    They stay as they are until the transaction ends; those that somebody else is changing are left for the next look.
    """
    return await db.all(_DUE.with_for_update(skip_locked=True, of=t), now=now, most=most)


async def gone(db: Connection, ids: Sequence[int], now: int) -> set[int]:
    """Those of some alarms that no longer explain others: cleared a while ago, so that those had time to clear too."""
    query = select(t.c.id).where(among(t.c.id, ids), t.c.cleared <= now - PERIOD_S)
    return {row.id for row in await db.all(query)}


async def causes(db: Connection, codes: Sequence[str]) -> Sequence[Row[Any]]:
    """Alarms that stand of some codes: id, code and subject."""
    return await db.all(select(t.c.id, t.c.code, t.c.subject).where(among(t.c.code, codes), _STANDS))


async def below(db: Connection, codes: Sequence[str]) -> Sequence[Row[Any]]:
    """Alarms of some codes that stand and that nothing explains yet."""
    return await db.all(select(t).where(among(t.c.code, codes), _STANDS, t.c.under.is_(None)))


async def change(db: Connection, number: int, **said: Any) -> None:
    """Change what is known of one alarm."""
    await db.run(update(t).where(t.c.id == number).values(said))


async def settle(db: Connection, ids: Sequence[int], said: Mapping[str, Any]) -> None:
    """Change the same of several alarms."""
    if ids:
        await db.run(update(t).where(among(t.c.id, ids)).values(dict(said)))


async def raised_since(db: Connection, since: int) -> int:
    """How many alarms were raised since a time that nothing explains and nobody had shelved."""
    query = select(func.count().label("n")).where(t.c.raised > since, t.c.under.is_(None), t.c.shelved_until.is_(None))
    row = await db.one(query)
    return row.n if row else 0


async def one(db: Connection, number: int) -> Row[Any] | None:
    """One alarm, whatever has become of it."""
    return await db.one(select(t).where(t.c.id == number))


async def counts_explained(db: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many alarms that stand are explained by each of some."""
    query = select(t.c.under, func.count().label("n")).where(among(t.c.under, ids), _STANDS)
    return {row.under: row.n for row in await db.all(query.group_by(t.c.under))}


def _of_states(now: int) -> dict[str, ColumnElement[bool]]:
    """What an alarm in each state is.

    Standing, and neither put off nor explained; put off by a person; explained by another; over, and nobody has
    acknowledged it; over.
    """
    shelved = and_(_STANDS, func.coalesce(t.c.shelved_until, 0) > now)
    return {
        "standing": and_(_STANDS, not_(shelved), t.c.under.is_(None)),
        "shelved": shelved,
        "suppressed": and_(_STANDS, t.c.under.is_not(None), not_(shelved)),
        "gone": _IS_GONE,
        "cleared": t.c.cleared.is_not(None),
    }


async def listed(
    db: Connection, page: Keyset, *, state: str, now: int, code: str | None = None, under: int | None = None
) -> Following:
    """Alarms in a state: the most urgent first, of these the latest; those that are over by when they were raised."""
    query: Select[Any] = select(t)
    if state != "all":
        query = query.where(_of_states(now)[state])
    if code is not None:
        query = query.where(t.c.code == code)
    if under is not None:
        query = query.where(t.c.under == under)
    order = [t.c.raised.desc(), t.c.id.desc()]
    if state in ("standing", "shelved", "suppressed"):
        order.insert(0, t.c.priority.asc())
    return await select_following(db, query.order_by(*order), page)


async def counts(db: Connection, now: int) -> dict[str, int]:
    """How many alarms there are in each state, of those that are gone 10,000 at most; not those that are dealt with."""
    found = _of_states(now)
    standing = {state: found[state] for state in ("standing", "shelved", "suppressed")}
    query = select(*(func.count().filter(condition).label(state) for state, condition in standing.items()))
    row = await db.one(query.where(_STANDS))
    return {**(row._asdict() if row else {}), "gone": await _count_gone(db)}


_GONE_FIRST = select(t.c.id).where(_IS_GONE).limit(MOST_COUNTED).subquery()


async def _count_gone(db: Connection) -> int:
    """How many are over that nobody has acknowledged; very many are not counted to their end."""
    row = await db.one(select(func.count().label("n")).select_from(_GONE_FIRST))
    return row.n if row else 0


async def by_priority(db: Connection, now: int) -> dict[int, tuple[int, int]]:
    """How many alarms stand that are neither shelved nor explained, and of these nobody acknowledged, by priority."""
    query = select(
        t.c.priority, func.count().label("n"), func.count().filter(t.c.acknowledged.is_(None)).label("fresh")
    )
    rows = await db.all(query.where(_of_states(now)["standing"]).group_by(t.c.priority))
    found = {row.priority: (row.n, row.fresh) for row in rows}
    return {priority: found.get(priority, (0, 0)) for priority in (1, 2, 3)}


async def figures(db: Connection, since: int, now: int) -> Row[Any]:
    """Of the alarms raised since a time: how many, how many were announced, are stale after a day; see `hours`."""
    stale = and_(_STANDS, t.c.raised < now - 86_400)
    query = select(
        func.count().filter(t.c.raised > since).label("raised"),
        func.count().filter(and_(t.c.raised > since, t.c.announced.is_not(None))).label("announced"),
        func.count().filter(stale).label("stale"),
    )
    row = await db.one(query.where(or_(t.c.raised > since, _STANDS)))
    assert row is not None
    return row


async def busiest(db: Connection, since: int, span_s: int) -> int:
    """The most alarms that were raised within one of the spans of a time, one after the other."""
    slots = select(func.count().label("n")).where(t.c.raised > since).group_by(t.c.raised // span_s).subquery()
    row = await db.one(select(func.max(slots.c.n).label("most")))
    return int(row.most) if row and row.most is not None else 0


async def frequent(db: Connection, since: int, most: int) -> Sequence[Row[Any]]:
    """The codes and subjects that were raised most often since a time: code, subject and n."""
    n = func.sum(t.c.again + 1).label("n")
    query = select(t.c.code, t.c.subject, n).where(t.c.raised > since).group_by(t.c.code, t.c.subject)
    return await db.all(query.order_by(n.desc(), t.c.code, t.c.subject).limit(most))
