"""Low-voltage feeders and the medium voltage between them: envelopes and head voltages that are true of each other.

Each feeder's envelope assumes a band of its head voltage. Inside all envelopes together the medium voltage takes
certain values at each head. Published is only what lies inside what was assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import formulate
from envelope.engine import calculate
from envelope.field_rules import BadProblem
from envelope.medium_voltage.feeder_head import FeederHead, HeadBox, NoFlow, NoFlowAtRest
from envelope.medium_voltage.head_voltage import Band, Heads, MediumVoltage, TapRange, heads, loadings, overloads
from envelope.medium_voltage.operator_limits import Both, OperatorLimit, Share, excess_w, firm_excess, reach_w, shares
from envelope.medium_voltage.report import JointReport
from envelope.problem import HeadVoltageMargin, Problem
from envelope.schedule import EnvelopeSchedule, verified_box
from gridmodel.arrays import Complex, Index, Real
from gridmodel.flow.taps import Tapped
from sep2.errors import SepError

__all__ = ["Coordination", "HeadVoltageBand", "Inconsistent", "MediumVoltage", "OperatorLimit", "coordinate"]

SPARE_PU = 2e-4
"""by which an assumed band is wider than what the round before implied"""
NEAR_PU = 1e-3
"""bands are narrowed no further when this is all that could be won"""
SUM_TOLERANCE_W = 1.0
UNUSED = 0.01
"""part of its share and of all its capacity that a feeder must leave unused for others to get it"""
FAR = 10.0
"""so many times its capacity is no limit for a feeder"""


class Inconsistent(SepError):
    """The envelopes and the head voltages that they assume do not fit together."""

    status = 409


@dataclass(frozen=True, eq=False)
class HeadVoltageBand:
    """The voltage at one feeder's head, per step."""

    centre_v: Complex
    """(T, 3) V phase-to-neutral"""
    assumed: Band
    """under which the feeder's envelope holds"""
    implied: Band
    """what all envelopes together bring about; inside `assumed`"""
    low_v: Real
    high_v: Real
    """(T,) least and most of any phase to neutral, V"""


@dataclass(frozen=True)
class Round:
    """One calculation of all feeders."""

    widest_pu: float
    """of any assumed band"""
    excess_pu: float
    """by which an implied band left the assumed one; 0 or less: consistent"""
    excess_w: float
    """by which a sum left an operator's limit"""

    @property
    def consistent(self) -> bool:
        """Whether it may be published."""
        return self.excess_pu <= 0.0 and self.excess_w <= SUM_TOLERANCE_W


@dataclass(frozen=True, eq=False)
class Coordination:
    """Envelopes of all feeders that hold together."""

    schedules: dict[str, EnvelopeSchedule]
    problems: dict[str, Problem]
    """as they were calculated: with head voltage, its band and their part of the operator's limits"""
    bands: dict[str, HeadVoltageBand]
    ranges: tuple[TapRange, ...]
    """positions between which each tap may stand, for each end of the source's band"""
    rounds: tuple[Round, ...]
    findings: tuple[str, ...] = ()
    loading: Mapping[str, float] = field(default_factory=dict)
    """per rated branch of the medium voltage, the most that it carries over its rating"""
    report: JointReport | None = field(default=None)

    @property
    def taps_low(self) -> Index:
        """(T, R) lowest position at which each tap may stand."""
        return np.asarray(np.min([stood.low for stood in self.ranges], axis=0))

    @property
    def taps_high(self) -> Index:
        """(T, R) highest position."""
        return np.asarray(np.max([stood.high for stood in self.ranges], axis=0))

    def sentence(self) -> str:
        """The result in one line."""
        widest = max(float((b.assumed.high_pu - b.assumed.low_pu).max()) for b in self.bands.values())
        said = f"{len(self.bands)} feeders in {len(self.rounds)} rounds; head voltages within {100 * widest:.2f} %"
        return f"{said}; {self.report.sentence()}" if self.report else said


def coordinate(
    medium: MediumVoltage,
    feeders: Mapping[str, Problem],
    *,
    rounds: int = 8,
    solve: Callable[[Problem], EnvelopeSchedule] = calculate,
    verify: Callable[[MediumVoltage, Coordination], JointReport] | None = None,
) -> Coordination:
    """Envelopes for feeders by the name of their connection in the medium voltage.

    rounds: most calculations of all feeders; `Inconsistent` where none of them was consistent.
    solve: calculates one feeder.
    verify: such as `joint_verification.verify_jointly`, which solves the joined network at corners; its report is kept.
    """
    found = _Work(medium, feeders, solve).run(rounds)
    return replace(found, report=verify(medium, found)) if verify else found


