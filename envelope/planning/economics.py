"""Value of a replacement that comes later."""

from __future__ import annotations

from typing import NamedTuple

FORMULA = "C · (1 − ((1 + i) / (1 + r))ⁿ)"


class Economics(NamedTuple):
    """Cost of a replacement and the rates that its delay is valued with."""

    cost: float = 25_000.0
    """C, money of today, of one transformer's replacement"""
    discount: float = 0.07
    """r, a year"""
    inflation: float = 0.02
    """i, a year, of the replacement's cost"""
    cost_of: tuple[tuple[str, float], ...] = ()
    """costs of transformers that differ"""

    @property
    def ratio(self) -> float:
        """(1 + i) / (1 + r)."""
        return (1.0 + self.inflation) / (1.0 + self.discount)

    def cost_for(self, transformer: str) -> float:
        """Cost of one transformer's replacement."""
        return dict(self.cost_of).get(transformer, self.cost)

    def value(self, transformer: str, years: int) -> float:
        """Value of a replacement that comes so many years later than it was due, at the time it was due."""
        return self.cost_for(transformer) * (1.0 - self.ratio**years)

    def present_value(self, transformer: str, due: int, years: int) -> float:
        """The same value today, where it is due in so many years."""
        return self.ratio**due * self.value(transformer, years)
