"""What operators do about alarms: acknowledge, put off for a time, and clear what tells of something that happened."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, Forbidden, NotFound
from sep2.rules.alarm_kinds import kind_of
from sep2.rules.alarming import LONGEST_OUT_OF_SERVICE_S, LONGEST_SHELVED_S
from sep2.rules.told_times import told
from sep2.store import alarm_states, alarms
from sep2.store.connection import Connection


class UnknownAlarm(NotFound):
    """There is no alarm of that number."""


class AlarmIsOver(Conflict):
    """The alarm does not stand any more."""


class CauseStands(Conflict):
    """The alarm clears by itself once its cause is gone; acknowledge it, or shelve it for a time."""


class NotShelved(Conflict):
    """The alarm is not shelved."""


class ShelvedTooLong(Forbidden):
    """Operators shelve for up to 8 hours; engineers for longer."""


class BadShelving(BadValue):
    """An alarm is shelved for a time, and for a reason."""


class Who(NamedTuple):
    """The operator who does it, and whether they are an engineer."""

    name: str
    is_engineer: bool = False


async def find(db: Connection, number: int) -> Row[Any]:
    """An alarm by its number, also one that is over."""
    row = await alarm_states.one(db, number)
    if row is None:
        raise UnknownAlarm(str(number) if number >= 0 else "")
    return row


async def acknowledge(db: Connection, number: int, who: Who, *, note: str, now: int) -> Row[Any]:
    """Somebody has seen the alarm and sees to it: it is not escalated any more."""
    await find(db, number)
    said = {"acknowledged": now, "acknowledged_by": who.name} | ({"note": note} if note else {})
    await alarm_states.change(db, number, **said)
    return await find(db, number)


async def shelve(db: Connection, number: int, who: Who, until: int, *, reason: str, now: int) -> Row[Any]:
    """Put an alarm off: it is not announced and not in the list until then, and comes back by itself."""
    row = await find(db, number)
    if row.cleared is not None:
        raise AlarmIsOver(f"alarm {number} ({row.code})")
    if not reason.strip():
        raise BadShelving("reason: say why")
    if not now < until <= now + LONGEST_OUT_OF_SERVICE_S:
        raise BadShelving(f"until: {told(until)} is not within {LONGEST_OUT_OF_SERVICE_S // 86_400} days from now")
    if until > now + LONGEST_SHELVED_S and not who.is_engineer:
        raise ShelvedTooLong(f"until: {told(until)}")
    await alarm_states.change(db, number, shelved_until=until, shelved_by=who.name, shelved_because=reason)
    return await find(db, number)


async def unshelve(db: Connection, number: int, now: int) -> Row[Any]:
    """Have a shelved alarm back in the list now; it is announced again unless somebody has acknowledged it."""
    row = await find(db, number)
    if row.shelved_until is None or row.shelved_until <= now or row.cleared is not None:
        raise NotShelved(f"alarm {number} ({row.code})")
    await alarm_states.change(db, number, shelved_until=now)
    return await find(db, number)


async def clear(db: Connection, number: int, now: int) -> Row[Any]:
    """Clear an alarm that tells of something that has happened; one whose cause stands clears by itself."""
    row = await find(db, number)
    if row.cleared is not None:
        raise AlarmIsOver(f"alarm {number} ({row.code})")
    kind = kind_of(row.code)
    if not kind.by_hand:
        raise CauseStands(f"{row.code} is over when: {kind.cleared}")
    await alarms.clear(db, row.code, row.subject, now)
    return await find(db, number)
