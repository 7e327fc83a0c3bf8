"""Other days of the demonstration's two feeders, made from numbers: other households, weather, head voltage and cars.

Connections, inverters, chargers and who has them stay those of the demonstration.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from envelope import Problem
from envelope.demo import forecast, solar
from envelope.demo.cars import sessions
from envelope.demo.day import Day, ceiling_over, generated, hours
from envelope.demo.devices import ENOUGH_WH, DayPowers, Limits, simulate
from envelope.demo.scenario import Scenario, build_scenario
from envelope.problem.default_policy import with_default_policy
from envelope.problem.scenarios import of_history
from tests.independent import cases, raw
from tests.independent.circuit import Circuit

SEED, FIRST_PAST = 7, 1_000
"""number of the demonstration's day, and of the first day of the history, which is none of those that are judged"""
PAST = 20
"""days of the history"""
HAZE, HAZE_WEIGHTS = (1.0, 0.75, 0.35), (0.4, 0.4, 0.2)
"""parts of the sun that get through on clear, hazy and overcast days, beside clouds"""
SHIFT, SIZE, HEAD = 12, 0.1, 0.002
"""most steps of five minutes that a measured profile moves, and spreads of its size and of the head voltage"""


@dataclass(frozen=True)
class Street:
    """One of the feeders, and what its days are made from."""

    scenario: Scenario
    circuit: Circuit
    demand_va: np.ndarray | None
    """(K, C) measured demand; None: households are simulated"""
    solar_per_unit_w: np.ndarray
    """(C,) W of solar that no limit bounds, per unit of output of the weather"""
    ceiling: np.ndarray
    """(K,) clear sky of that solar"""
    source_v: np.ndarray
    """(K, 3) V at the head"""

    def day(self, number: int) -> Day:
        """The day of a number."""
        rng, day = np.random.default_rng([number, SEED]), self.scenario.day
        through = solar.cloud_factor(rng, len(day.base_va)) * rng.choice(HAZE, p=HAZE_WEIGHTS)
        passive_w = np.outer(self.ceiling * through, self.solar_per_unit_w)
        source_v = np.roll(self.source_v, rng.integers(-SHIFT, SHIFT + 1), axis=0) * (1.0 + rng.normal(0.0, HEAD))
        cars = sessions(rng, len(day.connection_ids), hours()).of(day.has_car)
        return replace(
            day,
            base_va=passive_w - self._demand(rng, number),
            base_solar_w=passive_w,
            pv_w=day.pv_ceiling_w * through[:, None],
            cars=cars,
            source_v=source_v,
        )

    def _demand(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """(K, C) VA: simulated, or each home with the measured profile of one on its phase, moved and scaled."""
        if self.demand_va is None:
            return -generated(self.scenario.day.connection_ids, number).base_va
        found = np.empty_like(self.demand_va)
        phase = np.array([port.nodes[0] for port in self.circuit.ports])
        for one in np.unique(phase):
            homes = np.flatnonzero(phase == one)
            for home, other in zip(homes, rng.permutation(homes), strict=True):
                moved = np.roll(self.demand_va[:, other], rng.integers(-SHIFT, SHIFT + 1))
                found[:, home] = moved * rng.lognormal(-0.5 * SIZE**2, SIZE)
        return found

    def known(self, day: Day) -> Problem:
        """What the demonstration's engine is told: the day itself as its one joint path."""
        return forecast.problem(replace(self.scenario, day=day))

    def from_history(self, *, share: float, moments: int = forecast.PER_INTERVAL) -> Problem:
        """The same with joint paths of past days, and the mean of them as the forecast.

        moments: of each half-hour that paths have, means of the measured steps; share: part that limits hold for.
        """
        days = [self.day(FIRST_PAST + k) for k in range(PAST)]
        load, solar_w, source_v = (
            _means(np.array([table(one) for one in days]), forecast.PER_INTERVAL // moments)
            for table in (lambda d: -d.base_va, lambda d: d.base_solar_w, lambda d: d.source_v)
        )
        paths = of_history(load.real, load.imag, solar_w, source_v, moments=moments)
        paths = replace(paths, share=share)
        told = replace(
            self.known(days[0]),
            scenarios=paths,
            base_load_w=paths.mean_w,
            base_load_var=paths.mean_var,
            source_v=paths.mean_source_v,
        )
        return with_default_policy(told)

    def case(self, problem: Problem, day: Day) -> cases.Case:
        """The day, to be judged under limits for a problem."""
        assert day.base_solar_w is not None
        states = cases.day_of(day.base_solar_w - day.base_va, day.base_solar_w, day.source_v)
        return cases.Case(self.scenario.feeder.name, self.circuit, problem, states, None)


def street(facts: Path | None) -> Street:
    """LV28 with its raw files from `facts`, or the European feeder."""
    folder = None if facts is None else facts / "data" / "lv28"
    scenario = build_scenario(folder, SEED)
    steps, count = scenario.day.base_va.shape
    if folder is None:
        circuit = raw.european_lv(cases.REPOSITORY / "gridmodel" / "data" / "european_lv_ratings.csv")
        head = np.tile(cases.balanced(11e3 / np.sqrt(3.0)), (steps, 1))
        return Street(scenario, circuit, None, np.zeros(count), np.zeros(steps), head)
    own, solar_w, source_v = (np.roll(table, -8 * 12, axis=0) for table in raw.lv28_day(folder))
    weather = solar_w.sum(axis=1) / solar_w.sum(axis=1).max()
    per_unit = solar_w.sum(axis=0) / weather.sum()
    return Street(scenario, raw.lv28(folder), solar_w - own, per_unit, ceiling_over(weather), source_v)


def _means(table: np.ndarray, count: int) -> np.ndarray:
    """(days, K / count, ...) means of so many steps each."""
    return table.reshape(len(table), -1, count, table.shape[2]).mean(axis=2)


def newly_short(day: Day, powers: DayPowers) -> tuple[int, float]:
    """Cars that lack energy at departure and would not without limits, and the part of all energy that limits cost."""
    free = simulate(day, Limits.none(len(day.connection_ids)))
    short = (powers.missing_wh > ENOUGH_WH) & (free.missing_wh <= ENOUGH_WH)
    return int(short.sum()), float((powers.missing_wh - free.missing_wh).sum() / day.cars.asked_wh.sum())
