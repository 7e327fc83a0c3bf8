"""Growth cases: how load, electric cars and solar generation of a feeder grow from year to year."""

from __future__ import annotations

import math
from typing import NamedTuple

from envelope.field_rules import BadProblem

MOST_PERCENT = 100.0


class GrowthCase(NamedTuple):
    """One case: percent a year."""

    name: str
    load_percent: float
    """growth of the measured demand, compound"""
    cars_percent: float
    """of the homes that get an electric car each year"""
    solar_percent: float
    """of the homes that get new solar generation each year"""

    def load_factor(self, year: int) -> float:
        """Demand of a year over that of the first."""
        return (1.0 + self.load_percent / 100.0) ** year

    def cars(self, year: int, homes: int) -> int:
        """Homes with a new car in a year."""
        return min(homes, round(self.cars_percent / 100.0 * year * homes))

    def solar(self, year: int, homes: int) -> int:
        """Homes with new solar generation in a year."""
        return min(homes, round(self.solar_percent / 100.0 * year * homes))


CASES = (
    GrowthCase("low", 0.5, 2.0, 1.0),
    GrowthCase("middle", 1.0, 4.0, 2.0),
    GrowthCase("high", 2.0, 8.0, 4.0),
)
"""assumed where none are given"""


def growth_case(said: str) -> GrowthCase:
    """A case of its text, such as high=2,8,4: percent a year of load, homes with cars and homes with solar."""
    name, equals, numbers = said.partition("=")
    wrong = BadProblem(f"--growth {said!r}: is not NAME=LOAD,CARS,SOLAR, in percent a year, such as high=2,8,4")
    if not name.strip() or not equals:
        raise wrong
    try:
        values = [float(one) for one in numbers.split(",")]
    except ValueError:
        raise wrong from None
    if len(values) != 3:
        raise wrong
    for what, value in zip(("load", "cars", "solar"), values, strict=True):
        least = -MOST_PERCENT / 2 if what == "load" else 0.0
        if not (math.isfinite(value) and least <= value <= MOST_PERCENT):
            bounds = f"{least:g}..{MOST_PERCENT:g}"
            raise BadProblem(f"--growth {name}: {what}: {value:g} is outside {bounds} percent a year")
    return GrowthCase(name.strip(), *values)
