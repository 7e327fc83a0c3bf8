"""`sep2 study deferral`: when transformers must be replaced, with envelopes and without."""

import json
import re
import shutil

import numpy as np
import pytest

from envelope.planning.cars import CarYear, car_year, equal_level, from_noon, to_midnight
from envelope.planning.economics import Economics
from envelope.planning.relief import Needs, firm_relief_w, relieve
from envelope.planning.transformers import Unit
from envelope.planning.year import longest_run
from tests.planning.conftest import answer, ran
from tests.planning.lanes import rows_of, write_lane

SHORT = ("--days", 3, "--workers", 1)
GROWTH = ("--growth", "fast=1,25,10")


@pytest.fixture(scope="module")
def studied(lane, tmp_path_factory):
    """The study of the lane, as answered and as written."""
    out = tmp_path_factory.mktemp("deferral") / "out"
    return answer("deferral", lane, *SHORT, *GROWTH, "--years", 6, "--out", out), out


def test_envelopes_defer_a_replacement_and_are_worth_its_formula(studied):
    (found,) = studied[0]["transformers"]
    assert found["first_with"] is None or found["first_with"] > found["first_without"]
    assert found["deferred_years"] > 0
    ratio = 1.02 / 1.07
    value = 25_000.0 * (1.0 - ratio ** found["deferred_years"])
    assert found["value"] == pytest.approx(value, abs=0.01)
    assert found["present_value"] == pytest.approx(ratio ** found["first_without"] * value, abs=0.01)
    assert found["firm_relief_kw"] > 0.0


def test_years_say_load_heat_and_what_cars_got(studied):
    rows = rows_of(studied[1] / "years.csv")
    (found,) = studied[0]["transformers"]
    due = [row for row in rows if int(row["year"]) == found["first_without"]]
    without, held = sorted(due, key=lambda row: row["envelopes"], reverse=True)
    assert float(without["peak_percent"]) > 100.0 >= float(held["peak_percent"])
    assert float(without["hours_over"]) > 0.0 == float(held["hours_over"])
    assert float(without["hot_spot_c"]) > float(held["hot_spot_c"])
    assert float(without["life_years"]) <= float(held["life_years"])
    assert float(held["shifted_kwh"]) > 0.0
    assert float(held["missing_kwh"]) <= 0.01 * float(held["car_kwh"])
    assert without["violates"] == "load above its rating"
    for row in rows:
        assert float(row["load_p50_percent"]) <= float(row["load_p95_percent"]) <= float(row["peak_percent"])


def test_the_report_is_one_file_that_states_what_it_rests_on(studied):
    text = (studied[1] / "report.html").read_text()
    assert text.count("data:image/png;base64,") >= 2
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    for said in ("(1 + i) / (1 + r)", "base load: 3 measured days, from 2026-01-30", "95%", "C57.91", "Not studied"):
        assert said in text


