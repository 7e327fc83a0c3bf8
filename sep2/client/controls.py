"""From what the wire says of programs, controls and defaults to what the schedule decides on."""

from typing import Any

from sep2 import wire as w
from sep2.client.schedule import Control, Default
from sep2.rules.limits import PERCENT_100

LOAD_LIMIT = "opModLoadLimW"
"""What a bound on its load is to a device, by whichever function set it is said."""
_NO_MODES = frozenset({"rampTms"})
_POWERS = (w.ActivePower, w.ReactivePower)


def control_of(sent: w.DERControl, program: int) -> Control:
    """One control of a program."""
    category = None if sent.deviceCategory is None else int(sent.deviceCategory)
    return Control(modes=modes_of(sent.DERControlBase), category=category, **_event(sent, program))


def load_control_of(sent: w.EndDeviceControl, program: int, most_w: float) -> Control:
    """One event of a demand response program, for a device that draws at most `most_w`."""
    modes, category = _bound_of(sent, most_w), int(sent.deviceCategory)
    return Control(modes=modes, category=category, is_load_control=True, **_event(sent, program))


def _event(sent: w.DERControl | w.EndDeviceControl, program: int) -> dict[str, Any]:
    """What the events of both function sets say alike."""
    return {
        "mrid": sent.mRID,
        "program": program,
        "created": sent.creationTime,
        "start": sent.interval.start,
        "duration": sent.interval.duration,
        "status": int(sent.EventStatus.currentStatus),
        "randomize_start": sent.randomizeStart or 0,
        "randomize_duration": sent.randomizeDuration or 0,
        "reply_to": sent.replyTo,
        "response_required": int(sent.responseRequired or 0),
    }


def _bound_of(sent: w.EndDeviceControl, most_w: float) -> dict[str, Any]:
    """The bound on its load that an event says; set points and the like say none, and are not for such a device."""
    share = _share_of(sent)
    return {} if share is None else {LOAD_LIMIT: max(0.0, min(1.0, share)) * most_w}


def _share_of(sent: w.EndDeviceControl) -> float | None:
    if sent.Offset is not None and sent.Offset.loadAdjustmentPercentageOffset is not None:
        offset = sent.Offset.loadAdjustmentPercentageOffset / PERCENT_100
        return 1 + offset if sent.loadShiftForward else 1 - offset
    # Drawing so much all the time draws no more than drawing everything so much of the time.
    return None if sent.DutyCycle is None else sent.DutyCycle.normalValue / 100


def default_of(sent: w.DefaultDERControl) -> Default:
    """The default of a program."""
    return Default(sent.mRID, modes_of(sent.DERControlBase))


def modes_of(base: w.DERControlBase) -> dict[str, Any]:
    """The modes that are set, by wire name; powers in watts and vars, the rest as it came."""
    set_modes = {name: getattr(base, name) for name in _names(base)}
    return {name: _plain(value) for name, value in set_modes.items() if value is not None}


def _names(base: w.DERControlBase) -> list[str]:
    return [name for name in base.__dataclass_fields__ if name not in _NO_MODES]


def _plain(value: Any) -> Any:
    """An exact number where it is whole: 10^-1 W is a float, 10^1 W is not."""
    return value.value * 10**value.multiplier if isinstance(value, _POWERS) else value
