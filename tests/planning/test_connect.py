"""`sep2 study connect`: limits of a plant that hold, tables, settings, queue, and what is refused."""

import json
import re

import numpy as np
import pytest

from envelope.planning.hosting import Hosting
from envelope.planning.limit_tables import curtailed_of, tables_of
from envelope.planning.plant import Direction, Plant, with_plants
from envelope.planning.year import Year, year_of
from envelope.problem import OperatingLimits
from gridmodel import read_feeder, reduce
from gridmodel.solvers.opendss import circuit_of
from tests.planning.conftest import answer, ran
from tests.planning.lanes import rows_of, write_lane

PLANT = ("--node", "n5", "--export", "60kW")


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    """The lane behind a transformer that is large enough for its cable."""
    return write_lane(tmp_path_factory.mktemp("connect") / "lane", kva=100.0)


@pytest.fixture(scope="module")
def studied(lane, tmp_path_factory):
    """A year of the lane's three days, with a plant at its end."""
    out = tmp_path_factory.mktemp("connect") / "out"
    return answer("connect", lane, *PLANT, "--out", out), out


def test_all_kinds_of_limits_are_written_and_hold(studied):
    found, out = studied
    sizes = {"8760": 8760, "576": 576, "288": 288, "24": 24}
    rows = {name: rows_of(out / f"limits_{name}.csv") for name in sizes}
    assert {name: len(one) for name, one in rows.items()} == sizes
    assert all(kind["broken_steps"] == 0 for kind in found["limits"].values())
    hourly = np.array([float(row["limit_w"]) for row in rows["8760"]]).reshape(365, 24)
    by_hour = np.array([float(row["limit_w"]) for row in rows["24"]])
    assert (by_hour == hourly.min(axis=0)).all()
    january = [float(row["limit_w"]) for row in rows["288"] if row["month"] == "1"]
    # The first two of the days studied are in January.
    assert january == np.concatenate([hourly[:2], hourly[336:]]).min(axis=0).tolist()
    assert found["fail_safe_w"] == hourly.min()
    assert (hourly % 1000 == 0).all()
    assert rows["8760"][0]["hour_start"] == "2026-01-30T00:00"


def test_capacity_is_firm_then_flexible_and_names_what_binds(studied):
    capacity = studied[0]["capacity"]
    assert 0.0 < capacity["any_hour_w"] <= capacity["firm_w"] < capacity["flexible_w"] < 60_000.0
    assert re.match(r"node n\d, phase [abc]|line L\d, phase [abc]|transformer TX", capacity["binding"])
    assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d", capacity["when"])


def test_coarser_limits_curtail_more(studied):
    taken = [kind["p50_kwh"] for kind in studied[0]["limits"].values()]
    assert taken == sorted(taken)
    assert taken[0] > 0.0
    for kind in studied[0]["limits"].values():
        assert kind["p10_kwh"] <= kind["p50_kwh"] <= kind["p90_kwh"]


def test_the_setting_recommended_curtails_least_and_can_be_sent(studied):
    found, out = studied
    by_name = {one["setting"]: one for one in found["settings"]}
    best = by_name[found["recommended"]]
    assert best["curtailed_kwh"] == min(one["curtailed_kwh"] for one in found["settings"])
    assert best["curtailed_kwh"] < by_name["power factor 1"]["curtailed_kwh"]
    assert all(one["verified"] for one in found["settings"])
    assert found["send"][-1].startswith("sep2 default set --connection plant ")
    assert (out / "send.sh").read_text().startswith("#!/bin/sh\nset -eu\n")


def test_a_reinforcement_buys_capacity(studied):
    found = {one["what"].split(",")[0]: one for one in studied[0]["reinforcements"]}
    assert set(found) == {"a second cable beside 5 lines", "transformer TX: 160 kVA"}
    assert max(one["firm_w"] for one in found.values()) > studied[0]["capacity"]["firm_w"]


def test_the_report_says_what_was_not_studied(studied):
    text = (studied[1] / "report.html").read_text()
    for said in (
        "Flicker",
        "Protection",
        "Islanding",
        "Fault current",
        "Fail-safe value",
        "Limited Generation Profile",
    ):
        assert said in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)


def hosting_of(lane, direction=Direction.EXPORT, **changes):
    feeder = read_feeder(lane)
    year = year_of(feeder, 3)
    limits = OperatingLimits.of("as-61000.3.100")
    plant = Plant("plant", "n5", 40_000.0)
    return Hosting(feeder.network, year, plant, direction, limits, np.ones(72), **changes)


