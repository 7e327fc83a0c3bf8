"""Both planning studies by brute force: OpenDSS hour by hour, plain loops for statistics, heat and energy."""

import os
from pathlib import Path

import numpy as np
import pytest

from envelope.planning.deferral import study_feeder
from envelope.planning.deferral_results import DeferralPlan, Studied
from envelope.planning.growth import GrowthCase
from envelope.planning.growth_years import GrowthYears
from envelope.planning.hosting import Hosting
from envelope.planning.interconnection import InterconnectionPlan, study_plant
from envelope.planning.plant import Direction, Plant, with_plants
from envelope.planning.transformers import units_of
from envelope.planning.year import year_of
from envelope.problem import OperatingLimits
from envelope.problem.thermal import ThermalPolicy, thermal_model
from gridmodel import port_va, read_feeder, reduce
from tests.planning import brute
from tests.planning.lanes import write_lane
from tests.trials.figures import record_row

FEEDERS = ("lane", "LV28")
CASE = GrowthCase("fast", 1.0, 12.0, 5.0)
TITLE = {"deferral": "Deferral study by brute force", "connect": "Interconnection study by brute force"}
SAID = {
    "deferral": "Every step of the year in which a transformer first exceeds its rating, without envelopes and with "
    "them, solved by OpenDSS one after another; statistics in plain loops; hot spot and life by steps of ten seconds. "
    "Largest difference to the study's figures. Lane: five homes on 25 kVA, 14 days; LV28: 114 homes on 500 kVA, 7 "
    "days, transformer at a fifth of its rating.",
    "connect": "A plant at the far end, limits of the days studied. OpenDSS with the plant at each published limit, "
    "with nothing, and with the limit that the study found before rounding plus 2 % and 100 W, where that was below "
    "the size searched. Curtailed energy by a plain sum over the hours.",
}


def feeder_of(name, folder):
    if name == "lane":
        return read_feeder(write_lane(folder / "lane", days=14, kva=100.0))
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    return read_feeder(Path(facts, "data", "lv28"))


@pytest.mark.parametrize("name", FEEDERS)
def test_deferral_figures_are_those_of_opendss(name, tmp_path):
    feeder = read_feeder(write_lane(tmp_path / "own", days=14)) if name == "lane" else feeder_of(name, tmp_path)
    year = year_of(feeder, 14 if name == "lane" else 7).at_steps(3600)
    reduced = reduce(feeder.network)
    if name == "LV28":
        at_transformer = np.array([feeder.network.branches.kind[k] == "transformer" for k in reduced.current_branch])
        object.__setattr__(reduced, "rating_a", np.where(at_transformer, 0.2, 1.0) * reduced.rating_a)
    ambient = np.full(len(year.load_w), 30.0)
    count = len(feeder.network.connections)
    studied = Studied(name, reduced, year, ambient, thermal_model(), ThermalPolicy(), np.full(count, 0.95))
    plan = DeferralPlan((CASE,), years=8)
    (found,), rows = study_feeder(studied, plan)
    assert found.first_without is not None
    powers = GrowthYears(studied, plan, units_of(reduced)).powers(CASE, found.first_without)
    worst = np.zeros(5)
    for drawn, envelopes in ((powers.drawn_va, "without"), (powers.eased_va, "with")):
        (row,) = [one for one in rows if one.year == found.first_without and one.envelopes == envelopes]
        load = brute.loadings(reduced, drawn, year.source_v)
        hours, longest = brute.hours_and_longest(load)
        hottest, life = brute.hottest_and_life(load, 30.0, 3600)
        percents = [100.0 * np.quantile(load, q) for q in (0.5, 0.95, 1.0)]
        said = (row.load_p50_percent, row.load_p95_percent, row.peak_percent)
        differences = (
            max(abs(a - b) for a, b in zip(percents, said, strict=True)),
            abs(hours * 365.0 / year.days - row.hours_over),
            abs(longest - row.longest_over_h),
            abs(hottest - row.hot_spot_c),
            abs(min(life, 200.0) / row.life_years - 1.0),
        )
        worst = np.maximum(worst, differences)
    assert (worst < (0.05, 0.01, 0.01, 0.1, 0.02)).all()
    one = powers.relieved[0]
    free = sum(one_need.cars.asked_wh.sum() for one_need in powers.needs)
    assert one.cars_w.sum() + one.missing_wh.sum() == pytest.approx(free, rel=1e-9)
    text = (
        f"load {worst[0]:.4f} % points, hours over {worst[1]:.3f}, longest run {worst[2]:.3f} h, hot spot"
        f" {worst[3]:.3f} C, life {worst[4]:.2%}; {2 * len(year.load_w)} states"
    )
    record_row(TITLE["deferral"], SAID["deferral"], (name, text), FEEDERS)


@pytest.mark.parametrize("name", FEEDERS)
@pytest.mark.parametrize("direction", list(Direction))
def test_limits_of_a_plant_hold_in_opendss_and_are_not_too_low(name, direction, tmp_path):
    feeder = feeder_of(name, tmp_path)
    year = year_of(feeder, 14 if name == "lane" else 1)
    year = year.at_steps(1800) if year.step_s < 1800 else year
    node, size_w = ("n5", 60e3) if name == "lane" else ("hv_f0_lv28_f2_n33", 150e3)
    plant = Plant("plant", node, size_w)
    limits = OperatingLimits.of("as-61000.3.100")
    hosting = Hosting(feeder.network, year, plant, direction, limits, year.sky)
    found = study_plant(hosting, InterconnectionPlan(reinforce=False))
    every, steps = np.arange(len(year.load_w)), len(year.load_w)
    most_w, what = hosting.most(every, np.full(steps, 4.0 * size_w))
    reduced = reduce(with_plants(feeder.network, (plant,)))
    count = year.load_w.shape[1]
    base_va = port_va(reduced.network, np.pad(-(year.load_w + 1j * year.load_var), ((0, 0), (0, 1))))
    share = np.array([c == count for c in reduced.network.connections.port_connection]) / 3.0 * direction.sign

    def judged(power_w):
        return brute.inside(reduced, base_va, share, power_w, year.source_v)

    published = found.tables.hourly_w[every * year.step_s // 3600]
    alone = judged(np.zeros(steps))
    at_limit = judged(published)
    # Where the customers alone are beyond a limit, nothing says more than that the plant makes it no worse.
    assert (at_limit | ~alone).all()
    bound = np.flatnonzero((what >= 0) & alone)
    beyond = judged(np.where(what >= 0, 1.02 * most_w + 100.0, 0.0))
    assert not beyond[bound].any()
    available_w, taken_wh = year.sky * size_w, 0.0
    for step in range(steps):
        taken_wh += max(0.0, available_w[step] - published[step]) * year.step_s / 3600.0
    (said,) = [one for kind, one in found.curtailed.items() if kind.startswith("8,760")]
    if year.days == 1:
        assert said.p50_kwh == pytest.approx(365.0 * taken_wh / 1e3, abs=0.1)
    text = (
        f"{steps} steps: {int((~at_limit & alone).sum())} limits beyond, {len(bound)} bind,"
        f" {int(beyond[bound].sum())} of these still inside 2 % above; customers alone beyond in {int((~alone).sum())};"
        f" firm {found.capacity.firm_w / 1e3:.1f} kW"
    )
    among = [f"{feeder}, {one}" for feeder in FEEDERS for one in Direction]
    record_row(TITLE["connect"], SAID["connect"], (f"{name}, {direction}", text), among)
