"""Overrides of aggregations: their notices, what parties answered, and when something is to be done about them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, and_, func, insert, or_, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.override_tables import market_override, override_answer, override_notice
from sep2.store.market.tables import aggregation, party
from sep2.store.override_tables import override

_DESK = ("scope", "subject", "start", "end", "reason", "note", "operator", "second", "created", "released", "shares")
_LIMITS = ("import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w")


class Which(NamedTuple):
    """Which overrides a list shows: of a party or an aggregation; those that hold or are to come, or all."""

    party_id: int | None = None
    aggregation_id: int | None = None
    live_at: int | None = None
    markets: Collection[str] | None = None
    """the profiles of markets; None: of all"""
    is_test: bool | None = None
    """whether of rehearsals; None: both"""


def _overrides() -> Select[Any]:
    query = select(
        market_override,
        *(override.c[name] for name in (*_DESK, *_LIMITS, "modes")),
        aggregation.c.name.label("aggregation_name"),
        aggregation.c.party_id,
        party.c.name.label("party_name"),
        party.c.is_test,
    )
    query = query.join_from(market_override, override, override.c.id == market_override.c.override_id)
    return query.join(aggregation, aggregation.c.id == market_override.c.aggregation_id).join(
        party, party.c.id == aggregation.c.party_id
    )


async def listed(db: Connection, which: Which, page: Keyset) -> Following:
    """Overrides of aggregations, the newest first."""
    query = _overrides().order_by(market_override.c.id.desc())
    if which.party_id is not None:
        query = query.where(aggregation.c.party_id == which.party_id)
    if which.aggregation_id is not None:
        query = query.where(market_override.c.aggregation_id == which.aggregation_id)
    if which.markets is not None:
        query = query.where(among(market_override.c.profile, list(which.markets)))
    if which.is_test is not None:
        query = query.where(party.c.is_test.is_(which.is_test))
    if which.live_at is not None:
        query = query.where(override.c.end > which.live_at, override.c.released.is_(None))
    return await select_following(db, query, page)


async def touching(db: Connection, span: tuple[int, int], aggregation_id: int | None = None) -> Sequence[Row[Any]]:
    """Overrides of one aggregation, or of all but rehearsals, that touch a time and were not released before it."""
    held = or_(override.c.released.is_(None), override.c.released > span[0])
    query = _overrides().where(override.c.start < span[1], override.c.end > span[0], held)
    if aggregation_id is not None:
        query = query.where(market_override.c.aggregation_id == aggregation_id)
    else:
        query = query.where(party.c.is_test.is_(False))
    return await db.all(query.order_by(market_override.c.id))


async def standing(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Overrides of aggregations that hold or are to come and are no rehearsals, the first first."""
    query = _overrides().where(override.c.end > now, override.c.released.is_(None), party.c.is_test.is_(False))
    return await db.all(query.order_by(market_override.c.id))


async def of_override(db: Connection, override_id: int) -> Row[Any] | None:
    """What an override of the desk is to an aggregation; None where it is none of an aggregation."""
    return await db.one(_overrides().where(market_override.c.override_id == override_id))


async def latest(db: Connection) -> Row[Any] | None:
    """The one that was made last."""
    return await db.one(_overrides().order_by(market_override.c.id.desc()).limit(1))


async def locked(db: Connection, number: int) -> None:
    """Have others who change the same one wait until this transaction has ended."""
    await db.one(select(market_override.c.id).where(market_override.c.id == number).with_for_update())


async def add(db: Connection, **columns: Any) -> int:
    """The number of a new one."""
    return await db.add(insert(market_override).values(columns))


async def change(db: Connection, number: int, **columns: Any) -> None:
    """Note what came of it."""
    await db.run(update(market_override).where(market_override.c.id == number).values(columns))


