"""The result of a verification, and how much is tried for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Finding:
    """The worst that was found for one kind of limit."""

    beyond: float
    """V, or percent of the rating, beyond the limit; negative: inside"""
    step: int
    element: str
    corner: str
    """which kind of corner: rest, sign, aligned, random, inside, greedy"""


class UnbalanceFinding(NamedTuple):
    """The worst that a verification found."""

    beyond: float
    """percentage points, negative inside"""
    step: int
    element: str
    corner: str


@dataclass(frozen=True)
class VerificationReport:
    """Worst of each kind over all corners that were tried."""

    over: Finding
    under: Finding
    overload: Finding
    solver: str
    guarantee: str
    scenarios: int
    """corners tried"""
    judged: int
    """corners that the named solver solved itself"""
    by_corner: dict[str, dict[str, float]] = field(default_factory=dict)
    """per kind of corner: scenarios, over_v, under_v, overload_percent, violating (fraction)"""
    diverged: int = 0
    excused: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """V over, V under, percent by which the firm minimum (base load, contract) exceeds limits by itself"""
    wrong_phases: tuple[float, float, float] | None = None
    """V over, V under, percent of the worst corner if `wrong_part` of the phases are wrong; None: not tried"""
    wrong_part: float = 0.0
    unbalance: UnbalanceFinding | None = None
    """percentage points beyond `OperatingLimits.vuf_max_percent`; None: not limited"""

    @property
    def over_v(self) -> float:
        """Worst over-voltage, V; negative when every corner is inside."""
        return self.over.beyond

    @property
    def under_v(self) -> float:
        """Worst under-voltage, V; negative when every corner is inside."""
        return self.under.beyond

    @property
    def overload_percent(self) -> float:
        """Worst overload in percent of a rating; negative when every corner is inside."""
        return self.overload.beyond

    @property
    def worst(self) -> tuple[float, float, float]:
        """V over, V under, percent, each the worst of its kind."""
        return self.over_v, self.under_v, self.overload_percent

    @property
    def inside(self) -> bool:
        """Whether every corner is inside every limit."""
        balanced = self.unbalance is None or self.unbalance.beyond <= 0.0
        return self.diverged == 0 and max(self.worst) <= 0.0 and balanced

    def sentence(self) -> str:
        """The result in one line."""
        worst = f"{self.over_v:+.3f} V over, {self.under_v:+.3f} V under, {self.overload_percent:+.2f} % load"
        if self.unbalance is not None:
            worst += f", {self.unbalance.beyond:+.2f} % unbalance"
        verdict = "inside" if self.inside else "BEYOND"
        tried = f"{self.scenarios} corners tried, {self.judged} judged by {self.solver}"
        units = zip(self.excused, ("V over", "V under", "% load"), strict=True)
        granted = ", ".join(f"{value:.2f} {unit}" for value, unit in units if value)
        beside = f"; beside what is granted in any case, which exceeds them by {granted}" if granted else ""
        return f"{tried}: {verdict} the limits (worst against limit: {worst}){beside}"

    def stress_sentence(self) -> str:
        """Effect of a wrong model, in one line; empty where it was not tried."""
        if self.wrong_phases is None:
            return ""
        worst = "{:+.1f} V over, {:+.1f} V under, {:+.1f} % load against the limits".format(*self.wrong_phases)
        wrong = max(self.wrong_phases) > 0.0
        said = f"reach {worst}: check the model first (sep2 grid check --meters)" if wrong else f"stay inside ({worst})"
        return f"With {100 * self.wrong_part:g} % of the phases wrong, corners would {said}"


@dataclass(frozen=True)
class Effort:
    """How many corners to try per step."""

    random: int = 20
    inside: int = 5
    sign: int = 200
    """most sign patterns; those of the strongest constraints first"""
    greedy: int = 2
    """searches per kind of limit, from the worst corners found"""
    seed: int = 1
    judge_all: bool = False
    """whether the independent solver solves every corner, or the worst of each step and a sample"""
    wrong_phases: float = 0.0
    """part of the single-phase connections that a stress beside the audit puts on another phase; 0: no stress"""


USUAL = Effort(wrong_phases=0.1)
