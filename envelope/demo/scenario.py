"""The scenario of the demonstration: a feeder, its customers' day, measured or generated, and their new devices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from envelope.demo.day import FIRST_HOUR, STEP_S, STEPS, Day, Growth, bare, generated, grown
from envelope.demo.study import Run, without_limits
from gridmodel import Feeder, GridError, Reduced, read_feeder, reduce
from gridmodel.arrays import Real
from gridmodel.readers.example_feeders import european_lv
from sep2.errors import SepError
from sep2.wire import Profile

Number = TypeVar("Number", np.float64, np.complex128)

BROKEN_PERCENT = 105.0
"""Transformer load from which a day counts as a clear overload, % of rating."""


GROWTH_ALL_NEW = Growth(0.8, 0.6)
GROWTH_WITH_SOLAR = Growth(0.3, 0.6)
"""Start of the search. A measured day contains the solar of its time; new devices come on top."""
STEP = 0.1


class BadFeeder(SepError):
    """That feeder can not be played."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A feeder, and a day on which it exceeds its limits if connections have none."""

    folder: Path | None
    """Of the feeder; None for the IEEE European LV feeder."""
    feeder: Feeder
    reduced: Reduced
    day: Day
    growth: Growth
    base: Run
    """The day before any growth."""
    grown: Run
    """The day after it, without limits."""
    profile: Profile = Profile.CSIP_AUS_1_2
    """Of the clients."""
    seed: int = 7
    """Of homes and days."""


def build_scenario(folder: Path | None, seed: int, profile: Profile = Profile.CSIP_AUS_1_2) -> Scenario:
    """Return the feeder of a folder, or the IEEE European LV feeder, with the least growth that exceeds its limits."""
    try:
        feeder = european_lv() if folder is None else read_feeder(folder)
        reduced = reduce(feeder.network)
    except GridError as wrong:
        raise BadFeeder(str(wrong)) from wrong
    base, weather = first_day(feeder, seed)
    first = GROWTH_ALL_NEW if weather is None else GROWTH_WITH_SOLAR
    day, growth, run = _grown_until_exceeded(reduced, base, first, (seed, weather))
    return Scenario(folder, feeder, reduced, day, growth, without_limits(reduced, base), run, profile, seed)


def first_day(feeder: Feeder, seed: int) -> tuple[Day, Real | None]:
    """Return the day before any growth, and the measured solar output per unit of inverter where there is one."""
    ids, profile = feeder.network.connections.id, feeder.profile
    if profile is None:
        return generated(ids, seed), None
    source = None if profile.source_v is None else _from_eight(profile.source_v, profile.step_s)
    day = bare(ids, _from_eight(profile.net_va(), profile.step_s), source, _from_eight(profile.pv_w, profile.step_s))
    size_w = feeder.pv_va[profile.pv_w.any(axis=0)].sum()
    weather = profile.pv_w.sum(axis=1) / size_w if size_w else None
    return day, None if weather is None else _from_eight(weather, profile.step_s)


def _from_eight(midnight: NDArray[Number], step_s: int) -> NDArray[Number]:
    """Return a measured day in steps of five minutes from 08:00; its hours before become the following night's."""
    if STEP_S % step_s and step_s % STEP_S:
        raise BadFeeder(f"a day in steps of {step_s} s can not be played in steps of {STEP_S} s")
    if step_s >= STEP_S:
        fine = np.repeat(midnight, step_s // STEP_S, axis=0)
    else:
        fine = midnight.reshape(-1, STEP_S // step_s, *midnight.shape[1:]).mean(axis=1)
    if len(fine) != STEPS:
        raise BadFeeder(f"the measured day has {len(midnight)} intervals of {step_s} s, which is not one day")
    return np.roll(fine, -FIRST_HOUR * 3600 // STEP_S, axis=0)


def _grown_until_exceeded(
    reduced: Reduced, base: Day, first: Growth, made: tuple[int, Real | None]
) -> tuple[Day, Growth, Run]:
    """Return the first growth that exceeds a voltage and a transformer limit without envelopes, or the largest."""
    growth, (seed, weather) = first, made
    while True:
        day = grown(base, growth, seed, weather)
        run = without_limits(reduced, day)
        more = next_growth(growth, run)
        if more == growth:
            return day, growth, run
        growth = more


def next_growth(growth: Growth, run: Run) -> Growth:
    """Return the same growth where both limits are exceeded; else more of what approaches the other."""
    found = run.figures
    if found.customers_outside_voltage > 0 and found.max_transformer_percent >= BROKEN_PERCENT:
        return growth
    loading = run.flow.loading[:, run.flow.is_transformer].max(axis=1)
    feeds_back = run.powers.s_va.real.sum(axis=1)[loading.argmax()] > 0.0
    if (found.customers_outside_voltage == 0 or feeds_back) and growth.pv_share < 1.0:
        return Growth(_more(growth.pv_share), growth.ev_share)
    return Growth(growth.pv_share if growth.ev_share < 1.0 else _more(growth.pv_share), _more(growth.ev_share))


def _more(share: float) -> float:
    return round(min(share + STEP, 1.0), 3)
