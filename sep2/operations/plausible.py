"""What is most likely a slip: limits far beyond what is there to be limited, and controls for months."""

from collections.abc import Sequence

from sep2.errors import Conflict
from sep2.operations.issuing import NewControl
from sep2.operations.places import Place
from sep2.rules.limits import Limits
from sep2.rules.told_times import told, told_length

TIMES_RATING = 3
UNKNOWN_RATING_MOST_W = 1_000_000
"""What a limit may be where nothing is known of the size of what is there."""
LONGEST_CONTROL_S = 31 * 86_400
FARTHEST_AHEAD_S = 366 * 86_400


class LimitBeyondRating(Conflict):
    """The limit is far beyond what is there to be limited; look at its unit, or send it with `anyway`."""


class ControlTooLong(Conflict):
    """The control lasts longer, or begins later, than one is likely meant to; send it with `anyway` if it is."""


def check_size(limits: Limits, places: Sequence[Place]) -> None:
    """Nothing, unless a limit is far beyond all that is there: most likely its unit is wrong."""
    if not limits.modes() or not places:
        return
    least = min(watts for watts in limits if watts is not None)
    name = next(name for name, watts in limits._asdict().items() if watts == least)
    most = max(_size_w(place) for place in places)
    if least > most:
        raise LimitBeyondRating(f"limits.{name}: {least} W, and {most} W is {TIMES_RATING} times what is there")


def _size_w(place: Place) -> int:
    """The largest limit that makes sense at a place."""
    known = [device.set_max_w for device in place.devices if device.set_max_w]
    firm = [
        watts
        for device in place.devices
        if not place.beside
        for watts in (device.firm_import_w, device.firm_export_w)
        if watts
    ]
    if not known and not firm:
        return UNKNOWN_RATING_MOST_W
    size: int = TIMES_RATING * max(sum(known), *firm, 0)
    return size


def check_span(new: Sequence[NewControl], now: int) -> None:
    """Nothing, unless a control is to last for months, or begins in more than a year."""
    for one in new:
        if one.duration > LONGEST_CONTROL_S:
            raise ControlTooLong(f"duration: {told_length(one.duration)}, and {told_length(LONGEST_CONTROL_S)} at most")
        if one.start - now > FARTHEST_AHEAD_S:
            raise ControlTooLong(f"start: {told(one.start)} is more than a year ahead")
