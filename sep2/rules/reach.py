"""What a device can carry of a control or default, and whether it sees a control in time."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from sep2.rules.limits import MODES, PERCENT_100, Limits
from sep2.rules.ratings import percent_of
from sep2.wire.codes import DeviceCategoryType
from sep2.wire.der_codes import DERControlType, DOEControlType

CSIP = "csip"
MARGIN_S = 60
"""A client that polls once a minute or less often is given so much time beyond its poll rate."""
IN_CSIP = {"opModExpLimW": "opModMaxLimW", "opModGenLimW": "opModMaxLimW"}
"""The limits that profile csip can carry, and as what: a share of what the device can generate."""
AS_LOAD = ("opModImpLimW", "opModLoadLimW")
"""The limits that an EndDeviceControl carries, as a bound on what the device itself draws."""


_GENERATES_ONLY = (
    DeviceCategoryType.VIRTUAL_OR_MIXED_DER
    | DeviceCategoryType.RECIPROCATING_ENGINE
    | DeviceCategoryType.FUEL_CELL
    | DeviceCategoryType.PHOTOVOLTAIC
    | DeviceCategoryType.COMBINED_HEAT_AND_POWER
    | DeviceCategoryType.PHOTOVOLTAIC_AND_STORAGE
    | DeviceCategoryType.OTHER_GENERATION
    | DeviceCategoryType.ENERGY_MANAGEMENT_SYSTEM
    | DeviceCategoryType.SMART_ENERGY_MODULE
)
LOADS = int(~_GENERATES_ONLY & ((1 << 26) - 1))
"""The DeviceCategoryType bits of what draws power, chargers and storage among them."""
_DRAWS_ONLY = LOADS & ~int(DeviceCategoryType.OTHER_STORAGE)


class Equipment(Protocol):
    """What decides what can be sent to a device."""

    @property
    def profile(self) -> str:
        """That of its client."""
        ...

    @property
    def modes_supported(self) -> int | None:
        """Of its DERCapability; None: not reported."""
        ...

    @property
    def doe_modes_supported(self) -> int | None:
        """Likewise."""
        ...

    @property
    def load_control_w(self) -> int | None:
        """What it draws at most, W, where it follows EndDeviceControls; percentages of its load are of this."""
        ...


class Told(Protocol):
    """The part of that on which it depends whether a device is served EndDeviceControls."""

    @property
    def profile(self) -> str:
        """That of its client."""
        ...

    @property
    def load_control_w(self) -> int | None:
        """What it draws at most, W, where it follows EndDeviceControls."""
        ...


def has_load_control(device: Told) -> bool:
    """Whether a device is served demand response and load control: CSIP-AUS carries limits of load by itself."""
    return device.load_control_w is not None and device.profile == CSIP


def only_draws(device: Any) -> bool:
    """Whether a device with load control has reported no generation: nothing bounds what is not there."""
    return device.load_control_w is not None and not device.set_max_w and not device.nameplate_w


def uses_of(device: Any) -> tuple[bool, bool]:
    """Whether a device generates and whether it draws; true where its category and its reports leave it open.

    What is registered as nothing but a load and follows EndDeviceControls generates once it reports a rating.
    """
    category = device.device_category
    if not category:
        return True, True
    return not (only_draws(device) and not category & ~_DRAWS_ONLY), bool(category & LOADS)


def load_bound(limits: Limits) -> int | None:
    """What a device with load control may draw by some limits, W; None: as much as it can.

    A limit of import bounds the device's own load too: what else the connection draws is not the device's to hold.
    """
    return min((watts for watts in (limits.import_w, limits.load_w) if watts is not None), default=None)


def load_offset(limit_w: int, most_w: int) -> int:
    """By what part of its load a device is to draw less, in hundredths of a percent, rounded up."""
    return PERCENT_100 - percent_of(limit_w, most_w)


def companion_role(most_w: int) -> str:
    """What tells the mRIDs of load control from those of controls: percentages of another load are other events."""
    return f"load control of {most_w} W"


def not_carried(device: Told, limits: Limits) -> list[str]:
    """Which of the limits `import` and `load` a device can not be told."""
    if device.profile != CSIP or has_load_control(device):
        return []
    return [what for what in ("import", "load") if getattr(limits, f"{what}_w") is not None]


def as_held(device: Told, modes: Mapping[str, Any], *, by_default: bool = False) -> dict[str, Any]:
    """The modes that a device is to hold of those that a control says, or a default.

    With load control a limit of import is one of its own load; no default bounds that, as there is none in this
    function set.
    """
    if not has_load_control(device):
        return dict(modes)
    found = {mode: value for mode, value in modes.items() if mode not in AS_LOAD}
    bounds = [modes[mode] for mode in AS_LOAD if mode in modes and not by_default]
    return {**found, AS_LOAD[-1]: min(bounds)} if bounds else found


def unsupported(device: Equipment, modes: Collection[str], *, by_default: bool = False) -> dict[str, str]:
    """Of modes by wire name those that a device can not carry, each with why; what it has not reported is supported.

    by_default: whether a default says them, and not a control.
    """
    found = {}
    for mode in sorted(modes):
        if device.profile == CSIP and mode in MODES and mode not in IN_CSIP:
            if not has_load_control(device):
                found[mode] = "profile csip can not carry it"
            elif by_default:
                found[mode] = "load control has no default"
        elif not _supports(device.profile, device.modes_supported, device.doe_modes_supported, mode):
            found[mode] = "its DERCapability does not support it"
    return found


def _supports(profile: str, modes_supported: int | None, doe_modes_supported: int | None, mode: str) -> bool:
    if mode in MODES and profile != CSIP:
        return doe_modes_supported is None or bool(doe_modes_supported & DOEControlType[mode])
    sent_as = IN_CSIP.get(mode, mode)
    known = DERControlType.__members__.get(sent_as)
    return modes_supported is None or known is None or bool(modes_supported & known)


def seen_within_s(poll_rate_s: int) -> int:
    """How long before its end a control must have been issued for a client that only polls to see it in time."""
    return poll_rate_s + (MARGIN_S if poll_rate_s >= MARGIN_S else 0)
