"""Limits in watts, and how the wire can carry them."""

from typing import NamedTuple

from sep2.errors import BadValue

LARGEST_W = 32767 * 10**9
PERCENT_100 = 10_000
"""100 % in the hundredths of a percent of PerCent."""


class BadLimit(BadValue):
    """A limit is not a magnitude that the wire can carry."""


class Limits(NamedTuple):
    """Bounds on import, export, generation and load in whole watts, each zero or more; None sets no bound."""

    import_w: int | None = None
    export_w: int | None = None
    gen_w: int | None = None
    load_w: int | None = None

    def modes(self) -> frozenset[str]:
        """The CSIP-AUS modes these limits are sent as."""
        return frozenset(mode for mode, watts in zip(MODES, self, strict=True) if watts is not None)


MODES = ("opModImpLimW", "opModExpLimW", "opModGenLimW", "opModLoadLimW")


def check(limits: Limits) -> Limits:
    """The limits, unless one is negative or larger than ActivePower can say."""
    for name, watts in limits._asdict().items():
        if watts is not None and not 0 <= watts <= LARGEST_W:
            raise BadLimit(f"{name}: {watts} is outside 0..{LARGEST_W}")
    return limits


def scaled(watts: int) -> tuple[int, int]:
    """(multiplier, value) of an ActivePower, at most `watts`: Int16 times the smallest power of ten that fits."""
    multiplier = 0
    while watts > 32767:
        watts //= 10
        multiplier += 1
    return multiplier, watts
