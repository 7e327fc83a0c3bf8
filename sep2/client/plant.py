"""What a DER client tells of itself: capability, settings, status (2030.5 10.10, CSIP)."""

from sep2 import wire as w
from sep2.client.device import Rating, State
from sep2.client.limits import Limits
from sep2.rules.limits import PERCENT_100, scaled

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
        rtgMaxWh=None if rating.energy_wh is None else energy(rating.energy_wh),
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
        setMaxWh=None if rating.energy_wh is None else energy(rating.energy_wh),
        updatedTime=now,
        doeModesEnabled=w.HexBinary(int(LIMITS), 1),
    )


def status(limits: Limits, state: State, now: int) -> w.DERStatus:
    """Whether it is connected and operates, and how full it is."""
    bits = AVAILABLE | (CONNECTED | OPERATING if limits.may_energize else 0)
    return w.DERStatus(
        genConnectStatus=w.ConnectStatusType(dateTime=now, value=w.HexBinary(bits, 1)),
        operationalModeStatus=w.OperationalModeStatusType(dateTime=now, value=w.OperationalMode.OPERATIONAL),
        readingTime=now,
        stateOfChargeStatus=_charge(state, now),
    )


def availability(state: State, now: int) -> w.DERAvailability | None:
    """What it has to offer, None if it says nothing of that."""
    said = state.available_w, state.available_var, state.available_for_s, state.charges_for_s
    if all(value is None for value in said):
        return None
    return w.DERAvailability(
        availabilityDuration=state.available_for_s,
        maxChargeDuration=state.charges_for_s,
        readingTime=now,
        statVarAvail=None if state.available_var is None else _var(state.available_var),
        statWAvail=None if state.available_w is None else power(state.available_w),
    )


def load_shed(state: State) -> w.LoadShedAvailability | None:
    """What it could do without, None if it says nothing of that."""
    if state.sheddable_w is None:
        return None
    return w.LoadShedAvailability(availabilityDuration=state.sheddable_for_s, sheddablePower=power(state.sheddable_w))


def power(watts: float) -> w.ActivePower:
    """Watts as the wire carries them, rounded down where 16 bits do not hold them."""
    multiplier, value = scaled(int(watts))
    return w.ActivePower(multiplier=multiplier, value=value)


def energy(watt_hours: float) -> w.WattHour:
    """Watt-hours as the wire carries them, rounded down where 16 bits do not hold them."""
    multiplier, value = scaled(int(watt_hours))
    return w.WattHour(multiplier=multiplier, value=value)


def _var(reactive_var: float) -> w.ReactivePower:
    multiplier, value = scaled(abs(int(reactive_var)))
    return w.ReactivePower(multiplier=multiplier, value=value if reactive_var > 0 else -value)


def _charge(state: State, now: int) -> w.StateOfChargeStatusType | None:
    if state.state_of_charge is None:
        return None
    return w.StateOfChargeStatusType(dateTime=now, value=round(PERCENT_100 * state.state_of_charge))


def _modes(rating: Rating) -> w.HexBinary:
    charges = w.DERControlType.charge if rating.max_charge_w else 0
    return w.HexBinary(int(MODES | charges), 4)
