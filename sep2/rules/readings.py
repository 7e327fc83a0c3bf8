"""Metered values in SI units with one sign, and their means over buckets of time, with what was not measured."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sep2.rules.metering import ReadingSign

REVERSE = 19
"""FlowDirectionType of a series that counts what flows out of the premises."""
SITE, DER = 1 << 1, 1 << 3
"""RoleFlagsType: a premises aggregation point, which sees all of a connection; a meter of a DER."""


class Quantity(NamedTuple):
    """What a UomType measures, and in which SI unit."""

    name: str
    unit: str
    has_direction: bool = False
    """Whether its sign says which way something flows."""


QUANTITIES = {
    5: Quantity("current", "A"),
    23: Quantity("temperature", "°C"),
    29: Quantity("voltage", "V"),
    31: Quantity("energy", "J"),
    33: Quantity("frequency", "Hz"),
    38: Quantity("power", "W", has_direction=True),
    61: Quantity("apparent-power", "VA"),
    63: Quantity("reactive-power", "var", has_direction=True),
    65: Quantity("power-factor", "1"),
    71: Quantity("apparent-energy", "VAh"),
    72: Quantity("energy", "Wh", has_direction=True),
    73: Quantity("reactive-energy", "varh", has_direction=True),
    106: Quantity("charge", "Ah"),
}
"""By UomType; others are shown by their number."""
NAMES = sorted({known.name for known in QUANTITIES.values()})
PHASES = {
    0: "",
    32: "C",
    33: "C-N",
    40: "CA",
    64: "B",
    65: "B-N",
    66: "BC",
    128: "A",
    129: "A-N",
    132: "AB",
    224: "ABC",
}
"""PhaseCode as people say it; empty: all together, or not said."""


def quantity_of(uom: int) -> Quantity:
    """What a UomType measures."""
    return QUANTITIES.get(uom) or Quantity(f"uom-{uom}", "")


def phase_of(code: int) -> str:
    """A PhaseCode as people say it."""
    return PHASES.get(code, str(code))


def factor(uom: int, flow_direction: int, sign: ReadingSign) -> int:
    """What a value is multiplied by so that import is positive; an unproven sign is taken as posted, and said to be."""
    if not quantity_of(uom).has_direction:
        return 1
    flipped = (flow_direction == REVERSE) != (sign is ReadingSign.REVERSED)
    return -1 if flipped else 1


def exact(value: int, multiplier: int) -> float:
    """A value times its power of ten, as the nearest float: 2301 with -1 is 230.1."""
    return float(value * 10**multiplier) if multiplier >= 0 else value / 10**-multiplier


class Metered(NamedTuple):
    """A mean over a time, or a value at a moment (duration 0)."""

    start: int
    duration: int
    value: float

    @property
    def end(self) -> int:
        """When its time was over."""
        return self.start + self.duration


class Bucket(NamedTuple):
    """What was measured between `start` and `start + duration`: nothing is filled in where nothing was measured."""

    start: int
    duration: int
    mean: float
    least: float
    most: float
    covered_s: int
    """seconds of the bucket for which there is a mean; 0 where there are only values of moments"""


def apart(readings: Iterable[Metered]) -> Iterator[Metered]:
    """The readings in the order of their start, each without the part that an earlier one has covered already."""
    until: int | None = None
    for one in sorted(readings):
        if one.duration == 0 or until is None or one.start >= until:
            yield one
        elif one.end > until:
            yield Metered(until, one.end - until, one.value)
        until = one.end if until is None else max(until, one.end)


def buckets(readings: Iterable[Metered], resolution_s: int) -> list[Bucket]:
    """Means of one series over buckets that begin at multiples of the resolution; empty buckets are left out.

    A reading that spans several buckets counts in each with the time it has there.
    """
    found: dict[int, list[tuple[int, float]]] = {}
    for one in apart(readings):
        first = one.start // resolution_s
        last = max(first, (one.end - 1) // resolution_s)
        for number in range(first, last + 1):
            start = number * resolution_s
            seconds = max(0, min(one.end, start + resolution_s) - max(one.start, start))
            found.setdefault(number, []).append((seconds, one.value))
    return [_bucket(number * resolution_s, resolution_s, parts) for number, parts in sorted(found.items())]


def _bucket(start: int, duration: int, parts: list[tuple[int, float]]) -> Bucket:
    covered_s = sum(seconds for seconds, _ in parts)
    weights = [(seconds, value) for seconds, value in parts if seconds] or [(1, value) for _, value in parts]
    mean = sum(seconds * value for seconds, value in weights) / sum(seconds for seconds, _ in weights)
    values = [value for _, value in parts]
    return Bucket(start, duration, mean, min(values), max(values), covered_s)
