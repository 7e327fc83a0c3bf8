"""After a copy of the database was put back: nothing that it says of controls is told until what it lacks is entered.

Devices hold controls that were issued after the copy was taken. What the copy says instead may be looser, so clients
are told to ask again later; meanwhile they keep what they have. Their answers name the controls that were lost.
"""

from typing import NamedTuple

import msgspec

from sep2.errors import Conflict
from sep2.operations.alarms import DATABASE_RESTORED, clear_alarm, raise_alarm
from sep2.operations.identifiers import pen_of
from sep2.store import devices, marks, restored
from sep2.store.connection import Connection

MARK = "restored"
SUBJECT = "database"
NOTED_FOR_S = 30 * 86_400
"""For how long after that answers to unknown controls are noted."""


class NotRestored(Conflict):
    """Nothing is held back: no copy of the database was put back, or what it lacks is entered."""


class StillLost(Conflict):
    """Devices hold controls that this database does not know; say `anyway` once those controls are entered again."""


class Restored(NamedTuple):
    """That a copy of the database was put back."""

    since: int
    """When that was noticed, epoch seconds."""
    copied: int | None
    """The last time that the copy has noted, epoch seconds: what came later is lost."""
    holds: bool
    """Whether clients are told nothing of controls until it is finished."""
    timeline: int
    """Of the database then, see `Connection.timeline`."""


async def state(db: Connection) -> Restored | None:
    """What is known of a copy that was put back; None where none was."""
    return read(await marks.value(db, MARK))


def read(said: str | None) -> Restored | None:
    """What a mark says; None where there is none."""
    return None if said is None else Restored(*msgspec.json.decode(said, type=tuple[int, int | None, bool, int]))


async def begin(db: Connection, now: int, copied: int | None) -> Restored:
    """Hold back what is said of controls, from now until `finish`; copied: the last time that the copy has noted."""
    known = await state(db)
    timeline = await db.timeline()
    if known is not None and known.holds and known.timeline == timeline:
        return known
    begun = Restored(now, copied, holds=True, timeline=timeline)
    await restored.forget_lost(db)
    await _put(db, begun)
    detail = "a copy of the database was put back; clients are told nothing of controls: `sep2 restore show`"
    await raise_alarm(db, DATABASE_RESTORED, SUBJECT, detail, now=now)
    return begun


async def finish(db: Connection, now: int, *, anyway: bool) -> Restored:
    """What was lost is entered again: clients are told of controls from now on."""
    known = await state(db)
    if known is None or not known.holds:
        raise NotRestored
    lost = await restored.count_lost(db)
    if lost and not anyway:
        raise StillLost(f"{lost} answers name such controls: `sep2 restore lost`")
    done = known._replace(holds=False)
    await _put(db, done)
    await clear_alarm(db, DATABASE_RESTORED, SUBJECT, now)
    return done


async def note_lost(db: Connection, device_id: int, mrid: str, status: int | None, *, now: int) -> bool:
    """Note a device's answer to a control that was lost with the copy; whether it is one."""
    known = await state(db)
    if known is None or now - known.since > NOTED_FOR_S or not mrid.endswith(f"{await pen_of(db):08d}"):
        return False
    if await restored.is_known(db, mrid):  # it is another device's
        return False
    device = await devices.one(db, device_id)
    await restored.heard_of(db, mrid, device.lfdi if device else "", status=status or 0, now=now)
    return True


async def _put(db: Connection, said: Restored) -> None:
    await marks.put(db, MARK, msgspec.json.encode(tuple(said)).decode())
