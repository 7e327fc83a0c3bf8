"""Whether what was measured at a device fits the modes that it was sent: power factor, var, set-points and curves.

Generation and injected var are positive. A measurement fits within 5 % of the device's rating, and a curve within 1 %
of its voltage: the accuracy that IEEE 1547-2018 (4.4, table 3) asks of a device's own measurements.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from sep2.wire.der_codes import DERUnitRefType

TOLERANCE_SHARE, VOLTAGE_SHARE = 0.05, 0.01
LEAST_SHARE = 0.05
"""Of the rating: below that a device need not answer with var (IEEE 1547-2018 5.2)."""
PLAUSIBLE_PU = (0.9, 1.1)
CONDUCTORS = (1.0, math.sqrt(3.0), 2.0, 1.0 / math.sqrt(3.0), 0.5)
"""Ratios of a reference to a measurement: three phases, and the two halves of a split phase."""
REACTIVE = frozenset(
    (
        *("opModFixedPFAbsorbW", "opModFixedPFInjectW", "opModFixedVar", "opModTargetVar"),
        *("opModVoltVar", "opModWattVar", "opModWattPF"),
    )
)
"""Modes of which a device follows one at a time."""
WATT, VAR = "W", "var"


class Fit(StrEnum):
    """The verdict on one mode in one interval."""

    FITS = "fits"
    MISFIT = "does not fit"
    UNKNOWN = "unknown"


class Seen(NamedTuple):
    """Means of one interval at the device; None: not measured."""

    volts: float | None = None
    watts: float | None = None
    """generation positive"""
    var: float | None = None
    """injected positive"""


class Sizes(NamedTuple):
    """What percentages are of, as the device reports it; None: not reported."""

    max_w: float | None = None
    max_va: float | None = None
    max_var: float | None = None
    v_ref: float | None = None
    v_offset: float = 0.0

    @property
    def va(self) -> float | None:
        """The apparent power that tolerances are of."""
        return self.max_va or self.max_w


class Line(NamedTuple):
    """A curve: its points in percent, what y is of, and the share of the reference voltage that x is of."""

    points: Sequence[tuple[float, float]]
    y_ref: int
    v_share: float | None = 1.0
    """None: the device follows the voltage by itself"""


class Band(NamedTuple):
    """What a mode lets a device do in an interval."""

    unit: str
    least: float
    most: float
    tells: bool = True
    """whether a device without the mode would be told apart"""


class Checked(NamedTuple):
    """One mode in one interval: what it asks for, what came, and why that is not known."""

    mode: str
    fit: Fit
    unit: str = ""
    least: float | None = None
    """None: without a bound"""
    most: float | None = None
    measured: float | None = None
    tells: bool = False
    why: str = ""


class _Unknown(Exception):
    """Why it can not be told whether a mode is followed."""


def check(mode: str, value: Any, seen: Seen, sizes: Sizes, *, held: Collection[str] = ()) -> Checked:
    """Compare an interval with one mode. held: all modes in force; value: a `Line` where the mode has a curve."""
    try:
        if mode in REACTIVE and sum(one in REACTIVE for one in held) > 1:
            raise _Unknown("several modes of reactive power are in force at once")
        if mode not in _BANDS:
            raise _Unknown("this mode is not compared with measurements")
        band = _BANDS[mode](value, seen, sizes)
        measured = _needed(seen.watts if band.unit == WATT else seen.var, f"{band.unit} is not measured")
        slack = TOLERANCE_SHARE * _needed(sizes.va, "its rating is not known")
    except _Unknown as why:
        return Checked(mode, Fit.UNKNOWN, why=str(why))
    fits = band.least - slack <= measured <= band.most + slack
    tells = band.tells and not (band.unit == VAR and band.least - slack <= 0.0 <= band.most + slack)
    least, most = (None if math.isinf(one) else one for one in (band.least, band.most))
    return Checked(mode, Fit.FITS if fits else Fit.MISFIT, band.unit, least, most, measured, tells)


def _needed(value: float | None, why: str) -> float:
    if value is None:
        raise _Unknown(why)
    return value


def _is_off(value: Any, _: Seen, __: Sizes) -> Band:
    if value:
        raise _Unknown("it may run, and need not")
    return Band(WATT, 0.0, 0.0)


def _set_point(watts: float) -> Band:
    """Up to a set-point: there may be no sun, or a battery may be full."""
    return Band(WATT, min(watts, 0.0), max(watts, 0.0))


def _fixed_w(value: Any, _: Seen, sizes: Sizes) -> Band:
    return _set_point(value / 10_000 * _needed(sizes.max_w, "setMaxW is not reported"))


def _target_w(value: Any, _: Seen, __: Sizes) -> Band:
    return _set_point(_quantity(value))


def _quantity(value: Mapping[str, Any]) -> float:
    return float(value["value"] * 10.0 ** value.get("multiplier", 0))


def _power_factor(sign: int) -> Callable[[Any, Seen, Sizes], Band]:
    """sign: 1 where it holds while the device generates, -1 while it draws."""

    def band(value: Any, seen: Seen, sizes: Sizes) -> Band:
        watts = sign * _active(seen, sizes)
        if watts < 0.0:
            raise _Unknown("it draws power" if sign > 0 else "it generates")
        factor = value["displacement"] * 10.0 ** value["multiplier"]
        if not 0.0 < factor <= 1.0:
            raise _Unknown(f"{factor:g} is no power factor")
        var = watts * math.tan(math.acos(factor))
        return _within_capability(-var if value["excitation"] else var, seen, sizes)

    return band


def _active(seen: Seen, sizes: Sizes) -> float:
    """The watts of a device that runs."""
    watts = _needed(seen.watts, "W is not measured")
    if abs(watts) < LEAST_SHARE * _needed(sizes.va, "its rating is not known"):
        raise _Unknown("it runs at less than 5 % of its rating, and need not answer with var")
    return watts


def _fixed_var(value: Any, seen: Seen, sizes: Sizes) -> Band:
    _active(seen, sizes)
    return _within_capability(value["value"] / 10_000 * _var_base(value["refType"], seen, sizes), seen, sizes)


def _target_var(value: Any, seen: Seen, sizes: Sizes) -> Band:
    _active(seen, sizes)
    return _within_capability(_quantity(value), seen, sizes)


def _var_base(reference: int, seen: Seen, sizes: Sizes) -> float:
    if reference == DERUnitRefType.setMaxW:
        return _needed(sizes.max_w, "setMaxW is not reported")
    if reference == DERUnitRefType.setMaxVar:
        return _needed(sizes.max_var, "setMaxVar is not reported")
    return _available_var(seen, sizes)


def _available_var(seen: Seen, sizes: Sizes) -> float:
    va = _needed(sizes.va, "its rating is not known")
    return math.sqrt(max(va**2 - _needed(seen.watts, "W is not measured") ** 2, 0.0))


def _within_capability(var: float, seen: Seen, sizes: Sizes, other: float | None = None) -> Band:
    """From var to the other; also less, where its watts leave no more of its rating."""
    low, high = sorted((var, var if other is None else other))
    left = _available_var(seen, sizes)
    low_left, high_left = (math.copysign(min(abs(one), left), one) for one in (low, high))
    return Band(VAR, min(low, low_left), max(high, high_left))


def _volt_var(line: Any, seen: Seen, sizes: Sizes) -> Band:
    shares = _along(line, seen, sizes)
    _active(seen, sizes)
    base = _var_base(line.y_ref, seen, sizes)
    return _within_capability(shares[0] * base, seen, sizes, shares[1] * base)


def _volt_watt(line: Any, seen: Seen, sizes: Sizes) -> Band:
    most_w = _needed(sizes.max_w, "setMaxW is not reported")
    if line.y_ref != DERUnitRefType.setMaxW:
        raise _Unknown("its curve is of the power available, which is not known")
    bound = _along(line, seen, sizes)[1] * most_w
    return Band(WATT, -math.inf, bound, tells=bound < (1.0 - TOLERANCE_SHARE) * most_w)


def _watt_var(line: Any, seen: Seen, sizes: Sizes) -> Band:
    watts = _active(seen, sizes)
    at = 100.0 * watts / _needed(sizes.max_w, "setMaxW is not reported")
    low, high = _range(line.points, at - 100.0 * TOLERANCE_SHARE, at + 100.0 * TOLERANCE_SHARE)
    base = _var_base(line.y_ref, seen, sizes)
    return _within_capability(low * base, seen, sizes, high * base)


def _along(line: Line, seen: Seen, sizes: Sizes) -> tuple[float, float]:
    """The least and the most share that a curve has at the measured voltage."""
    if line.v_share is None:
        raise _Unknown("its curve follows the voltage by itself")
    volts = _needed(seen.volts, "V is not measured")
    reference = _needed(sizes.v_ref, "setVRef is not reported") * line.v_share
    # A reference may be between conductors of which the meter measures one to neutral, or the other way round.
    several = [(volts * many - sizes.v_offset) / reference for many in CONDUCTORS]
    found = [one for one in several if PLAUSIBLE_PU[0] <= one <= PLAUSIBLE_PU[1]]
    if len(found) != 1:
        raise _Unknown(f"{volts:g} V does not go with its setVRef")
    at = found[0]
    at *= 100.0
    return _range(line.points, at - 100.0 * VOLTAGE_SHARE, at + 100.0 * VOLTAGE_SHARE)


def _range(points: Sequence[tuple[float, float]], low: float, high: float) -> tuple[float, float]:
    """The least and the most y, as a share, that a curve has from one x to another; flat beyond its ends."""
    found = [_at(points, low), _at(points, high), *(y for x, y in points if low < x < high)]
    return min(found) / 100.0, max(found) / 100.0


def _at(points: Sequence[tuple[float, float]], x: float) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


_BANDS: Mapping[str, Callable[[Any, Seen, Sizes], Band]] = {
    "opModConnect": _is_off,
    "opModEnergize": _is_off,
    "opModFixedPFAbsorbW": _power_factor(-1),
    "opModFixedPFInjectW": _power_factor(1),
    "opModFixedVar": _fixed_var,
    "opModFixedW": _fixed_w,
    "opModTargetVar": _target_var,
    "opModTargetW": _target_w,
    "opModVoltVar": _volt_var,
    "opModVoltWatt": _volt_watt,
    "opModWattVar": _watt_var,
}
CURVES = ("opModVoltVar", "opModVoltWatt", "opModWattVar")
"""Of these, those whose value is a curve."""