def test_a_feeder_that_fails_is_named_and_the_others_go_on(lane, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(lane, broken)
    (broken / "lines.csv").write_text("line_id,from_node\n")
    done = ran("deferral", broken, lane, *SHORT, *GROWTH, "--years", 2, "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "not studied" in done.output
    assert "broken" in done.output
    assert {row["feeder"] for row in rows_of(tmp_path / "out" / "transformers.csv")} == {"lane"}
    assert "could not be studied" in (tmp_path / "out" / "report.html").read_text()


def test_a_smaller_transformer_ranks_first_and_its_own_cost_counts(lane, tmp_path):
    small = write_lane(tmp_path / "small", kva=16.0, name="small")
    (tmp_path / "costs.csv").write_text("transformer_id,cost\nTX,40000\n")
    more = ("--costs", tmp_path / "costs.csv", "--years", 3, "--out", tmp_path / "out")
    found = answer("deferral", lane, small, *SHORT, *GROWTH, *more)["transformers"]
    assert [one["cost"] for one in found] == [40_000.0, 40_000.0]
    due = {one["feeder"]: one["first_without"] for one in found}
    assert due["small"] <= (due["lane"] or 99)
    assert [one["present_value"] for one in found] == sorted((o["present_value"] for o in found), reverse=True)


def test_obedience_of_a_file_lowers_the_firm_relief(lane, tmp_path):
    (tmp_path / "kept.csv").write_text("name,obedience\n" + "".join(f"h{k},0.5\n" for k in range(1, 5)))
    common = (*SHORT, *GROWTH, "--years", 1, "--out", tmp_path / "out")
    half = answer("deferral", lane, *common, "--obedience", tmp_path / "kept.csv")["transformers"][0]
    full = answer("deferral", lane, *common, "--obedience", "1")["transformers"][0]
    assert half["firm_relief_kw"] < full["firm_relief_kw"]


def test_heat_is_a_criterion_of_its_own(lane, tmp_path):
    common = (*SHORT, *GROWTH, "--years", 4, "--criterion", "thermal", "--out", tmp_path / "out")
    (found,) = answer("deferral", lane, *common, "--ambient", "45")["transformers"]
    rows = rows_of(tmp_path / "out" / "years.csv")
    (due,) = [r for r in rows if r["envelopes"] == "without" and int(r["year"]) == found["first_without"]]
    assert due["violates"].startswith(("hotter or ageing faster", "load above 1.5"))
    assert "thermal policy" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--growth", "high"), "is not NAME=LOAD,CARS,SOLAR"),
        (("--growth", "high=1,x,3"), "is not NAME=LOAD,CARS,SOLAR"),
        (("--growth", "high=1,200,3"), "cars: 200 is outside 0..100 percent a year"),
        (("--growth", "a=1,2,3", "--growth", "a=2,3,4"), "two cases have the same name"),
        (("--obedience", "1.5"), "--obedience: 1.5 is outside 0..1"),
        (("--obedience", "often"), "neither a number from 0 to 1 nor a .csv file"),
        (("--step", "5000"), "is no multiple of the series' 3600 s"),
        (("--profiles", "no.csv"), "no.csv"),
        (("--store", "here"), "--store: needs --from"),
        (("--thermal", "oak"), "known are onan-65"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(lane, tmp_path, words, said):
    done = ran("deferral", lane, *SHORT, *words, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 2
    assert said in json.loads(done.stdout)["error"]["detail"]


def test_profiles_of_a_file_take_the_place_of_the_feeders_own(lane, tmp_path):
    lines = [f"h{k},2026-03-0{d}T{h:02d}:00,{400 + 10 * k}" for k in range(1, 6) for d in (1, 2) for h in range(24)]
    (tmp_path / "net.csv").write_text("\n".join(["connection_id,start,net_w", *lines]) + "\n")
    more = ("--profiles", tmp_path / "net.csv", "--growth", "none=0,0,0", "--years", 1, "--out", tmp_path / "out")
    found = answer("deferral", lane, "--days", 2, "--workers", 1, *more)
    assert found["transformers"][0]["first_without"] is None
    assert "2 days of net.csv" in found["assumed"][0]
    row = rows_of(tmp_path / "out" / "years.csv")[0]
    # 400 + 10 k W on three phases of 25 kVA, the same at all hours.
    assert row["load_p50_percent"] == row["peak_percent"]


# The parts.


def unit(phases=1, homes=3, va=10_000.0):
    share = np.array([[1.0 if k % phases == r else 0.0 for k in range(homes)] for r in range(phases)])
    return Unit("T", np.arange(homes), share, np.full(phases, va), np.arange(phases), phases * va / 1e3)


def needs(base_w, asked_wh, *, obeying=True, homes=3, days=2):
    cars = CarYear(np.full((days, homes), 6), np.full((days, homes), 20), np.full((days, homes), asked_wh), 24)
    base = np.full((24 * days, homes), base_w, dtype=complex)
    obeys = np.full(homes, obeying)
    return Needs(base, cars, np.zeros((24 * days, homes)), obeys, np.ones((24 * days, 1)))


def test_cars_charge_later_within_the_rating_and_get_all_they_asked():
    found = relieve(unit(), needs(500.0, 14_000.0))
    assert (found.cars_w.sum(axis=1) + 1_500.0).max() <= 10_000.0
    assert found.cars_w.sum() == pytest.approx(2 * 3 * 14_000.0)
    assert found.missing_wh.sum() == 0.0
    assert found.shifted_wh > 0.0


def test_what_is_not_served_is_told():
    found = relieve(unit(), needs(3_000.0, 14_000.0))
    assert found.missing_wh.sum() == pytest.approx(2 * (3 * 14_000.0 - 14 * (0.998 * 10_000.0 - 9_000.0)), rel=1e-3)


def test_homes_that_do_not_obey_charge_as_they_like():
    found = relieve(unit(), needs(500.0, 14_000.0, obeying=False))
    assert found.cars_w.max() == 7_000.0
    assert not found.changed.any()


def test_firm_relief_counts_only_on_those_that_obey():
    peak = 3 * 7_000.0
    one = needs(500.0, 14_000.0)
    assert firm_relief_w(unit(), one, np.ones(3)) == pytest.approx(peak)
    assert firm_relief_w(unit(), one, np.zeros(3)) == 0.0
    assert 0.0 <= firm_relief_w(unit(), one, np.full(3, 0.8)) < peak


def test_solar_generation_feeds_no_more_than_the_transformer_takes_back():
    one = needs(500.0, 0.0)
    found = relieve(unit(), Needs(one.base_va, one.cars, np.full((48, 3), 6_000.0), one.obeying, one.factor))
    assert (found.solar_w.sum(axis=1) - 1_500.0).max() <= 10_000.0
    assert found.curtailed_wh == pytest.approx(48 * (18_000.0 - (9_980.0 + 1_500.0)), rel=1e-3)


def test_levels_are_equal_where_the_phase_is_short_and_whole_elsewhere():
    share = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = equal_level(np.array([[7_000.0, 1_000.0, 7_000.0]]), share, np.array([[5_000.0, 9_000.0]]))
    assert found[0] == pytest.approx([4_000.0, 1_000.0, 7_000.0], abs=1.0)


def test_days_from_noon_come_back_in_the_order_of_the_clock():
    series = np.arange(72.0)[:, None]
    assert from_noon(series, 24)[0, 0, 0] == 12.0
    assert (to_midnight(from_noon(series, 24)) == series).all()


def test_cars_arrive_after_three_and_leave_by_eight():
    found = car_year(30, 4, 24, chance=0.5, seed=2)
    asked = found.asked_wh > 0.0
    assert 0.3 < asked.mean() < 0.7
    assert found.arrives.min() >= 3
    assert found.departs.max() <= 20
    assert found.charged().missing_wh.sum() == pytest.approx(0.0, abs=1e-6)


def test_the_longest_run_goes_on_past_the_end():
    assert longest_run(np.array([True, False, True, True])) == 3
    assert longest_run(np.array([False, False])) == 0
    assert longest_run(np.array([True, True])) == 2


def test_the_value_of_a_delay_is_its_formula():
    economics = Economics(10_000.0, 0.08, 0.03, (("B", 5_000.0),))
    assert economics.value("A", 4) == pytest.approx(10_000.0 * (1.0 - (1.03 / 1.08) ** 4))
    assert economics.value("B", 4) == pytest.approx(0.5 * economics.value("A", 4))
    assert economics.value("A", 0) == 0.0
