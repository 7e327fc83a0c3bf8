"""Power that a new plant may feed or draw: capacity, limits by hour, settings and reinforcements tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from envelope.field_rules import BadProblem
from envelope.planning.hosting import COARSE_V, Hosting, Verified
from envelope.planning.limit_tables import Curtailed, Tables, at_steps, curtailed_of, hour_of_step, tables_of
from envelope.planning.plant import reinforcements
from envelope.planning.settings import UNITY, Setting
from gridmodel.arrays import Index, Real

SEARCHED = 4.0
"""hosting capacity is looked for up to so many times the size asked for"""
LOWEST_AVAILABLE = 0.01
"""part of its size below which a plant's power is not told from the limit"""
WORST_STEPS, REPEATS = 200, 6


@dataclass(frozen=True)
class InterconnectionPlan:
    """Assumptions of an interconnection study."""

    round_w: float = 1_000.0
    """limits are rounded down to multiples of it"""
    curtailment: float = 0.05
    """part of its energy that a flexible plant may lose"""
    settings: Sequence[Setting] = (UNITY,)
    reinforce: bool = True


class Capacity(NamedTuple):
    """Hosting capacity."""

    firm_w: float
    """size of this resource that is never limited"""
    any_hour_w: float
    """power that holds at every hour, whatever the resource"""
    flexible_w: float
    """size of this resource that loses no more of its energy than permitted"""
    at_least: bool
    """whether firm_w is as far as was searched"""
    flexible_at_least: bool
    binding: str
    when: str
    """of the firm capacity: what binds, and the step"""


class SettingResult(NamedTuple):
    """A setting at the size asked for."""

    setting: str
    curtailed_kwh: float
    """of the days studied, scaled to a year; by limits, and by the inverters themselves"""
    curtailed_percent: float
    least_limit_w: float
    limited_hours: float
    verified: bool


class ReinforcementResult(NamedTuple):
    """Capacity and energy with a reinforcement."""

    what: str
    firm_w: float
    any_hour_w: float
    curtailed_kwh: float
    curtailed_percent: float


@dataclass(frozen=True, eq=False)
class Interconnection:
    """The result of a study."""

    hosting: Hosting
    plan: InterconnectionPlan
    capacity: Capacity
    limit_w: Real
    """(T,) most W at each step, up to the size asked for"""
    tables: Tables
    verified: Mapping[str, Verified]
    curtailed: Mapping[str, Curtailed]
    """by kind of limit"""
    binding: Sequence[tuple[str, float]]
    """what binds, and its part of the limited steps"""
    settings: Sequence[SettingResult]
    best: Setting
    reinforcements: Sequence[ReinforcementResult]


def study_plant(
    hosting: Hosting, plan: InterconnectionPlan, tell: Callable[[str], None] = lambda _: None
) -> Interconnection:
    """Study a plant at its node."""
    if not hosting.plant.size_w > 0.0:
        raise BadProblem("--export or --import: the plant's size is not above 0")
    every, size_w = np.arange(len(hosting.year.load_w)), hosting.plant.size_w
    tell("the most at each step")
    wide_w, what = hosting.most(every, np.full(len(every), SEARCHED * size_w))
    limit_w = np.minimum(wide_w, size_w)
    tables = tables_of(hosting.year, limit_w, plan.round_w)
    kinds = at_steps(hosting.year, tables)
    tell("verifying the rounded limits")
    verified = {name: hosting.verified(one) for name, one in kinds.items()}
    curtailed = {name: _curtailed(hosting, one) for name, one in kinds.items()}
    limited = np.flatnonzero((wide_w < size_w) & (what >= 0))
    settings = [_tried(hosting, plan, setting, tell) for setting in plan.settings]
    best = min(range(len(settings)), key=lambda k: (not settings[k].verified, settings[k].curtailed_kwh, k))
    return Interconnection(
        hosting,
        plan,
        _capacity(hosting, plan, wide_w, what),
        limit_w,
        tables,
        verified,
        curtailed,
        _most_binding(hosting, what[limited]),
        settings,
        plan.settings[best],
        _reinforced(hosting, plan, wide_w, tell) if plan.reinforce else (),
    )


def _curtailed(hosting: Hosting, limit_w: Real) -> Curtailed:
    available_w = hosting.available * hosting.plant.size_w
    return curtailed_of(hosting.year, available_w, np.maximum(available_w - limit_w, 0.0))


def _capacity(hosting: Hosting, plan: InterconnectionPlan, wide_w: Real, what: Index) -> Capacity:
    """Hosting capacity from the most at each step, as far as was searched."""
    up_to_w = SEARCHED * hosting.plant.size_w
    ratio_w = _size_at(hosting, wide_w)
    step = int(ratio_w.argmin())
    firm_w = min(float(ratio_w[step]), up_to_w)
    flexible_w = _flexible(hosting, wide_w, plan.curtailment, up_to_w)
    bound = firm_w < up_to_w and what[step] >= 0
    return Capacity(
        firm_w,
        float(wide_w.min()),
        max(firm_w, flexible_w),
        not bound,
        flexible_w >= 0.999 * up_to_w,
        hosting.names[what[step]] if bound else "nothing up to there",
        time_of(hosting, step) if bound else "",
    )


