"""A problem from a feeder folder and its measured day: flexible connections, their capacity, and steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import ClassVar, NamedTuple

import numpy as np

from envelope.field_rules import BadProblem, InstanceOf, Numbers, OneOf, Rule, validate
from envelope.problem import Allocation, Guarantee, OperatingLimits, Problem, Scenarios, ShareReference, steps_from
from envelope.problem.control_points import control_points_of
from envelope.problem.limits import as_61000
from envelope.problem.phase_split import splits_of
from envelope.problem.scenarios import of_day
from gridmodel.arrays import Complex, Mask, Real
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.model.feeder import Feeder, Profile

DAY_S = 86_400
FLAT_DEMAND_W = 500.0
"""per connection, where a feeder has no measured day and its file no loads"""


class BaseLoad(StrEnum):
    """Origin of the base load of a run."""

    AUTO = "auto"
    """the first of the others that there is"""
    MEASURED = "measured"
    """the feeder's own day"""
    FILE = "file"
    """loads, load shapes and power factors of the network's file"""
    ASSUMED = "assumed"
    """the same at every connection and hour"""


class BaseDay(NamedTuple):
    """The base load of T steps and C connections, and what it stands on."""

    load_w: Real
    load_var: Real
    """(T, C)"""
    source_v: Complex | None
    """(T, 3) V; None: the network's own"""
    stands_on: BaseLoad
    sentence: str
    scenarios: Scenarios | None = None
    """the day as one joint path; None where it has one value for each step"""


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
    base_load: BaseLoad = BaseLoad.AUTO
    series_day: int | date | None = None
    """of several measured days the one that is studied, by position or date; None: the first"""
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
        "base_load": OneOf(BaseLoad),
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
    base = base_load_of(feeder, study)
    flexible = np.ones(count, dtype=bool) if study.flexible is None else study.flexible
    sky = clear_sky(measured_day(feeder, study), study.steps) if study.sun else np.ones(study.steps)
    return Problem(
        reduce(feeder.network) if reduced is None else reduced,
        steps_from(study.start, DAY_S // study.steps, study.steps),
        DAY_S // study.steps,
        base_load_w=base.load_w,
        base_load_var=base.load_var,
        flex_gen_w=sky[:, None] * np.where(flexible, study.export_w, 0.0),
        flex_load_w=np.tile(np.where(flexible, study.import_w, 0.0), (study.steps, 1)),
        source_v=base.source_v,
        scenarios=base.scenarios if study.within_steps else None,
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
    found.append(base_load_of(feeder, study).sentence)
    if study.sun and (feeder.profile is None or not feeder.profile.pv_w.any()):
        found.append("assumed: the sun shines from six to six UTC, most at noon")
    return found


def series_day(feeder: Feeder, told: str, start: int) -> int | date | None:
    """Which of several measured days is meant by a number from 1 on, or by a date; None: the series have no choice.

    start: epoch seconds at which the told date begins.
    """
    profile = feeder.profile
    if profile is None or profile.days < 2:
        return None
    if told.isdecimal():
        if not 1 <= int(told) <= profile.days:
            raise BadProblem(f"--day: {told} is not among the {profile.days} measured days")
        return int(told) - 1
    return datetime.fromtimestamp(start, UTC).date() if profile.first_day is not None else None


def measured_day(feeder: Feeder, study: Study) -> Profile | None:
    """The day of the feeder's own series that a study is about; None where nothing was measured."""
    profile = feeder.profile
    return profile.day(study.series_day or 0) if profile is not None and profile.days > 1 else profile


def base_load_of(feeder: Feeder, study: Study) -> BaseDay:
    """The base load, as means over each step: measured, or the file's own loads, or assumed."""
    measured, asked = measured_day(feeder, study), study.base_load
    if measured is not None and asked in (BaseLoad.AUTO, BaseLoad.MEASURED):
        which = _which_day(feeder, study)
        return _of_profile(feeder, measured, study.steps, (BaseLoad.MEASURED, f"base load: measured{which}"))
    taken, day = feeder.declared_va, feeder.declared_day()
    if taken is not None and asked in (BaseLoad.AUTO, BaseLoad.FILE):
        total = f"base load: {feeder.declared_sum}"
        if day is not None:
            return _of_profile(feeder, day, study.steps, (BaseLoad.FILE, f"{total}, by its load shapes"))
        load = np.tile(taken, (study.steps, 1))
        return BaseDay(load.real, load.imag, None, BaseLoad.FILE, f"{total}, the same at every hour")
    if asked not in (BaseLoad.AUTO, BaseLoad.ASSUMED):
        raise BadProblem(f"base_load: {feeder.name} has no base load that is {asked}")
    flat = np.full((study.steps, len(feeder.network.connections)), FLAT_DEMAND_W)
    why = "" if asked is BaseLoad.ASSUMED else ", as no day was measured and the file has no loads"
    said = f"assumed: every connection draws {FLAT_DEMAND_W:.0f} W at all hours{why}"
    return BaseDay(flat, 0.2 * flat, None, BaseLoad.ASSUMED, said)


def _which_day(feeder: Feeder, study: Study) -> str:
    """Which of several measured days is taken, in words; empty where there is one."""
    profile = feeder.profile
    if profile is None or profile.days < 2:
        return ""
    day = measured_day(feeder, study)
    at = f" ({day.first_day})" if day is not None and day.first_day is not None else ""
    which = study.series_day or 0
    number = which if isinstance(which, int) else (which - profile.first_day).days if profile.first_day else 0
    return f", day {number + 1} of the series' {profile.days}{at}"


def _of_profile(feeder: Feeder, profile: Profile, steps: int, what: tuple[BaseLoad, str]) -> BaseDay:
    intervals = len(profile.demand_w)
    if intervals % steps:
        raise BadProblem(f"steps: {steps} steps do not divide the {intervals} intervals of {feeder.name}")
    shape = (steps, intervals // steps, -1)

    def means(series: Complex | Real) -> Complex | Real:
        return np.asarray(series.reshape(shape).mean(axis=1))

    source = None if profile.source_v is None else np.asarray(means(profile.source_v), dtype=np.complex128)
    load, load_var = means(profile.demand_w - profile.pv_w).real, means(profile.demand_var).real
    return BaseDay(load, load_var, source, *what, _moments_of(profile, steps))


def _moments_of(profile: Profile, steps: int) -> Scenarios | None:
    """The day as one joint path; None where it has one value for each step."""
    moments = len(profile.demand_w) // steps
    if moments < 2:
        return None
    net_w = profile.demand_w - profile.pv_w
    return of_day(net_w, profile.demand_var, moments=moments, solar_w=profile.pv_w, source_v=profile.source_v)


def clear_sky(profile: Profile | None, steps: int) -> Real:
    """(T,) part of its size that generation can reach: the best of the day's measured systems, else a sine by day."""
    if profile is None or not profile.pv_w.any():
        return sine(steps)
    output = profile.pv_w[:, profile.pv_w.any(axis=0)]
    best = (output / np.maximum(output.max(axis=0), 1.0)).max(axis=1)
    return np.asarray(best.reshape(steps, -1).max(axis=1))


def sine(steps: int) -> Real:
    """(T,) a day of twelve hours' sun, from six to six."""
    hours = (np.arange(steps) + 0.5) * 24.0 / steps
    return np.asarray(np.clip(np.sin((hours - 6.0) / 12.0 * np.pi), 0.0, None))
