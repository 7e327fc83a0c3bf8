"""What a device can carry of a control or default, and whether it sees a control in time."""

from collections.abc import Collection

from sep2.rules.limits import MODES
from sep2.wire.der_codes import DERControlType, DOEControlType

CSIP = "csip"
MARGIN_S = 60
"""A client that polls once a minute or less often is given so much time beyond its poll rate."""
IN_CSIP = {"opModExpLimW": "opModMaxLimW", "opModGenLimW": "opModMaxLimW"}
"""The limits that profile csip can carry, and as what: a share of what the device can generate."""


def unsupported(
    profile: str, modes_supported: int | None, doe_modes_supported: int | None, modes: Collection[str]
) -> dict[str, str]:
    """Of modes by wire name those that a device can not carry, each with why; what it has not reported is supported."""
    found = {}
    for mode in sorted(modes):
        if profile == CSIP and mode in MODES and mode not in IN_CSIP:
            found[mode] = "profile csip can not carry it"
        elif not _supports(profile, modes_supported, doe_modes_supported, mode):
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