@pytest.mark.parametrize("direction", list(Direction))
def test_opendss_finds_each_limit_inside_and_a_little_more_outside(lane, direction):
    hosting = hosting_of(lane, direction)
    every = np.arange(72)
    limit_w, _ = hosting.most(every, np.full(72, 160_000.0))
    reduced = reduce(with_plants(hosting.network, (hosting.plant,)))
    circuit = circuit_of(reduced)
    sample = [0, 12, 19, 36, 60]
    share = np.array([c == 5 for c in reduced.network.connections.port_connection]) / 3.0
    for factor, within in ((1.0, True), (1.02, False)):
        own = direction.sign * factor * limit_w[sample, None] * share
        base = np.zeros((len(sample), reduced.ports), dtype=complex)
        base[:, :5] = -(hosting.year.load_w + 1j * hosting.year.load_var)[sample]
        found = circuit.magnitudes(base + own)
        at = reduced.voltages_at_connections()
        volts = found.v_v[:, at]
        inside = ((volts > 216.0) & (volts < 253.0)).all(axis=1) & (found.i_a < reduced.rating_a).all(axis=1)
        assert (inside == within).all()


def test_those_ahead_come_first_or_all_are_limited_alike(lane, tmp_path):
    (tmp_path / "queue.csv").write_text("name,node,export_w\nolder,n4,20000\n")
    common = (*PLANT, "--days", 3, "--quick", "--out", tmp_path / "out")
    alone = answer("connect", lane, *common)
    last = answer("connect", lane, *common, "--queue", tmp_path / "queue.csv")
    alike = answer("connect", lane, *common, "--queue", tmp_path / "queue.csv", "--pro-rata")
    firm = [one["capacity"]["firm_w"] for one in (last, alike, alone)]
    assert firm == sorted(firm)
    assert firm[0] < firm[1] < firm[2]
    assert all(kind["broken_steps"] == 0 for one in (last, alike) for kind in one["limits"].values())


def test_load_is_limited_too_and_at_medium_voltage(lane, tmp_path):
    load = answer("connect", lane, "--node", "n5", "--import", "60kW", "--days", 3, "--quick", "--out", tmp_path)
    assert 0.0 < load["capacity"]["firm_w"] < 60_000.0
    medium = answer("connect", lane, "--node", "mv", "--export", "2MW", "--days", 3, "--quick", "--out", tmp_path)
    assert medium["capacity"]["firm_w"] > load["capacity"]["firm_w"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--node", "n9", "--export", "5kW"), "has no node 'n9'"),
        (("--node", "n5"), "--export or --import: give one of them"),
        (("--node", "n5", "--export", "5kW", "--import", "5kW"), "give one of them"),
        (("--node", "n5", "--export", "5 horses"), "is no power such as 500kW"),
        (("--node", "n5", "--export", "0kW"), "is outside 0 to 1000 MW"),
        (("--node", "n5", "--export", "5kW", "--phases", "x"), "phase 'x' is none of"),
        (("--node", "n5", "--export", "5kW", "--name", "h1"), "'h1' is a connection of lane already"),
        (("--node", "n5", "--export", "5kW", "--resource", "wind"), "neither solar nor constant"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(lane, tmp_path, words, said):
    done = ran("connect", lane, *words, "--days", 1, "--quick", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 2, done.output
    assert said in json.loads(done.stdout)["error"]["detail"]


def test_tables_take_the_least_of_each_hours_steps_rounded_down():
    load = np.ones((96, 1))
    load[48:] = 2.0
    year = Year(np.datetime64("2026-02-27").item(), 1800, load, load, np.ones(96), None)
    limit = np.arange(96.0) * 1000.0 + 700.0
    tables = tables_of(year, limit, 1000.0)
    assert tables.hourly_w.tolist() == [2000.0 * k for k in range(48)]
    assert tables.minimum_day_w[1].tolist() == tables.hourly_w[:24].tolist()
    assert tables.peak_day_w[1].tolist() == tables.hourly_w[24:].tolist()
    assert np.isnan(tables.by_month_w[2]).all()


def test_curtailed_years_are_drawn_from_the_days_of_each_month():
    load = np.ones((48, 1))
    year = Year(np.datetime64("2026-01-31").item(), 3600, load, load, np.ones(48), None)
    taken = np.concatenate([np.full(24, 1_000.0), np.zeros(24)])
    found = curtailed_of(year, np.full(48, 2_000.0), taken)
    # January loses 24 kWh a day, February nothing, months that were not studied half of the days.
    assert 31 * 24.0 < found.p10_kwh < found.p50_kwh < found.p90_kwh < (31 + 306) * 24.0
    assert found.p50_kwh == pytest.approx((31 + 0.5 * 306) * 24.0, rel=0.05)
    assert found.longest_h == 24.0
