"""Devices whose measurements do not fit the modes they were sent: told by alarms after intervals were judged."""

import asyncio
from collections.abc import Sequence

from sep2.operations.alarms import SETTING_NOT_FOLLOWED, Wanted
from sep2.operations.followed_modes import Interval, compare
from sep2.operations.judging import AT_ONCE, Policy
from sep2.rules.set_modes import Checked, Fit
from sep2.server.leading import have_stand
from sep2.store import alarms, judged, measured_modes
from sep2.store.database import Database

LOOKS_BACK_S = 2 * 3600
IN_A_ROW = 2
"""Intervals with a measurement that do not fit, one after another, that are enough."""


class UnfollowedModes:
    """Raises and clears `setting_not_followed`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._until = 0

    async def look(self, until: int, now: int, policy: Policy) -> None:
        """Have the alarms stand that follow from what was measured up to a time."""
        if until == self._until:
            return
        span = until - LOOKS_BACK_S, until
        async with self._db.read() as db:
            before = {row.subject: row.detail for row in await alarms.standing_of(db, SETTING_NOT_FOLLOWED)}
        found: dict[str, Wanted] = {}
        after = 0
        while True:
            async with self._db.read() as db:
                ids = await measured_modes.with_modes(db, after, AT_ONCE, span)
                devices = await judged.devices(db, ids)
                compared = await compare(db, devices, span, policy)
            for device in devices:
                detail = unfollowed(compared[device.id], before.get(device.lfdi, ""))
                if detail:
                    found[device.lfdi] = Wanted(detail)
            if len(ids) < AT_ONCE:
                break
            after = ids[-1]
            await asyncio.sleep(0)
        await have_stand(self._db, {SETTING_NOT_FOLLOWED: found}, now)
        self._until = until


def unfollowed(intervals: Sequence[Interval], before: str) -> str:
    """Say which modes of a device do not fit; empty: none, as far as it is known.

    before: what the alarm that stands says. It goes on for a mode in force until a measurement tells otherwise.
    """
    modes = {one.mode for interval in intervals[-1:] for one in interval.modes}
    said = []
    for mode in sorted(modes):
        course = [one for interval in intervals for one in interval.modes if one.mode == mode]
        telling = [one for one in course if one.fit is Fit.MISFIT or (one.fit is Fit.FITS and one.tells)]
        if not telling:
            said += [part for part in before.split("; ") if part.startswith(f"{mode}: ")]
        elif _is_misfit(telling, known=f"{mode}: " in before):
            said.append(sentence(telling[-1]))
    return "; ".join(said)


def _is_misfit(telling: Sequence[Checked], *, known: bool) -> bool:
    last = telling[-1:] if known else telling[-IN_A_ROW:]
    return (known or len(last) == IN_A_ROW) and all(one.fit is Fit.MISFIT for one in last)


def sentence(one: Checked) -> str:
    """What a mode asks for, and what came."""
    asked = " to ".join(str(bound) for bound in dict.fromkeys(map(_whole, (one.least, one.most))) if bound is not None)
    most = "at most " if one.least is None else ""
    return f"{one.mode}: {_whole(one.measured)} {one.unit} measured, {most}{asked} {one.unit} asked for"


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
