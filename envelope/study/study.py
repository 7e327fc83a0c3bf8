"""A problem from a feeder folder and its measured day: flexible connections, their capacity, and steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from envelope.field_rules import BadProblem, InstanceOf, Numbers, OneOf, Rule, validate
from envelope.problem import Allocation, Guarantee, OperatingLimits, Problem, Scenarios, ShareReference, steps_from
from envelope.problem.control_points import control_points_of
from envelope.problem.limits import as_61000
from envelope.problem.phase_split import splits_of
from envelope.problem.scenarios import of_day
from gridmodel.arrays import Complex, Mask, Real
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.model.feeder import Feeder

DAY_S = 86_400
FLAT_DEMAND_W = 500.0
"""per connection, where a feeder has no measured day"""


@dataclass(frozen=True)
class Study:
    """Assumptions of a study about a feeder."""

    steps: int = 48
    export_w: float | Real = 5_000.0
    import_w: float | Real = 7_000.0
    """controllable generation and load of each flexible connection: the same, or (C,)"""
    flexible: Mask | None = None
    """(C,) default: all"""
    sun: bool = True
    """whether generation reaches only as far as the day's clear sky"""
    within_steps: bool = True
    """whether limits hold at every measured moment of a step, or at its mean alone"""
    adoption_s: int = 300
    start: int = 1_780_012_800
    limits: OperatingLimits = field(default_factory=as_61000)
    guarantee: Guarantee = Guarantee.TWO_SIDED
    allocation: Allocation = Allocation.MAX_MIN
    reference: ShareReference = ShareReference.CAPACITY
    declared_share: float | None = None
    declared_by: str = ""
    """for a declared band: see `Problem`"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "steps": Numbers(of=int, low=0, above=True, high=DAY_S),
        "export_w": Numbers("one or C", low=0.0),
        "import_w": Numbers("one or C", low=0.0),
        "flexible": Numbers("C", of=bool),
        "sun": Numbers(of=bool),
        "within_steps": Numbers(of=bool),
        "adoption_s": Numbers(of=int, low=0),
        "start": Numbers(of=int),
        "limits": InstanceOf(OperatingLimits),
        "guarantee": OneOf(Guarantee),
        "allocation": OneOf(Allocation),
        "reference": OneOf(ShareReference),
        "declared_share": Numbers(low=0.0, above=True, high=1.0),
        "declared_by": InstanceOf(str),
    }

    def __post_init__(self) -> None:
        validate(self)
        if DAY_S % self.steps:
            raise BadProblem(f"steps: {self.steps} steps do not divide a day")


def problem_of(feeder: Feeder, study: Study, reduced: Reduced | None = None) -> Problem:
    """The study's problem on the feeder's measured day, or on a flat demand where it has none."""
    count = len(feeder.network.connections)
    validate(study, {"C": feeder.network.connections.id})
    load, load_var, source = _day(feeder, study.steps)
    flexible = np.ones(count, dtype=bool) if study.flexible is None else study.flexible
    sky = clear_sky(feeder, study.steps) if study.sun else np.ones(study.steps)
    return Problem(
        reduce(feeder.network) if reduced is None else reduced,
        steps_from(study.start, DAY_S // study.steps, study.steps),
        DAY_S // study.steps,
        base_load_w=load,
        base_load_var=load_var,
        flex_gen_w=sky[:, None] * np.where(flexible, study.export_w, 0.0),
        flex_load_w=np.tile(np.where(flexible, study.import_w, 0.0), (study.steps, 1)),
        source_v=source,
        scenarios=moments_of(feeder, study.steps) if study.within_steps else None,
        adoption_s=study.adoption_s,
        limits=study.limits,
        guarantee=study.guarantee,
        allocation=study.allocation,
        reference=study.reference,
        declared_share=study.declared_share,
        declared_by=study.declared_by,
    )


def by_devices(feeder: Feeder, study: Study) -> Study:
    """The study with the sizes of `devices.csv`; a connection without a device there has no flexible power."""
    place = {name: k for k, name in enumerate(feeder.network.connections.id)}
    sizes_w = np.zeros((2, len(place)))
    for device in feeder.devices:
        sizes_w[:, place[device.connection_id]] += device.max_gen_w, device.max_load_w
    if not sizes_w.any():
        raise BadProblem(f"{feeder.name}: devices.csv names no device with max_gen_w or max_load_w")
    return replace(study, export_w=sizes_w[0], import_w=sizes_w[1], flexible=np.asarray(sizes_w.any(axis=0)))


def on_devices(feeder: Feeder, problem: Problem) -> Problem:
    """The problem with control points, phases and metering as the devices state them."""
    network, profile = feeder.network, feeder.profile
    metered = np.zeros(len(network.connections), dtype=bool) if profile is None else profile.pv_w.any(axis=0)
    return replace(
        problem,
        control_point=control_points_of(network.connections.id, feeder.devices),
        flex_split=splits_of(network, feeder.devices),
        base_includes_devices=np.asarray(metered & problem.flex_gen_w.any(axis=0)),
    )


def assumed(feeder: Feeder, study: Study) -> list[str]:
    """Assumptions that the study makes without a measurement or a registered device."""
    found, count = [], len(feeder.network.connections)
    if np.ndim(study.export_w) == 0:
        who = count if study.flexible is None else int(np.count_nonzero(study.flexible))
        export, most = (float(watts) / 1e3 for watts in (study.export_w, study.import_w))
        found.append(
            f"assumed: {who} of {count} connections have {export:g} kW of generation and {most:g} kW of load that"
            " can be told a limit"
        )
    if feeder.profile is None:
        found.append(f"assumed: every connection draws {FLAT_DEMAND_W:.0f} W at all hours, as no day was measured")
    if study.sun and (feeder.profile is None or not feeder.profile.pv_w.any()):
        found.append("assumed: the sun shines from six to six UTC, most at noon")
    return found


def _day(feeder: Feeder, steps: int) -> tuple[Real, Real, Complex | None]:
    """(T, C) W and var of the base load, and (T, 3) V at the supply, as means over each step."""
    profile, count = feeder.profile, len(feeder.network.connections)
    if profile is None:
        load = np.full((steps, count), FLAT_DEMAND_W)
        return load, 0.2 * load, None
    intervals = len(profile.demand_w)
    if intervals % steps:
        raise BadProblem(f"steps: {steps} steps do not divide the {intervals} intervals of {feeder.name}")
    shape = (steps, intervals // steps, -1)

    def means(series: Complex | Real) -> Complex | Real:
        return np.asarray(series.reshape(shape).mean(axis=1))

    source = None if profile.source_v is None else np.asarray(means(profile.source_v), dtype=np.complex128)
    return means(profile.demand_w - profile.pv_w).real, means(profile.demand_var).real, source


def moments_of(feeder: Feeder, steps: int) -> Scenarios | None:
    """The measured day as one joint path; None where a feeder has none, or one value for each step."""
    profile = feeder.profile
    if profile is None or len(profile.demand_w) <= steps:
        return None
    net_w, moments = profile.demand_w - profile.pv_w, len(profile.demand_w) // steps
    return of_day(net_w, profile.demand_var, moments=moments, solar_w=profile.pv_w, source_v=profile.source_v)


def clear_sky(feeder: Feeder, steps: int) -> Real:
    """(T,) part of its size that generation can reach: the best of the day's measured systems, else a sine by day."""
    profile = feeder.profile
    if profile is None or not profile.pv_w.any():
        return sine(steps)
    output = profile.pv_w[:, profile.pv_w.any(axis=0)]
    best = (output / np.maximum(output.max(axis=0), 1.0)).max(axis=1)
    return np.asarray(best.reshape(steps, -1).max(axis=1))


def sine(steps: int) -> Real:
    """(T,) a day of twelve hours' sun, from six to six."""
    hours = (np.arange(steps) + 0.5) * 24.0 / steps
    return np.asarray(np.clip(np.sin((hours - 6.0) / 12.0 * np.pi), 0.0, None))
