"""creationTime: it rises with every new control, also after the clock was set back."""

from sep2.store import controls, marks
from sep2.store.connection import Connection

MARKS = "clock."
TOLD, CREATION = "told", "creation"
"""What the marks hold: the time told lately; the least creationTime after a step back, and when that was."""
UNDER_WAY_S = 30
"""What is being made while the clock is set back may still bear the time before by so much."""
CATCHES_UP = 2
"""After a step back creation times advance by one second in so many, until the clock has caught up with them."""
FRESH_S = 180
"""A time that is further ahead of the one told lately was taken before a step back, by work that took long."""


async def note_time(db: Connection, now: int) -> None:
    """Remember the time that is told; to be called about every minute, and with each step."""
    await marks.put(db, f"{MARKS}{TOLD}", str(now))


async def told_lately(db: Connection) -> int | None:
    """The time that was remembered last."""
    said = await marks.value(db, f"{MARKS}{TOLD}")
    return None if said is None else int(said)


async def time_for(db: Connection, now: int) -> int:
    """The creationTime of what is made now: `now`, or a later time where the clock was set back."""
    said = await marks.starting_with(db, MARKS)
    if CREATION not in said:
        return now
    least, since = map(int, said[CREATION].split())
    told = int(said.get(TOLD, now))
    current = now if now - told <= FRESH_S else told
    return max(now, least + max(0, current - since) // CATCHES_UP)


async def keep_rising(db: Connection, before: int, after: int) -> None:
    """Have what is made from `after` on bear a later creationTime than all that was made until `before`.

    To be called where the clock is set to another time, and with the same time twice at a start: the clock may have
    been set back while the server was down. They catch up in the seconds that pass, never in those that a step skips.
    """
    latest = max(await time_for(db, before), await controls.latest_creation(db))
    if before != after:
        await note_time(db, after)
    is_ahead = CREATION in await marks.starting_with(db, MARKS)
    if latest > await time_for(db, after) or (is_ahead and before <= after):
        under_way_s = UNDER_WAY_S if before > after else 1
        await marks.put(db, f"{MARKS}{CREATION}", f"{latest + under_way_s} {after}")