async def add_notices(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep notices."""
    if rows:
        await db.run(insert(override_notice), list(rows))


async def notices(db: Connection, numbers: Collection[int]) -> Sequence[Row[Any]]:
    """The notices of some overrides in the order in which they are due, each with the party's name."""
    query = select(override_notice, party.c.name.label("party_name")).join_from(override_notice, party)
    query = query.where(among(override_notice.c.market_override_id, list(numbers)))
    return await db.all(query.order_by(override_notice.c.due, override_notice.c.id))


async def change_notice(db: Connection, number: int, **columns: Any) -> None:
    """Note how far a notice has come."""
    await db.run(update(override_notice).where(override_notice.c.id == number).values(columns))


async def answered(db: Connection, number: int, party_id: int, now: int) -> None:
    """A party has answered what it was sent until now; what is to come still is."""
    t = override_notice
    mine = update(t).where(t.c.market_override_id == number, t.c.party_id == party_id, t.c.sent > 0)
    await db.run(mine.where(t.c.answered_at.is_(None)).values(answered_at=now, next_at=None))


async def called(db: Connection, number: int, **columns: Any) -> int:
    """Somebody has called about every notice that nobody answered; how many there were."""
    t = override_notice
    open_ones = update(t).where(t.c.market_override_id == number, t.c.silent_at.is_not(None))
    open_ones = open_ones.where(t.c.answered_at.is_(None), t.c.called_at.is_(None))
    return (await db.run(open_ones.values(columns))).rowcount


async def stop_notices(db: Connection, number: int) -> None:
    """Nothing is to be done about the notices of an override any more."""
    t = override_notice
    await db.run(update(t).where(t.c.market_override_id == number).values(next_at=None))


async def due(db: Connection, now: int, most: int) -> Sequence[Row[Any]]:
    """The notices that something is to be done about now, the most urgent first."""
    query = select(override_notice).where(override_notice.c.next_at <= now)
    return await db.all(query.order_by(override_notice.c.next_at, override_notice.c.id).limit(most))


async def notice(db: Connection, number: int) -> Row[Any] | None:
    """One notice, for a change."""
    return await db.one(select(override_notice).where(override_notice.c.id == number).with_for_update())


async def by_number(db: Connection, number: int) -> Row[Any] | None:
    """One override of an aggregation by its own number."""
    return await db.one(_overrides().where(market_override.c.id == number))


async def over_untold(db: Connection, now: int, most: int) -> Sequence[Row[Any]]:
    """Overrides that are over, of which parties were not told so."""
    query = _overrides().where(market_override.c.over_told.is_(None))
    ended = or_(override.c.end <= now, override.c.released.is_not(None))
    return await db.all(query.where(ended).order_by(market_override.c.id).limit(most))


async def uncopied(db: Connection, most: int) -> Sequence[Row[Any]]:
    """Overrides of which the system operator's folder does not hold the last state."""
    c = market_override.c
    behind = or_(c.copied < 1, and_(c.copied < 2, c.over_told.is_not(None)))
    return await db.all(_overrides().where(behind, party.c.is_test.is_(False)).order_by(c.id).limit(most))


async def unreasoned(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Emergencies whose reason nobody has said in time."""
    c = market_override.c
    return await db.all(_overrides().where(c.reason_due <= now, c.reason_at.is_(None)).order_by(c.id))


async def silent(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Notices that a person has to call about, of overrides that are not over."""
    t = override_notice
    query = select(t, party.c.name.label("party_name"), override.c.id.label("override_id"))
    query = query.join_from(t, market_override).join(override, override.c.id == market_override.c.override_id)
    query = query.join(party, party.c.id == t.c.party_id)
    query = query.where(t.c.silent_at.is_not(None), t.c.answered_at.is_(None), t.c.called_at.is_(None))
    return await db.all(query.where(override.c.end > now, override.c.released.is_(None)).order_by(t.c.id))


async def add_answer(db: Connection, **columns: Any) -> int:
    """The number of a new answer."""
    return await db.add(insert(override_answer).values(columns))


async def answers(db: Connection, numbers: Collection[int]) -> Sequence[Row[Any]]:
    """What parties said of some overrides, in the order in which they did."""
    query = select(override_answer, party.c.name.label("party_name")).join_from(override_answer, party)
    query = query.where(among(override_answer.c.market_override_id, list(numbers)))
    return await db.all(query.order_by(override_answer.c.id))


async def count_answers(db: Connection, number: int) -> int:
    """How many answers there are to an override."""
    t = override_answer
    row = await db.one(select(func.count().label("n")).where(t.c.market_override_id == number))
    return 0 if row is None else int(row.n)


async def close_dispute(db: Connection, number: int, **columns: Any) -> None:
    """Note what became of the dispute that an answer opened."""
    await db.run(update(override_answer).where(override_answer.c.id == number).values(columns))


async def answering_parties(db: Connection, number: int) -> list[int]:
    """The numbers of the parties that are told of an override."""
    t = override_notice
    query = select(t.c.party_id).distinct().where(t.c.market_override_id == number).order_by(t.c.party_id)
    return [row.party_id for row in await db.all(query)]
