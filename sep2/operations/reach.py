"""What becomes of a control at each device: what profile and equipment carry, and whether it is seen in time."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sep2.errors import Conflict
from sep2.operations.alarms import CONTROL_TOO_SHORT, MODE_UNSUPPORTED, SET_MAX_W, raise_alarm
from sep2.operations.controls import NewControl
from sep2.rules import events
from sep2.rules.ratings import rating
from sep2.rules.reach import CSIP, IN_CSIP, only_draws, seen_within_s, unsupported
from sep2.store import reach
from sep2.store.connection import Connection

AT_ONCE = 500


class ControlTooShort(Conflict):
    """A device that polls may see the control only after its end; `anyway` issues it all the same."""


class Note(NamedTuple):
    """Something that does not reach a device as it is meant."""

    lfdi: str
    connection_id: str | None
    code: str
    """That of the alarm it raises: mode_unsupported, set_max_w or control_too_short."""
    sentence: str
    refuses: bool = False
    """Whether the control is refused for it, unless it is to be issued anyway."""


async def look(
    db: Connection,
    group_id: int,
    new: Sequence[NewControl],
    now: int,
    *,
    poll_rate_s: int,
    told: Mapping[int, int],
) -> list[Note]:
    """What controls do not do at the members of a group, device by device; nothing where they do all that they say.

    poll_rate_s: how often clients are told to poll their programs, and with them their controls. told: that rate by
    device, as each was told it last; one that is not among them has not been heard of since the server started.
    """
    modes = {mode for control in new for mode in (*control.limits.modes(), *control.modes)}
    shortest_s = min(ends(control) - now for control in new)
    found: list[Note] = []
    after = 0
    while rows := await reach.members(db, group_id, after, AT_ONCE):
        for row in rows:
            found += (Note(row.lfdi, row.connection_name, *said) for said in not_as_meant(row, modes))
            if not row.told:
                found += _late(row, shortest_s, told.get(row.id), poll_rate_s)
        after = rows[-1].id
        await asyncio.sleep(0)
    return found


def ends(control: NewControl) -> int:
    """The last second at which a client may still hold to a control."""
    return events.latest_end(control.start, control.duration, control.randomize_start, control.randomize_duration)


def refuse_too_short(notes: Sequence[Note]) -> None:
    """Nothing, where every device that polls sees the controls in time."""
    late = [note for note in notes if note.refuses]
    if late:
        more = f", and {len(late) - 1} more like it" if len(late) > 1 else ""
        raise ControlTooShort(f"{late[0].lfdi} at {late[0].connection_id or 'no connection'}: {late[0].sentence}{more}")


async def warn_too_short(db: Connection, mrids: Sequence[str], notes: Sequence[Note], now: int) -> None:
    """Raise an alarm for controls that were issued although devices may not see them in time."""
    late = [note.lfdi for note in notes if note.refuses]
    for mrid in mrids if late else ():
        detail = f"{len(late)} of its devices, such as {late[0]}, may see it only after its end"
        await raise_alarm(db, CONTROL_TOO_SHORT, mrid, detail, now=now)


def _late(row: Any, shortest_s: int, told_s: int | None, poll_rate_s: int) -> Iterator[Note]:
    """That a device which has not subscribed may look only when the control is over."""
    rate_s = poll_rate_s if told_s is None else told_s
    if shortest_s >= seen_within_s(rate_s):
        return
    heard = (
        f"it polls every {rate_s} s" if told_s is not None else f"it was not heard of; it is to poll every {rate_s} s"
    )
    said = f"{heard}, has not subscribed, and may see the control only after its end in {shortest_s} s"
    yield Note(row.lfdi, row.connection_name, CONTROL_TOO_SHORT, said, told_s is not None)


def not_as_meant(row: Any, modes: Collection[str]) -> Iterator[tuple[str, str]]:
    """What a device does not carry of some modes, or not as it is meant: the code of each alarm and a sentence."""
    for mode, why in unsupported(row, modes).items():
        yield MODE_UNSUPPORTED, f"{mode}: {why}"
    if row.profile != CSIP or IN_CSIP.keys().isdisjoint(modes) or only_draws(row):
        return
    known = rating(row)
    if known.doubt:
        of = "0 %" if known.watts is None else f"a percentage of {known.watts} W"
        yield SET_MAX_W, f"{known.doubt}; the limit is sent as {of}"
