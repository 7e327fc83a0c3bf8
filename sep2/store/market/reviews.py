"""Reviews, their DERs, pauses, screens, letters and disputes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.tables import (
    aggregation,
    component_der,
    dispute,
    party,
    review,
    review_der,
    review_letter,
    review_pause,
    screen_result,
)


def _reviews() -> Select[Any]:
    query = select(review, aggregation.c.name.label("aggregation_name"), party.c.name.label("party_name"))
    query = query.join_from(review, aggregation, aggregation.c.id == review.c.aggregation_id)
    return query.join(party, party.c.id == aggregation.c.party_id)


async def listed(
    db: Connection,
    page: Keyset,
    *,
    states: Collection[str] = (),
    aggregation_id: int = 0,
    party_id: int = 0,
    aggregation_ids: Collection[int] | None = None,
) -> Following:
    """Reviews, the newest first; in some states, of one aggregation, of several, or of one party."""
    query = _reviews().order_by(review.c.submitted_at.desc(), review.c.id.desc())
    if states:
        query = query.where(among(review.c.state, list(states)))
    if aggregation_id:
        query = query.where(review.c.aggregation_id == aggregation_id)
    if party_id:
        query = query.where(aggregation.c.party_id == party_id)
    if aggregation_ids is not None:
        query = query.where(among(review.c.aggregation_id, list(aggregation_ids)))
    return await select_following(db, query, page)


async def in_states(db: Connection, states: Collection[str]) -> Sequence[Row[Any]]:
    """Every review in these states."""
    return await db.all(_reviews().where(among(review.c.state, list(states))).order_by(review.c.id))


async def one(db: Connection, number: int, *, locks: bool = False) -> Row[Any] | None:
    """A review by its number; locks: others who change it wait."""
    if locks:
        await db.one(select(review.c.id).where(review.c.id == number).with_for_update())
    return await db.one(_reviews().where(review.c.id == number))


async def open_of(db: Connection, aggregation_id: int, states: Collection[str]) -> Row[Any] | None:
    """The review of an aggregation that is not decided yet."""
    query = _reviews().where(review.c.aggregation_id == aggregation_id, among(review.c.state, list(states)))
    return await db.one(query.order_by(review.c.id))


async def add(db: Connection, **columns: Any) -> int:
    """The number of a new review."""
    return await db.add(insert(review).values(columns))


async def change(db: Connection, number: int, **columns: Any) -> None:
    """Change a review."""
    await db.run(update(review).where(review.c.id == number).values(columns))


async def add_ders(db: Connection, number: int, changes: Mapping[int, str]) -> None:
    """Have a review be about these DERs, each with what changes of it; those it is about already stay."""
    known = {row.component_der_id for row in await ders(db, [number])}
    rows = [
        {"review_id": number, "component_der_id": der, "change": what}
        for der, what in changes.items()
        if der not in known
    ]
    if rows:
        await db.run(insert(review_der), rows)


async def ders(db: Connection, numbers: Collection[int]) -> Sequence[Row[Any]]:
    """The DERs that reviews are about, by name."""
    query = select(review_der, component_der.c.name).join_from(review_der, component_der)
    query = query.where(among(review_der.c.review_id, list(numbers)))
    return await db.all(query.order_by(review_der.c.review_id, component_der.c.name_key))


async def limits_of(db: Connection, der_ids: Collection[int], states: Collection[str]) -> Sequence[Row[Any]]:
    """What was decided of some DERs, the latest last."""
    query = select(review_der, review.c.decided_at).join_from(review_der, review)
    query = query.where(among(review_der.c.component_der_id, list(der_ids)), among(review.c.state, list(states)))
    return await db.all(query.order_by(review.c.decided_at, review.c.id))


async def decide_der(db: Connection, row_id: int, **columns: Any) -> None:
    """Keep what was decided of one DER."""
    await db.run(update(review_der).where(review_der.c.id == row_id).values(columns))


async def pauses(db: Connection, numbers: Collection[int]) -> Sequence[Row[Any]]:
    """The pauses of reviews, the earliest first."""
    query = select(review_pause).where(among(review_pause.c.review_id, list(numbers)))
    return await db.all(query.order_by(review_pause.c.start, review_pause.c.id))


async def add_pause(db: Connection, **columns: Any) -> None:
    """Keep the beginning of a pause."""
    await db.run(insert(review_pause).values(columns))


async def end_pauses(db: Connection, number: int, end: int, answer: str) -> None:
    """End the open pause of a review."""
    t = review_pause
    await db.run(update(t).where(t.c.review_id == number, t.c.end.is_(None)).values(end=end, answer=answer))


async def screens(db: Connection, numbers: Collection[int]) -> Sequence[Row[Any]]:
    """What the screens of reviews say now, with the names of DERs."""
    t = screen_result
    query = select(t, component_der.c.name.label("der_name"))
    query = query.join_from(t, component_der, component_der.c.id == t.c.component_der_id, isouter=True)
    query = query.where(among(t.c.review_id, list(numbers)), t.c.superseded_at.is_(None))
    return await db.all(query.order_by(t.c.id))


async def replace_screens(
    db: Connection, number: int, names: Collection[str], rows: Sequence[Mapping[str, Any]], *, now: int
) -> None:
    """Have new results of some screens take the place of earlier ones, which are kept as superseded."""
    t = screen_result
    old = update(t).where(t.c.review_id == number, t.c.superseded_at.is_(None), among(t.c.screen, list(names)))
    await db.run(old.values(superseded_at=now))
    if rows:
        await db.run(insert(t), rows)


async def add_letter(db: Connection, **columns: Any) -> int:
    """The number of a letter."""
    return await db.add(insert(review_letter).values(columns))


async def letter(db: Connection, number: int) -> Row[Any] | None:
    """The newest letter about a review."""
    t = review_letter
    return await db.one(select(t).where(t.c.review_id == number).order_by(t.c.id.desc()).limit(1))


async def disputes(db: Connection, number: int) -> Sequence[Row[Any]]:
    """The disputes about a review, the earliest first."""
    return await db.all(select(dispute).where(dispute.c.review_id == number).order_by(dispute.c.id))


async def add_dispute(db: Connection, **columns: Any) -> int:
    """The number of a new dispute."""
    return await db.add(insert(dispute).values(columns))


async def close_dispute(db: Connection, number: int, **columns: Any) -> None:
    """Keep what became of a dispute."""
    await db.run(update(dispute).where(dispute.c.id == number).values(columns))
