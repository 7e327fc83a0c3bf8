"""Alarms for the operators: raised once per code and subject until cleared."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, insert, literal, or_, select, update

from sep2.rules.alarm_kinds import priority_of
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.tables import alarm as t


async def raise_one(
    db: Connection, code: str, subject: str, detail: str, *, now: int, priority: int | None = None
) -> int:
    """The id of the standing alarm; a standing one gets the new detail and priority, and is not raised twice.

    priority: where it is not that of its kind.
    """
    priority = priority_of(code) if priority is None else priority
    standing = await db.one(
        select(t.c.id).where(t.c.code == code, t.c.subject == subject, t.c.cleared.is_(None)).limit(1)
    )
    if standing is None:
        said = {"code": code, "subject": subject, "detail": detail, "priority": priority, "raised": now}
        await webhooks.tell(db, [_message("raised", said)], now)
        return await db.add(insert(t).values(said))
    await db.run(update(t).where(t.c.id == standing.id).values(detail=detail, priority=priority))
    return int(standing.id)


async def raise_many(db: Connection, code: str, subjects: Sequence[str], detail: str, *, now: int) -> None:
    """Raise an alarm for each subject that has none of that code yet, in two statements however many they are."""
    if not subjects:
        return
    rows = await db.all(select(t.c.subject).where(t.c.code == code, t.c.cleared.is_(None)))
    standing = {row.subject for row in rows}
    fresh = [
        {"code": code, "subject": subject, "detail": detail, "priority": priority_of(code), "raised": now}
        for subject in dict.fromkeys(subjects)
        if subject not in standing
    ]
    if fresh:
        await webhooks.tell(db, [_message("raised", said) for said in fresh], now)
        await db.run(insert(t), fresh)


def _message(kind: str, said: dict[str, Any]) -> webhooks.Message:
    return webhooks.Message("alarms", kind, said["subject"], said, priority=said["priority"])


async def clear(db: Connection, code: str, subject: str, now: int) -> int:
    """How many standing alarms were cleared."""
    standing = t.c.code == code, t.c.subject == subject, t.c.cleared.is_(None)
    row = await db.one(select(t.c.priority, t.c.raised).where(*standing).limit(1))
    if row is None:
        return 0
    said = {"code": code, "subject": subject, "priority": row.priority, "raised": row.raised, "cleared": now}
    await webhooks.tell(db, [_message("cleared", said)], now)
    return (await db.run(update(t).where(*standing).values(cleared=now))).rowcount


async def stands(db: Connection, code: str, subject: str) -> bool:
    """Whether there is an alarm of that code and subject that nobody and nothing has cleared."""
    query = select(t.c.id).where(t.c.code == code, t.c.subject == subject, t.c.cleared.is_(None)).limit(1)
    return await db.one(query) is not None


async def standing(db: Connection) -> Sequence[Row[Any]]:
    """Alarms that nobody and nothing has cleared: the most urgent first, of these the latest."""
    query = select(t).where(t.c.cleared.is_(None))
    return await db.all(query.order_by(t.c.priority, t.c.raised.desc(), t.c.id.desc()))


async def standing_of(db: Connection, code: str) -> Sequence[Row[Any]]:
    """Alarms of one code that stand: subject, detail and priority."""
    return await db.all(select(t.c.subject, t.c.detail, t.c.priority).where(t.c.code == code, t.c.cleared.is_(None)))


async def clear_about(db: Connection, lfdi: str, now: int) -> None:
    """Clear the alarms that stand about an LFDI, or about a mode of it: what they are about is gone."""
    about = or_(t.c.subject == lfdi, t.c.subject.startswith(f"{lfdi} ", autoescape=True))
    await db.run(update(t).where(t.c.cleared.is_(None), about).values(cleared=now))


async def rename_subject(db: Connection, old: str, new: str) -> None:
    """Have the alarms that stand about one LFDI, or about a mode of it, stand about another."""
    standing = t.c.cleared.is_(None), or_(t.c.subject == old, t.c.subject.startswith(f"{old} ", autoescape=True))
    rest = func.substr(t.c.subject, len(old) + 1)
    await db.run(update(t).where(*standing).values(subject=literal(new) + rest))