def _size_at(hosting: Hosting, most_w: Real) -> Real:
    """(T,) W of a plant's size that its power at each step is as much as permitted with; inf where it has none."""
    usable = hosting.available > LOWEST_AVAILABLE
    return np.where(usable, most_w / np.where(usable, hosting.available, 1.0), np.inf)


def _flexible(hosting: Hosting, most_w: Real, permitted: float, up_to_w: float) -> float:
    """The largest size, W, of which no more than the permitted part of the energy is curtailed."""

    def lost(size_w: float) -> float:
        available_w = size_w * hosting.available
        return float(np.maximum(available_w - most_w, 0.0).sum() / max(available_w.sum(), 1e-9))

    low, high = 0.0, up_to_w
    if lost(high) <= permitted:
        return high
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if lost(middle) <= permitted else (low, middle)
    return low


def _most_binding(hosting: Hosting, what: Index) -> list[tuple[str, float]]:
    often = Counter(hosting.names[k] for k in what.tolist())
    return [(name, count / len(what)) for name, count in often.most_common(5)]


def _tried(hosting: Hosting, plan: InterconnectionPlan, setting: Setting, tell: Callable[[str], None]) -> SettingResult:
    """One setting at the size asked for; what the inverters give up themselves counts as curtailed."""
    tell(f"setting: {setting.name}")
    own = hosting.with_setting(setting)
    every, size_w = np.arange(len(hosting.year.load_w)), hosting.plant.size_w
    limit_w, _ = own.most(every, np.full(len(every), size_w))
    limit_w = tables_of(hosting.year, limit_w, plan.round_w).hourly_w[hour_of_step(hosting.year)]
    available_w = hosting.available * size_w
    fed = own.state(every, np.minimum(available_w, limit_w), tol_v=COARSE_V).power_w
    taken_w = np.maximum(available_w - fed, 0.0)
    scale = 365.0 / hosting.year.days * hosting.year.hours
    return SettingResult(
        setting.name,
        round(float(taken_w.sum()) * scale / 1e3, 1),
        round(100.0 * float(taken_w.sum() / max(available_w.sum(), 1e-9)), 3),
        float(limit_w.min()),
        round(float((limit_w < size_w).sum()) * scale, 1),
        own.verified(limit_w).broken_steps == 0,
    )


def _reinforced(
    hosting: Hosting, plan: InterconnectionPlan, wide_w: Real, tell: Callable[[str], None]
) -> list[ReinforcementResult]:
    """Firm capacity and curtailed energy with each reinforcement, all else the same."""
    found = []
    for one in reinforcements(hosting.network, hosting.plant.node):
        tell(one.what)
        better = replace(hosting, network=one.of(hosting.network), setting=UNITY)
        size_w, available_w = hosting.plant.size_w, hosting.available * hosting.plant.size_w
        limited = np.flatnonzero(wide_w < size_w)
        limit_w = np.minimum(wide_w, size_w)
        limit_w[limited], _ = better.most(limited, np.full(len(limited), size_w))
        taken = float(np.maximum(available_w - limit_w, 0.0).sum())
        scale = 365.0 / hosting.year.days * hosting.year.hours / 1e3
        found.append(
            ReinforcementResult(
                one.what,
                _firm(better, _size_at(hosting, wide_w), hosting.available),
                _firm(better, wide_w, np.ones(len(wide_w))),
                round(taken * scale, 1),
                round(100.0 * taken / max(float(available_w.sum()), 1e-9), 3),
            )
        )
    return found


def _firm(hosting: Hosting, before_w: Real, available: Real) -> float:
    """The size, W, that is never limited, looked for where it was least before and then at all steps.

    before_w: (T,) W of that size at each step, before the reinforcement.
    """
    up_to_w = SEARCHED * hosting.plant.size_w
    usable = np.flatnonzero(available > LOWEST_AVAILABLE)
    at = usable[np.argsort(before_w[usable], kind="stable")[:WORST_STEPS]]
    firm_w = up_to_w
    for _ in range(REPEATS):
        most_w, _ = hosting.most(at, firm_w * available[at])
        firm_w = min(firm_w, float((most_w / available[at]).min(initial=firm_w)))
        state = hosting.state(usable, firm_w * available[usable], tol_v=COARSE_V)
        at = usable[state.excess > 0.0]
        if not len(at):
            break
    return firm_w


def time_of(hosting: Hosting, step: int) -> str:
    """The local time of a step."""
    year = hosting.year
    day = np.datetime64(year.first_day) + step // year.per_day
    minutes = step % year.per_day * year.step_s // 60
    return f"{day} {minutes // 60:02d}:{minutes % 60:02d}"
