"""Alarms for the operators: one row for each code and subject from when it is raised until it is cleared.

Receivers are told by who announces (`sep2.server.announcing`), of rows with `news`: who raises asks nobody.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upserted

from sep2.rules.alarm_kinds import kind_of, priority_of
from sep2.store.alarm_tables import STANDING
from sep2.store.alarm_tables import alarm as t
from sep2.store.alarm_tables import alarm_member as member
from sep2.store.connection import Connection
from sep2.store.many import among

LONGEST_SUBJECT = 400
MOST_MEMBERS = 500
"""Names that are kept where all are said at once; the count says how many there are."""
_STANDS = t.c.cleared.is_(None)


async def raise_one(
    db: Connection,
    code: str,
    subject: str,
    detail: str,
    *,
    now: int,
    priority: int | None = None,
    members: Collection[str] | None = None,
    count: int | None = None,
) -> int:
    """The id of the standing alarm; a standing one gets the new detail and priority, and is not raised twice.

    priority: where it is not that of its kind. members: the names of what it is about, where that is several; count:
    how many that are, where not all are named.
    """
    subject = subject[:LONGEST_SUBJECT]
    said = {"detail": detail, "priority": priority_of(code) if priority is None else priority}
    if members is not None or count is not None:
        said["count"] = max(1, len(members or ()), count or 0)
    number = await _change(db, code, subject, said)
    if number is None:
        number = await _reopen(db, code, subject, said, now=now)
    if number is None:
        number = await _insert(db, code, subject, said, now=now)
    if members is not None:
        await db.run(delete(member).where(member.c.alarm_id == number))
        await _name(db, number, list(members)[:MOST_MEMBERS])
    return number


async def _change(db: Connection, code: str, subject: str, said: dict[str, Any]) -> int | None:
    """Say it of the alarm that stands; one that has become more urgent is announced anew."""
    statement = update(t).where(*_one(code, subject)).values(said | _anew(t.c.priority > said["priority"]))
    row = await db.one(statement.returning(t.c.id))
    return None if row is None else int(row.id)


def _anew(when: ColumnElement[bool]) -> dict[str, Any]:
    """What is forgotten of an alarm that has to be announced once more."""
    found: dict[str, Any] = {
        name: case((when, null()), else_=t.c[name]) for name in ("announced", "acknowledged", "escalated")
    }
    return found | {"news": case((when, true()), else_=t.c.news)}


async def _reopen(db: Connection, code: str, subject: str, said: dict[str, Any], *, now: int) -> int | None:
    """Have an alarm stand again whose cause was gone for a short time only.

    Where nobody was told yet that it was over, nobody is told that it stands again.
    """
    since = now - kind_of(code).returns_s
    latest = select(t.c.id).where(t.c.code == code, t.c.subject == subject, t.c.cleared >= since)
    was_told = ~and_(t.c.news, t.c.announced.is_not(None))
    again = said | _anew(was_told) | {"cleared": None, "again": t.c.again + 1, "raised": now, "news": True}
    one = latest.order_by(t.c.id.desc()).limit(1).scalar_subquery()
    row = await db.one(update(t).where(t.c.id == one, t.c.cleared.is_not(None)).values(again).returning(t.c.id))
    return None if row is None else int(row.id)


async def _insert(db: Connection, code: str, subject: str, said: dict[str, Any], *, now: int) -> int:
    statement = upserted(t).values(said | {"code": code, "subject": subject, "raised": now, "news": True})
    # Two servers may notice the same thing in one instant.
    statement = statement.on_conflict_do_update(
        index_elements=[t.c.code, t.c.subject],
        index_where=STANDING,
        set_={name: statement.excluded[name] for name in said},
    )
    row = await db.one(statement.returning(t.c.id))
    assert row is not None
    return int(row.id)


async def _name(db: Connection, number: int, names: Sequence[str]) -> None:
    if names:
        rows = [{"alarm_id": number, "name": name} for name in dict.fromkeys(names)]
        await db.run(upserted(member).on_conflict_do_nothing(), rows)


def _one(code: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return t.c.code == code, t.c.subject == subject[:LONGEST_SUBJECT], _STANDS


async def add_members(db: Connection, code: str, subject: str, names: Sequence[str], *, detail: str, now: int) -> None:
    """Have the alarm of a subject be about these too, besides those that it is about."""
    if names:
        number = await raise_one(db, code, subject, detail, now=now)
        await _name(db, number, names)
        await _count(db, number)


async def drop_members(db: Connection, code: str, names: Collection[str], now: int) -> None:
    """Have alarms of a code no more be about these; one that is about nothing any more is cleared."""
    query = select(t.c.id).distinct().join_from(t, member).where(t.c.code == code, _STANDS)
    rows = await db.all(query.where(among(member.c.name, names)))
    for row in rows:
        await db.run(delete(member).where(member.c.alarm_id == row.id, among(member.c.name, names)))
        if not await _count(db, row.id):
            await _clear(db, [t.c.id == row.id], now)


async def _count(db: Connection, number: int) -> int:
    row = await db.one(select(func.count().label("n")).where(member.c.alarm_id == number))
    found = row.n if row else 0
    await db.run(update(t).where(t.c.id == number).values(count=max(1, found)))
    return found


async def clear(db: Connection, code: str, subject: str, now: int) -> int:
    """How many standing alarms were cleared."""
    return await _clear(db, list(_one(code, subject)), now)


async def _clear(db: Connection, which: Sequence[ColumnElement[bool]], now: int) -> int:
    # What it explained is looked at anew; who announces finds that out.
    cleared = update(t).where(*which).values(cleared=now, news=True)
    return (await db.run(cleared)).rowcount


_OVER = (
    update(t)
    .where(t.c.code == bindparam("of_code"), t.c.subject == bindparam("of_subject"), _STANDS)
    .values(cleared=bindparam("at", type_=t.c.cleared.type), news=True)
)


async def over(db: Connection, code: str, subject: str, now: int) -> None:
    """Clear an alarm, if it stands."""
    await db.later(_OVER, {"of_code": code, "of_subject": subject[:LONGEST_SUBJECT], "at": now})


async def is_about(db: Connection, code: str, name: str) -> bool:
    """Whether an alarm of that code stands about a name, as its subject or as one of its members."""
    named = exists().where(member.c.alarm_id == t.c.id, member.c.name == name)
    query = select(t.c.id).where(t.c.code == code, _STANDS, or_(t.c.subject == name, named)).limit(1)
    return await db.one(query) is not None


async def stands(db: Connection, code: str, subject: str) -> bool:
    """Whether there is an alarm of that code and subject that nobody and nothing has cleared."""
    return await db.one(select(t.c.id).where(*_one(code, subject)).limit(1)) is not None


async def standing(db: Connection) -> Sequence[Row[Any]]:
    """Alarms that nobody and nothing has cleared: the most urgent first, of these the latest."""
    query = select(t).where(_STANDS)
    return await db.all(query.order_by(t.c.priority, t.c.raised.desc(), t.c.id.desc()))


async def standing_of(db: Connection, code: str) -> Sequence[Row[Any]]:
    """Alarms of one code that stand: subject, detail, priority, count, and when they were raised."""
    query = select(t.c.subject, t.c.detail, t.c.priority, t.c.count, t.c.raised)
    return await db.all(query.where(t.c.code == code, _STANDS))


async def members_of(db: Connection, number: int, most: int = MOST_MEMBERS) -> list[str]:
    """The names of what an alarm is about, where it says any."""
    query = select(member.c.name).where(member.c.alarm_id == number).order_by(member.c.name).limit(most)
    return [row.name for row in await db.all(query)]


async def members_about(db: Connection, code: str, subject: str) -> list[str]:
    """The names of what the alarm of a code and subject is about; none where it does not stand."""
    row = await db.one(select(t.c.id).where(*_one(code, subject)))
    return [] if row is None else await members_of(db, row.id)


async def clear_about(db: Connection, lfdi: str, now: int) -> None:
    """Clear the alarms that stand about an LFDI, or about a mode of it: what they are about is gone."""
    about = or_(t.c.subject == lfdi, t.c.subject.startswith(f"{lfdi} ", autoescape=True))
    await _clear(db, [_STANDS, about], now)
    codes = select(t.c.code).distinct().join_from(t, member).where(_STANDS, member.c.name == lfdi)
    for row in await db.all(codes):
        await drop_members(db, row.code, [lfdi], now)


async def rename_subject(db: Connection, old: str, new: str, now: int) -> None:
    """Have the alarms that stand about one LFDI, or about a mode of it, stand about another."""
    standing = _STANDS, or_(t.c.subject == old, t.c.subject.startswith(f"{old} ", autoescape=True))
    renamed = literal(new) + func.substr(t.c.subject, len(old) + 1)
    other = t.alias()
    twice = exists().where(other.c.code == t.c.code, other.c.subject == renamed, other.c.cleared.is_(None))
    await _clear(db, [*standing, twice], now)
    await db.run(update(t).where(*standing).values(subject=renamed))
    await db.run(update(member).where(member.c.name == old).values(name=new))
