"""The result of a verification, and how much is tried for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gridmodel.arrays import Complex


@dataclass(frozen=True)
class Finding:
    """The worst that was found for one kind of limit."""

    beyond: float
    """V, or percent of the rating, beyond the limit; negative: inside"""
    step: int
    element: str
    corner: str
    """which kind of corner: rest, sign, aligned, random, inside, greedy"""
    unit_v: float = 1.0
    """V there that count as much as 1 V at the level of the limits' first band"""

    @property
    def slack_units(self) -> float:
        """The same in units of slack, which compare between voltage levels."""
        return self.beyond / self.unit_v


class WorstState(NamedTuple):
    """One state of the feeder that a verification tried."""

    step: int
    injected_va: Complex
    """(C,) net injection of each connection, VA"""
    source_v: Complex
    """(3,) V"""


class Contingency(NamedTuple):
    """How far limits are exceeded in an event that the guarantee does not cover; negative: inside."""

    event: str
    over_v: float
    under_v: float
    overload_percent: float
    """V, V and percent of a rating"""
    region: str = ""
    """the region on whose default curves all inverters are; empty: they respond as credited, or not at all"""

    def __str__(self) -> str:
        worst = f"{self.over_v:+.1f} V over, {self.under_v:+.1f} V under, {self.overload_percent:+.1f} % load"
        return f"{self.event}{f', on curves of {self.region}' if self.region else ''}: {worst}"


class UnbalanceFinding(NamedTuple):
    """The worst that a verification found."""

    beyond: float
    """percentage points, negative inside"""
    step: int
    element: str
    corner: str


class Excess(NamedTuple):
    """By how much one limit is exceeded before anything is allocated."""

    beyond: float
    unit: str
    """V over, V under or % load"""
    element: str
    step: int
    unit_v: float = 1.0
    """V there that count as much as 1 V at the level of the limits' first band; 1 of a load"""

    def __str__(self) -> str:
        return f"{self.beyond:.2f} {self.unit} ({self.element})"


EXCESS_UNITS = ("V over", "V under", "% load")
WITHIN, BEYOND, BASE_BEYOND = 0, 1, 3
"""exit codes of commands that verify (2: bad input)"""


def exceeded_before(
    base_excess: tuple[Excess, ...], firm_excess: tuple[Excess, ...], excused: tuple[float, float, float]
) -> str:
    """Name the excess before anything is allocated, base load and the rest told apart."""
    for part, who in ((base_excess, "the base load alone"), (firm_excess, "what is granted in any case")):
        if any(math.isinf(one.beyond) for one in part):
            return f"{who} has no power flow"
    base, firm = (", ".join(map(str, part)) for part in (base_excess, firm_excess))
    said = [f"the base load alone exceeds them by {base}"] if base else []
    if not firm:
        units = zip(excused, EXCESS_UNITS, strict=True)
        firm = "" if base else ", ".join(f"{value:.2f} {unit}" for value, unit in units if value)
    beside = ", which with the base load" if base else ", which"
    return "; ".join([*said, f"what is granted in any case{beside} exceeds them by {firm}"] if firm else said)


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
    """per kind of corner: scenarios, over_v, under_v (V of the limits' first band), overload_percent, violating"""
    diverged: int = 0
    excused: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """V over, V under, percent by which the firm minimum (base load, contract) exceeds limits by itself"""
    base_excess: tuple[Excess, ...] = ()
    """of the limits that the base load alone exceeds, the worst of each kind and voltage level"""
    firm_excess: tuple[Excess, ...] = ()
    """the same with all that is granted in any case (contracts, limits in force, what nobody can limit), where worse"""
    wrong_phases: tuple[float, float, float] | None = None
    """V over, V under, percent of the worst corner if `wrong_part` of the phases are wrong; None: not tried"""
    wrong_part: float = 0.0
    worst_states: tuple[WorstState, ...] = field(default=(), repr=False)
    """the worst corners of each kind and step, the worst first"""
    unbalance: UnbalanceFinding | None = None
    """percentage points beyond `OperatingLimits.vuf_max_percent`; None: not limited"""
    contingencies: tuple[Contingency, ...] = ()
    """events that the guarantee does not cover"""
    paths: str = ""
    """joint paths of base load and head voltage on which corners were tried; empty: at the base load alone"""

    without_flow: tuple[str, ...] = ()
    """intervals in which base load or firm minimum have no power flow, which were left out"""
    collapsed: tuple[str, ...] = ()
    """intervals in which the limits themselves let the network have no power flow"""

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
        """Whether every corner is inside every limit, or no further beyond it than the firm minimum."""
        return self._elsewhere_inside and not self.collapsed

    @property
    def _elsewhere_inside(self) -> bool:
        """The same of the intervals that were verified."""
        balanced = self.unbalance is None or self.unbalance.beyond <= 0.0
        return self.diverged == 0 and max(self.worst) <= 0.0 and balanced

    @property
    def within_limits(self) -> bool:
        """Whether every corner is inside every limit, and so is the firm minimum, in every interval."""
        return self.inside and not any(self.excused) and not self.without_flow

    @property
    def exit_code(self) -> int:
        """Exit code of a command: 0 within all limits, 1 beyond them, 3 if only the firm minimum is."""
        if not self.inside:
            return BEYOND
        return WITHIN if self.within_limits else BASE_BEYOND

    @property
    def excess(self) -> dict[str, list[dict[str, Any]]]:
        """Excess before anything is allocated, as plain values: of the base load, and of the firm minimum."""
        parts = {"base_excess": self.base_excess, "firm_excess": self.firm_excess}
        return {name: [one._asdict() for one in part] for name, part in parts.items()}

    def sentence(self) -> str:
        """The result in one line."""
        worst = f"{self.over_v:+.3f} V over, {self.under_v:+.3f} V under, {self.overload_percent:+.2f} % load"
        if self.unbalance is not None:
            worst += f", {self.unbalance.beyond:+.2f} % unbalance"
        tried = f"{self.scenarios} corners tried, {self.judged} judged by {self.solver}"
        if self.paths:
            tried += f", {self.paths}"
        if self.diverged:
            tried += f", {self.diverged} of them without a power flow"
        if lost := (*self.collapsed, *self.without_flow):
            tried += f": NOT inside the limits: {'; '.join(lost)}. In the other intervals"
        if not any(self.excused):
            verdict = "inside" if self._elsewhere_inside else "BEYOND"
            return f"{tried}: {verdict} the limits (worst against limit: {worst})"
        before = exceeded_before(self.base_excess, self.firm_excess, self.excused)
        verdict = "envelopes add nothing" if self._elsewhere_inside else "envelopes go BEYOND that"
        return f"{tried}: NOT inside the limits: {before}; {verdict} (worst against limit or that: {worst})"

    def contingency_sentence(self) -> str:
        """Events beyond the guarantee, in one line; empty where none were tried."""
        said = "; ".join(map(str, self.contingencies))
        return f"Beyond the guarantee (against the limits): {said}" if said else ""

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
    contingencies: bool = False
    """whether events beyond the guarantee are tried beside it, where it rests on what homes or inverters do"""


USUAL = Effort(wrong_phases=0.1, contingencies=True)
