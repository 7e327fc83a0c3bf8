"""What a DER client tells of itself: capability, settings, status (2030.5 10.10, CSIP)."""

from sep2 import wire as w
from sep2.client.device import Rating
from sep2.client.limits import Limits
from sep2.rules.limits import scaled

MODES = (
    w.DERControlType.discharge
    | w.DERControlType.opModConnect
    | w.DERControlType.opModEnergize
    | w.DERControlType.opModMaxLimW
)
LIMITS = (
    w.DOEControlType.opModExpLimW
    | w.DOEControlType.opModImpLimW
    | w.DOEControlType.opModGenLimW
    | w.DOEControlType.opModLoadLimW
)
CONNECTED, AVAILABLE, OPERATING = 1, 2, 4


def capability(rating: Rating) -> w.DERCapability:
    """The nameplate."""
    return w.DERCapability(
        modesSupported=_modes(rating),
        rtgMaxChargeRateW=None if rating.max_charge_w is None else power(rating.max_charge_w),
        rtgMaxW=power(rating.max_w),
        type=rating.kind,
        doeModesSupported=w.HexBinary(int(LIMITS), 1),
    )


def settings(rating: Rating, now: int) -> w.DERSettings:
    """What the nameplate is set to."""
    return w.DERSettings(
        modesEnabled=_modes(rating),
        setGradW=round(100 * rating.grad_percent_per_s),
        setMaxChargeRateW=None if rating.max_charge_w is None else power(rating.max_charge_w),
        setMaxW=power(rating.max_w),
        updatedTime=now,
        doeModesEnabled=w.HexBinary(int(LIMITS), 1),
    )


def status(limits: Limits, now: int) -> w.DERStatus:
    """Whether it is connected and operates."""
    bits = AVAILABLE | (CONNECTED | OPERATING if limits.may_energize else 0)
    return w.DERStatus(
        genConnectStatus=w.ConnectStatusType(dateTime=now, value=w.HexBinary(bits, 1)),
        operationalModeStatus=w.OperationalModeStatusType(dateTime=now, value=w.OperationalMode.OPERATIONAL),
        readingTime=now,
    )


def power(watts: float) -> w.ActivePower:
    """Watts as the wire carries them, rounded down where 16 bits do not hold them."""
    multiplier, value = scaled(int(watts))
    return w.ActivePower(multiplier=multiplier, value=value)


def _modes(rating: Rating) -> w.HexBinary:
    charges = w.DERControlType.charge if rating.max_charge_w else 0
    return w.HexBinary(int(MODES | charges), 4)
