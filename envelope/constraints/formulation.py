"""A problem as mathematics, formed once: calculation and verification work from it and not from the problem."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from envelope.constraints.base_case import BaseCase, form_base_case
from envelope.constraints.disturbances import Disturbances, Reserve, unbounded_power
from envelope.constraints.joint_paths import JointPaths, form_joint_paths
from envelope.constraints.limits import LimitTables, limit_tables
from envelope.constraints.monitored_feeder import FlowResult, MonitoredFeeder, Sensitivity, monitor
from envelope.problem import Allocation, ChanceMargin, Problem
from envelope.problem.declared_band import DeclaredBand, band_of
from envelope.problem.guarantees import GUARANTEES, GuaranteedBox, GuaranteeRule
from gridmodel.arrays import Real, Watts


@dataclass(frozen=True, eq=False)
class Formulation:
    """Base case, limits, reserves and disturbances of one horizon of one feeder; T steps, C connections."""

    base: BaseCase
    limits: LimitTables
    guarantee: GuaranteeRule
    allocation: Allocation
    alpha: float
    """of the alpha-fair allocation"""
    max_min_floor: float
    """part of its max-min share that every connection gets at least"""
    disturbances: Disturbances
    paths: JointPaths
    """states of what no limit bounds that limits hold in"""
    vuf_max_percent: float | None = None
    """limit of voltage unbalance; None: not limited"""
    forecast_error: ChanceMargin | None = None
    """independent errors of the base load's forecast"""
    margins: tuple[Reserve, ...] = ()
    """that the problem asks for"""
    band: DeclaredBand | None = None
    """declared lower edge of generation; None: boxes as the guarantee's table has them"""

    @property
    def feeder(self) -> MonitoredFeeder:
        """The monitored feeder."""
        return self.base.feeder

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.base.p_w)

    def boxes(self, lo_w: Real, hi_w: Real, limit_w: Watts | None = None) -> tuple[GuaranteedBox, ...]:
        """Boxes that the guarantee covers where clients may be between (T, C) lowest and highest net injection, W.

        limit_w: (T, C) published export limits, for a declared band; None: `hi_w`.
        """
        if self.band is None:
            return self.guarantee.boxes(self.base.p_w, lo_w, hi_w)
        return self.band.boxes(self.base.p_w, (lo_w, hi_w), hi_w if limit_w is None else self.band.cap_w(limit_w))

    @property
    def base_flow(self) -> FlowResult:
        """Power flow of the base load, with nothing flexible running."""
        return self.base.flow

    @property
    def sensitivities(self) -> tuple[Sensitivity, Sensitivity]:
        """Derivatives for injection above and below the base load, at the horizon's mean."""
        return self.base.sensitivities

    @cached_property
    def reserves(self) -> tuple[Reserve, ...]:
        """Reserves to keep free of every constraint: forecast errors, the given margins, and disturbances."""
        errors = () if self.forecast_error is None else (self.forecast_error,)
        return (*errors, *self.margins, *self.disturbances.reserves)

    def with_margin(self, margin: Reserve) -> Formulation:
        """The same formulation with one more margin."""
        return replace(self, margins=(*self.margins, margin))

    def with_base(self, base: BaseCase) -> Formulation:
        """The same formulation around another base case."""
        disturbances, paths = replace(self.disturbances, base=base), replace(self.paths, base=base)
        return replace(self, base=base, disturbances=disturbances, paths=paths)


def formulate(problem: Problem) -> Formulation:
    """Form the monitored feeder, the base case and the disturbances of a problem."""
    feeder = monitor(problem)
    power = unbounded_power(problem, feeder)
    base = form_base_case(problem, feeder, capacity_used_w=power.capacity_used_w)
    limits = limit_tables(problem.limits, feeder, problem.steps)
    sigma_w, z = problem.base_sigma_w, problem.base_z
    return Formulation(
        base=base,
        limits=limits,
        vuf_max_percent=problem.limits.vuf_max_percent,
        guarantee=GUARANTEES[problem.guarantee],
        allocation=problem.allocation,
        alpha=problem.alpha,
        max_min_floor=problem.max_min_floor,
        disturbances=Disturbances(base, power),
        paths=form_joint_paths(problem, base, limits),
        forecast_error=None if sigma_w is None or z == 0.0 else ChanceMargin(sigma_w, z),
        margins=problem.margins,
        band=band_of(problem),
    )
