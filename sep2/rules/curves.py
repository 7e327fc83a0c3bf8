"""What a DERCurve of each type may say, and its points as the wire carries them (2030.5 10.10)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import NamedTuple

from sep2.errors import BadValue
from sep2.wire import DERCurveType, DERUnitRefType

MOST_POINTS = 10
MOST_INT32 = 2**31 - 1
FINEST = -9
"""The smallest power of ten that PowerOfTenMultiplierType has."""


class BadCurve(BadValue):
    """A curve of its type can not be so."""


class Point(NamedTuple):
    """One point in the units of its curve's type; `excitation` is said of a power factor only, and is true where
    var are absorbed."""

    x: float
    y: float
    excitation: bool | None = None


class Axis(NamedTuple):
    """What is laid off on an axis, and within which bounds anybody would mean it."""

    unit: str
    least: int
    most: int


SECONDS = Axis("s", 0, 86_400)
HERTZ = Axis("Hz", 40, 70)
VOLTAGE = Axis("% of setVRef", 0, 200)
POWER = Axis("% of power", -100, 100)
GENERATION = Axis("% of power", 0, 100)
VARS = Axis("% of var", -100, 100)
DISPLACEMENT = Axis("power factor", 0, 1)


class Kind(NamedTuple):
    """What one type of curve relates; `references` are what a percentage of y may be of, the usual one first."""

    x: Axis
    y: Axis
    references: tuple[DERUnitRefType, ...] = (DERUnitRefType.NOT_APPLICABLE,)

    @property
    def steps(self) -> bool:
        """Whether two points at one x are a step; of what a device does at one x, there is only one."""
        return self.x is SECONDS


_NONE, _MAX_W, _MAX_VAR, _VAR_AVAIL, _EFFECTIVE_V, *_, _W_AVAIL = DERUnitRefType
# The schema does not say what ride-through by voltage refers to; peers take either.
_RIDE_VOLTAGE = Kind(SECONDS, VOLTAGE, (_EFFECTIVE_V, _NONE))
_RIDE_FREQUENCY = Kind(SECONDS, HERTZ)
_OF_VARS = (_MAX_VAR, _MAX_W, _VAR_AVAIL)

KINDS: dict[DERCurveType, Kind] = {
    DERCurveType.opModFreqWatt: Kind(HERTZ, POWER, (_MAX_W,)),
    DERCurveType.opModHFRTMayTrip: _RIDE_FREQUENCY,
    DERCurveType.opModHFRTMustTrip: _RIDE_FREQUENCY,
    DERCurveType.opModHVRTMayTrip: _RIDE_VOLTAGE,
    DERCurveType.opModHVRTMomentaryCessation: _RIDE_VOLTAGE,
    DERCurveType.opModHVRTMustTrip: _RIDE_VOLTAGE,
    DERCurveType.opModLFRTMayTrip: _RIDE_FREQUENCY,
    DERCurveType.opModLFRTMustTrip: _RIDE_FREQUENCY,
    DERCurveType.opModLVRTMayTrip: _RIDE_VOLTAGE,
    DERCurveType.opModLVRTMomentaryCessation: _RIDE_VOLTAGE,
    DERCurveType.opModLVRTMustTrip: _RIDE_VOLTAGE,
    DERCurveType.opModVoltVar: Kind(VOLTAGE, VARS, _OF_VARS),
    DERCurveType.opModVoltWatt: Kind(VOLTAGE, GENERATION, (_MAX_W, _W_AVAIL)),
    DERCurveType.opModWattPF: Kind(POWER, DISPLACEMENT),
    DERCurveType.opModWattVar: Kind(POWER, VARS, _OF_VARS),
}

MODES = {kind.name: kind for kind in KINDS}
"""The modes of a DERControlBase that link to a curve, each with the type it must be of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A curve to be. Times are in hundredths of a second, ramps in hundredths of a percent per second."""

    kind: DERCurveType
    points: Sequence[Point]
    reference: DERUnitRefType | None = None
    """What a percentage of y is of; None is what is usual for the type."""
    open_loop_tms: int | None = None
    ramp_dec_tms: int | None = None
    ramp_inc_tms: int | None = None
    ramp_pt1_tms: int | None = None
    v_ref: int | None = None
    autonomous_v_ref: bool | None = None
    autonomous_v_ref_tms: int | None = None

    @property
    def y_ref(self) -> DERUnitRefType:
        """What a percentage of y is of."""
        return KINDS[self.kind].references[0] if self.reference is None else self.reference


class Scaled(NamedTuple):
    """Numbers as the wire has them: each is its Int32 times ten to the power of the multiplier."""

    multiplier: int
    values: tuple[int, ...]


def check(curve: Curve) -> Curve:
    """The curve, unless a device could not read it as it is meant."""
    kind = KINDS[curve.kind]
    if not 1 <= len(curve.points) <= MOST_POINTS:
        raise BadCurve(f"points: there are {len(curve.points)}; a curve has 1 to {MOST_POINTS}")
    if curve.y_ref not in kind.references:
        allowed = " or ".join(reference.name for reference in kind.references)
        raise BadCurve(f"reference: {curve.y_ref.name} is not what {curve.kind.name} refers to; that is {allowed}")
    for number, point in enumerate(curve.points, 1):
        _check_point(f"points: point {number}", point, curve.kind)
    for number, (one, other) in enumerate(pairwise(curve.points), 2):
        _check_order(f"points: point {number}", one, other, steps=kind.steps)
    _check_reference(curve)
    return curve


def scaled(numbers: Iterable[float], named: str) -> Scaled:
    """The numbers as integers times the largest power of ten, at most one, that loses nothing of them."""
    exact = [Decimal(str(number)) for number in numbers]
    multiplier = min(0, *(_exponent(number) for number in exact))
    values = tuple(int(number.scaleb(-multiplier)) for number in exact)
    if multiplier < FINEST or max(map(abs, values)) > MOST_INT32:
        raise BadCurve(f"points: {named} has more digits than the wire can carry")
    return Scaled(multiplier, values)


def plain(value: int, multiplier: int) -> float:
    """A number of the wire as people write it."""
    return float(Decimal(value).scaleb(multiplier))


def _exponent(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "bounds are checked first"
    return exponent


def _check_point(where: str, point: Point, kind: DERCurveType) -> None:
    for name, number, axis in zip("xy", point[:2], KINDS[kind][:2], strict=True):
        if not _within(number, axis):
            raise BadCurve(f"{where}: {name} {number} is outside {axis.least}..{axis.most} {axis.unit}")
    if (point.excitation is not None) != (KINDS[kind].y is DISPLACEMENT):
        raise BadCurve(f"{where}: excitation is said of each power factor, and of nothing else")


def _within(number: float, axis: Axis) -> bool:
    try:
        return axis.least <= Decimal(str(number)) <= axis.most
    except InvalidOperation:  # not a number
        return False


def _check_order(where: str, before: Point, point: Point, *, steps: bool) -> None:
    if point.x < before.x:
        raise BadCurve(f"{where}: x {point.x} comes after {before.x}; points go from the least x to the most")
    if point.x == before.x and point.y != before.y and not steps:
        raise BadCurve(f"{where}: at x {point.x} stands y {before.y} already; there is one y at each x")


def _check_reference(curve: Curve) -> None:
    said = (curve.v_ref, curve.autonomous_v_ref, curve.autonomous_v_ref_tms)
    if curve.kind is not DERCurveType.opModVoltVar and any(value is not None for value in said):
        raise BadCurve(f"v_ref: a reference voltage is said of opModVoltVar only, not of {curve.kind.name}")
    if curve.autonomous_v_ref_tms is not None and not curve.autonomous_v_ref:
        raise BadCurve("autonomous_v_ref_tms: is the pace of autonomous_v_ref, which is not on")