class _Try(NamedTuple):
    """Schedules and bands of one round."""

    assumed: dict[str, Band]
    implied: dict[str, Band]
    schedules: dict[str, EnvelopeSchedule]
    problems: dict[str, Problem]
    heads: Heads
    round: Round


class _Work:
    """One coordination under way."""

    def __init__(
        self, medium: MediumVoltage, feeders: Mapping[str, Problem], solve: Callable[[Problem], EnvelopeSchedule]
    ) -> None:
        _refuse(medium, feeders)
        self.medium, self.given, self.solve = medium, dict(feeders), solve
        self.heads = {name: FeederHead(name, formulate(problem)) for name, problem in feeders.items()}
        self.no_load = {name: head.no_load for name, head in self.heads.items()}
        self.states: list[Tapped] = medium.states()
        self.steps = next(iter(feeders.values())).steps
        nothing = Both(np.zeros(self.steps), np.zeros(self.steps))
        self.extra_w, self.able_w = dict.fromkeys(feeders, nothing), dict[str, Both]()
        self.share_w: dict[str, list[Share]] = {}
        self.centre = {name: head.base.source_v for name, head in self.heads.items()}

    def run(self, rounds: int) -> Coordination:
        """Widens the bands until they hold what they imply, then narrows them while they do."""
        assumed = self._first()
        best, tried, part = None, list[Round](), 0.5
        while len(tried) < rounds:
            now = self._calculated(assumed)
            tried.append(now.round)
            if now.round.consistent:
                if best is not None and _width(best.assumed) - _width(now.assumed) < NEAR_PU:
                    best = now
                    break
                best = now
                part = 0.5
            elif best is not None:
                # Too narrow: half as far from what did hold.
                part *= 0.5
                if part < 0.2:
                    break
            if best is None:
                assumed = {name: band.around(now.implied[name], SPARE_PU) for name, band in assumed.items()}
            else:
                assumed = {name: band.towards(best.implied[name], part) for name, band in best.assumed.items()}
        if best is None:
            last = tried[-1]
            raise Inconsistent(
                f"after {rounds} rounds head voltages leave their bands by {100 * last.excess_pu:.3f} %, "
                f"sums their limits by {last.excess_w:.0f} W"
            )
        return self._done(best, tuple(tried))

    def _first(self) -> dict[str, Band]:
        """Bands around the voltages with nothing flexible running, at which the envelopes are centred from then on."""
        found = self._at_rest()
        for name in self.given:
            self.centre[name] = self.medium.head_v(found.v, name, self.centre[name]).mean(axis=0)
        bands = self._bands(found)
        nothing = Band(np.ones(self.steps), np.ones(self.steps))
        return {name: nothing.around(band, SPARE_PU) for name, band in bands.items()}

    def _at_rest(self) -> Heads:
        """Head voltages without flexible power, at the base load and at the firm minimum; NoFlowAtRest: none."""
        firm = {name: (head.base.lo_w, head.base.hi_w) for name, head in self.heads.items()}
        found = self._between(firm)
        if isinstance(found, Heads):
            return found
        at_base = self._between({name: (head.base.p_w, head.base.p_w) for name, head in self.heads.items()})
        raise NoFlowAtRest(found, np.zeros_like(found.steps) if isinstance(at_base, Heads) else at_base.steps)

    def _between(self, ends: Mapping[str, tuple[Real, Real]]) -> Heads | NoFlow:
        try:
            boxes = {name: self.heads[name].box(*both, [self.centre[name]]) for name, both in ends.items()}
            return heads(self.medium, boxes, self.states)
        except NoFlow as fault:
            return fault

    def _bands(self, found: Heads) -> dict[str, Band]:
        """Voltage of customers without load over the centre, the worst of all of them."""
        bands = {}
        for name, seen in self.no_load.items():
            v = self.medium.head_v(found.v, name, self.centre[name])
            share = np.abs(v @ seen.T) / np.abs(self.centre[name] @ seen.T)
            bands[name] = Band(share.min(axis=(0, 2)), share.max(axis=(0, 2)))
        return bands

    def _calculated(self, assumed: dict[str, Band]) -> _Try:
        problems = self._problems(assumed)
        schedules = {name: self.solve(problem) for name, problem in problems.items()}
        boxes = {}
        for name, schedule in schedules.items():
            band, centre = assumed[name], self.centre[name]
            sources = [centre * end[:, None] for end in (band.low_pu, np.ones(self.steps), band.high_pu)]
            lo, hi = verified_box(problems[name], schedule)
            boxes[name] = self.heads[name].box(lo, hi, sources)
            own = Both(-lo.sum(axis=1), hi.sum(axis=1))
            at_head = Both(-boxes[name].sum_lo_w, boxes[name].sum_hi_w)
            self.extra_w[name] = self.extra_w[name].most(Both(at_head[0] - own[0], at_head[1] - own[1]))
            self.able_w[name] = self._able(name, own)
        found = heads(self.medium, boxes, self.states)
        implied = self._bands(found)
        return _Try(assumed, implied, schedules, problems, found, self._judged(assumed, implied, boxes))

    def _able(self, name: str, own: Both) -> Both:
        """Capacity of a feeder's connections: measured where its shares leave some unused, else as before."""
        before, head = self.able_w.get(name, own), self.heads[name]
        width = reach_w(head, up=False).max() + reach_w(head, up=True).max()
        found = []
        for k, now in enumerate(own):
            shares_w = [share.max_export_w if k else share.max_import_w for share in self.share_w.get(name, [])]
            bound = np.min([*shares_w, np.full(self.steps, FAR * width)], axis=0)
            spare = UNUSED * (np.abs(bound) + width)
            unused = (now < bound - spare) & (bound < FAR * width)
            found.append(np.where(unused, now + 0.5 * UNUSED * width, np.maximum(now, before[k])))
        return Both(*found)

    def _problems(self, assumed: dict[str, Band]) -> dict[str, Problem]:
        """The feeders' problems with their head voltage and their parts of the operator's limits."""
        groups = {name: list(problem.groups) for name, problem in self.given.items()}
        self.share_w = {name: [] for name in self.given}
        # The first round shows what each feeder is able to by itself.
        for limit in self.medium.limits if self.able_w else ():
            for name, share in shares(limit, self.heads, self.extra_w, self.able_w).items():
                self.share_w[name].append(share)
                groups[name] += share.groups(self.heads[name])
        found = {}
        for name, problem in self.given.items():
            currents = len(self.heads[name].feeder.reduced.rating_a)
            margin = HeadVoltageMargin(*assumed[name], currents=currents)
            # What was taken for the head voltage before is known now.
            others = (given for given in problem.margins if not isinstance(given, HeadVoltageMargin))
            margins = (*others, margin)
            # The margin is for all of the head's band; paths say the base load alone.
            paths = None if problem.scenarios is None else replace(problem.scenarios, source_v=None)
            found[name] = replace(
                problem,
                source_v=self.centre[name],
                margins=margins,
                groups=tuple(groups[name]),
                scenarios=paths,
            )
        return found

    def _judged(self, assumed: dict[str, Band], implied: dict[str, Band], boxes: dict[str, HeadBox]) -> Round:
        beyond = [
            max((a.low_pu - implied[name].low_pu).max(), (implied[name].high_pu - a.high_pu).max())
            for name, a in assumed.items()
        ]
        sums = [excess_w(limit, self.heads, self.extra_w, boxes) for limit in self.medium.limits]
        return Round(_width(assumed), float(max(beyond)), max(sums, default=0.0))

    def _regulated(self, name: str) -> bool:
        equipment = self.given[name].reduced.network.equipment
        return equipment is not None and bool(equipment.regulators)

    def _done(self, best: _Try, tried: tuple[Round, ...]) -> Coordination:
        bands = {}
        for name, band in best.assumed.items():
            size = np.abs(best.heads.v[:, :, self.medium.ports_of(name)])
            low, high = size.min(axis=(0, 2)), size.max(axis=(0, 2))
            bands[name] = HeadVoltageBand(self.centre[name], band, best.implied[name], low, high)
        findings = [f"{name}: {finding}" for name, found in best.schedules.items() for finding in found.findings]
        findings += [f"{name}: its own regulators stand still" for name in self.given if self._regulated(name)]
        loading = loadings(self.medium, best.heads, self.states)
        findings += overloads(loading)
        findings += [line for limit in self.medium.limits for line in firm_excess(limit, self.heads, self.extra_w)]
        found = Coordination(best.schedules, best.problems, bands, best.heads.ranges, tried, tuple(findings))
        return replace(found, loading=loading)


def _width(bands: dict[str, Band]) -> float:
    return max(float((band.high_pu - band.low_pu).max()) for band in bands.values())


def _refuse(medium: MediumVoltage, feeders: Mapping[str, Problem]) -> None:
    """Refuse problems that cannot be coordinated."""
    if not feeders:
        raise BadProblem("no feeders to coordinate")
    first_name, first = next(iter(feeders.items()))
    for name, problem in feeders.items():
        medium.ports_of(name)
        if problem.step_s != first.step_s or not np.array_equal(problem.step_start, first.step_start):
            raise BadProblem(f"feeder {name}: its intervals are not those of feeder {first_name}")
    for limit in medium.limits:
        for name in limit.feeders:
            if name not in feeders:
                raise BadProblem(f"limit {limit.name}: feeder {name} is not among those coordinated")
