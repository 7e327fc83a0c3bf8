"""The deferral study of one feeder: what a process, here or on another machine, is handed and hands back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from envelope.command_line.options import refuse_missing
from envelope.command_line.study_options import DaysAsked, ambient_series, obedience_of
from envelope.planning.deferral import study_feeder
from envelope.planning.deferral_results import Deferral, DeferralPlan, Figures, Studied
from envelope.problem import plan_file
from envelope.problem.thermal import ThermalPolicy, thermal_model
from gridmodel.flow.kron import reduce


@dataclass(frozen=True)
class DeferralTask:
    """A feeder to study, by name, and how."""

    feeder: str
    plan: DeferralPlan
    days: DaysAsked
    step_s: int
    thermal: str
    ambient: str
    policy: ThermalPolicy
    obedience: str


class FeederDeferrals(NamedTuple):
    """All that was found on one feeder."""

    deferrals: Sequence[Deferral]
    figures: Sequence[Figures]
    said: Sequence[str]


def study_one(task: DeferralTask, tell: Callable[[str], None] = lambda _: None) -> FeederDeferrals:
    """The deferrals of a feeder's transformers."""
    refuse_missing(task.feeder)
    tell("reading the feeder")
    feeder = plan_file.feeder_of(task.feeder)
    year = task.days.year(feeder)
    if year.step_s < task.step_s:
        year = year.at_steps(task.step_s)
    obedience = obedience_of(task.obedience, feeder)
    studied = Studied(
        feeder.name,
        reduce(feeder.network),
        year,
        ambient_series(task.ambient, year),
        thermal_model(task.thermal),
        task.policy,
        obedience,
    )
    deferrals, figures = study_feeder(studied, task.plan, tell)
    said = (
        *year.said,
        f"homes keep their limits with a chance of {obedience.mean():.0%} on average (--obedience {task.obedience})",
        f"ambient temperature: {task.ambient}{' C' if task.ambient.replace('.', '', 1).isdecimal() else ''};"
        f" thermal parameters {task.thermal}: {studied.thermal.source}",
    )
    return FeederDeferrals(deferrals, figures, said)
