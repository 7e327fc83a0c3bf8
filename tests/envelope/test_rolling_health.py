"""Health of rolling rounds that can not lie, and the ways in which measurements reach them."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from envelope.forecast.forecast_file import load
from envelope.operation import input_ages, measurement_spool, short_term, start
from envelope.operation.load_forecast import Maker
from envelope.operation.run_store import RunStore
from envelope.problem import Scenarios
from gridmodel.meter_data.reading import Window, net_import_w
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.extension import ExtensionError
from sep2.operations.alarms import Wanted, set_alarms
from sep2.operations.plans import look_at_plans, note_plan
from sep2.operations.silent_places import note_silent_places
from sep2.server.plan_watch import PlanWatch
from tests.envelope.cases import START, street
from tests.envelope.homes_history import homes
from tests.envelope.rolling import DAY_S, HOMES, NOW, ROLLING, STEP_S, at_work, put, save_plan, template
from tests.envelope.test_rolling import ended, published, report, round_that


@pytest.fixture
async def office(tmp_path):
    async with at_work(tmp_path) as made:
        yield made


async def test_an_engine_that_stands_still_is_told_by_the_server_hours_before_its_limits_end(office):
    await office.until(lambda: published(office))
    seconds = iter(range(0, 10_000, 61))
    watch = PlanWatch(office.clock, lambda: next(seconds))
    office.clock.now = lambda: NOW + STEP_S + 599  # the worker's own tasks wait: nothing runs at this time
    for _ in range(3):
        await watch.tell(office.db)
    assert await office.alarms() == {}
    office.clock.now = lambda: NOW + STEP_S + 601
    for _ in range(3):
        await watch.tell(office.db)
    assert "the last round ended" in (await office.alarms())["round_late"]
    office.clock.now = lambda: NOW + 19 * 3600
    for _ in range(3):
        await watch.tell(office.db)
    assert {"round_late", "plan_ending"} <= set(await office.alarms()), "five hours ahead"
    async with office.db.write() as db:
        await note_plan(db, str(office.feeder), (NOW, NOW + 3 * DAY_S), NOW + 19 * 3600)
        await look_at_plans(db, NOW + 19 * 3600)
    assert "plan_ending" not in await office.alarms()


async def test_meters_that_fall_silent_are_an_alarm_long_before_the_forecast_ends(office):
    await office.until(lambda: published(office))
    await office.move(NOW + DAY_S)
    assert "measurements_ending" not in await office.alarms(), "the day before is known"
    await office.move(NOW + 2 * DAY_S + STEP_S)
    assert "the last readings of meters are" in (await office.alarms())["measurements_ending"]
    status = await office.told("status")
    assert status["round"]["ended"] == "published", "what is late widens the bands; rounds go on"
    await office.move(NOW + 16 * DAY_S)
    detail = (await office.alarms())["measurements_ending"]
    assert detail.startswith("no forecast: the last values are")
    assert "the plan's own day is repeated" in (await ended(office)).notes[0]
    assert "no forecast" in (await office.says("status")).stdout


async def test_loads_that_change_their_habits_are_an_alarm_until_the_forecast_holds_again(office):
    await office.until(lambda: published(office))
    usual, _ = homes(7, 3)
    for day in range(7):
        begin = NOW - 7 * 3600 + day * DAY_S
        load = usual[day * 48 : day * 48 + 48] if day else np.full((48, 3), 9000.0)
        columns = {(name, "net_w"): load[:, k] for k, name in enumerate(HOMES)}
        put(office.store, Kind.AMI, columns, begin + DAY_S + 6 * 3600, start=begin)
        await office.move(NOW + (day + 1) * DAY_S)
        if day == 0:
            assert "lay in the band" in (await office.alarms())["forecast_drift"]
        elif "forecast_drift" not in await office.alarms():
            break
    assert "forecast_drift" not in await office.alarms()


async def test_a_plan_whose_engine_can_not_be_loaded_fails_at_once_and_names_the_module(tmp_path, monkeypatch):
    (tmp_path / "envelope-plan.npz").write_bytes(b"")
    token = SimpleNamespace(token_file=tmp_path / "operator.token")
    state = SimpleNamespace(settings=SimpleNamespace(operator=token))

    def missing(where):
        raise ExtensionError(f"{where}: No module named 'numpy'")

    monkeypatch.setattr(start, "resolve", missing)
    with pytest.raises(ExtensionError, match="numpy"):
        await start.work(state)


async def test_files_that_are_put_into_the_incoming_folder_are_taken_once_whole_or_refused_with_a_reason(tmp_path):
    async with at_work(tmp_path, planned=False) as office:
        incoming = office.store.folder / "incoming"
        for kind in ("ami", "scada"):
            (incoming / kind).mkdir(parents=True)
        begin = NOW - 7 * 3600
        rows = [f"H1,{_iso(begin + k * STEP_S)},1800,100" for k in range(4)]
        good = incoming / "ami" / "today.csv"
        good.write_text("connection_id,interval_start,duration_s,import_wh\n" + "\n".join(rows) + "\n")
        (incoming / "ami" / "bad.csv").write_text("a,b\n1,2\n")
        (incoming / "scada" / "tags.csv").write_text("tag,element,quantity,unit\nT1,head,v,v\n")
        (incoming / "scada" / "points.csv").write_text(f"tag,at,value\nT1,{_iso(NOW)},6350\n")
        seen = await measurement_spool.look(office.state, incoming, {})
        assert good.exists(), "it may still be written"
        await measurement_spool.look(office.state, incoming, seen)
        assert sorted(path.name for path in (incoming / "done").iterdir()) == ["points.csv", "today.csv"]
        assert (incoming / "refused" / "bad.csv.txt").read_text()
        assert "bad.csv" in (await office.alarms())["measurements_refused"]
        found = net_import_w(office.store, ["H1"], Window(begin, begin + 4 * STEP_S, STEP_S, NOW))
        assert found.value[:, 0].tolist() == [200.0] * 4
        assert (office.store.folder / input_ages.SWITCHED).exists()
        for path in (incoming / "refused").iterdir():
            path.unlink()
        await measurement_spool.look(office.state, incoming, {})
        assert "measurements_refused" not in await office.alarms()


def _iso(at):
    return datetime.fromtimestamp(at, UTC).isoformat()


def base_of(office, run):
    """(K, T, C) W and (K, T) V of the paths that a run was calculated with, from its record."""
    records = RunStore(office.folder / "envelope-records")
    at = max(one.calculated for one in records.publications(run))
    scenarios = records.calculation(run, at).problem.scenarios
    head_v = None if scenarios.source_v is None else np.abs(scenarios.source_v[:, :, 0, 0])
    return scenarios.load_w[:, :, 0], head_v


async def test_what_was_measured_moves_the_next_hours_and_a_late_head_voltage_spreads_its_paths(tmp_path):
    async with at_work(tmp_path, planned=False) as office:
        rng = np.random.default_rng(2)
        # A voltage that wanders through the day, so that a difference from it lasts.
        head = 6350.0 + 20.0 * np.repeat(rng.normal(0.0, 1.0, 30 * 4), 12)
        put(office.store, Kind.SCADA, {("head", "v"): head}, NOW - DAY_S)
        drawn = homes(31, 3)[0]
        # H1 has now and then half a day of much load: what it draws more than expected goes on for hours.
        drawn[:, 0] += 2000.0 * np.repeat(rng.integers(0, 2, 31 * 4), 12)
        known = drawn[: 30 * 48]
        put(office.store, Kind.AMI, {("H1", "net_w"): known[:, 0]}, NOW - 3600)
        save_plan(office.folder, office.feeder)
        made = await round_that(office, lambda made: made.ended == "published")
        assert not any("last hours" in one for one in made.notes)
        for at in (NOW, NOW + 900, NOW + STEP_S):
            report(office, "v", 6420.0, at)
        put(office.store, Kind.AMI, {("H1", "net_w"): [9000.0]}, NOW + STEP_S, start=NOW)
        await office.move(NOW + STEP_S)
        made = await ended(office)
        assert "base load of 1 connections moved by what they drew in the last hours: +" in str(made.notes)
        assert "head voltage moved by what was measured in the last hours: +" in str(made.notes)
        base_w, head_v = base_of(office, made.run)
        forecast = load(office.folder / "envelope-forecast.npz")
        # On a slow machine it may have been made one step earlier: as soon as the reading was there.
        first = forecast.start.tolist().index(NOW + STEP_S)
        moved = (base_w - forecast.path_w[:, first : first + 48]).mean(axis=0)
        assert moved[0, 0] > 500
        assert moved[0, 0] > moved[10, 0], "it wears off"
        assert abs(moved[12:]).max() < 1, "and is over after six hours"
        assert abs(moved[:, 1:]).max() < 1, "of the others nothing is known"
        # No reading since: an hour is more than twice the age that it may have.
        await office.move(NOW + 3 * STEP_S)
        made = await ended(office)
        assert "head voltage is late: its paths are 2 times as wide" in made.notes
        assert np.ptp(base_of(office, made.run)[1][:, 20]) == pytest.approx(2 * np.ptp(head_v[:, 22]), rel=0.01)
        assert "limits only tighten" in (await office.alarms())["inputs_late"]


async def test_connections_that_are_silent_together_have_no_power_and_return_in_stages_with_more_demand(office):
    first = await round_that(office, lambda made: made.ended == "published")
    await office.move(NOW)
    before = {name: await office.controls_of(name) for name in HOMES}
    base_w = base_of(office, first.run)[0]

    async def silence(names):
        wanted = {"agg": Wanted(f"{len(names)} of its 3 devices are silent", members=names)} if names else {}
        async with office.db.write() as db:
            await set_alarms(db, "device_silent", wanted, office.clock.now())
            await note_silent_places(db, names)

    def highest(rows, at):
        return max(row.import_limit_w for row in rows if row.start <= at < row.start + row.duration)

    await silence(HOMES[:2])
    await office.move(NOW + STEP_S)
    assert not any("no power" in note for note in (await ended(office)).notes), "two of three are no place"
    await silence(HOMES)
    for step in (2, 3, 4):
        await office.move(NOW + step * STEP_S)
    made = await ended(office)
    assert any(one.startswith("no power behind ") and "3 of 3" in one for one in made.notes), made.notes
    assert "no power behind" in (await office.says("status")).stdout
    out_w = base_of(office, made.run)[0]
    assert len(out_w) == 2 * len(base_w), "limits hold with the demand of cold loads, and without"
    for step, more in ((0, 1.0), (2, 1.0), (4, np.exp(-1))):
        plain_w = out_w[:7, step]
        assert out_w[7:, step] == pytest.approx(plain_w + more * np.maximum(plain_w, 0.0), abs=1)
    at = NOW + 4 * STEP_S
    for name in HOMES:
        assert highest(await office.controls_of(name), at) <= highest(before[name], at), name
    held = {name: highest(await office.controls_of(name), at) for name in HOMES}
    assert sum(held.values()) < 0.4 * sum(highest(before[name], at) for name in HOMES)
    # They speak again: a stage after another, until nothing is held back.
    await silence([])
    await office.move(NOW + 5 * STEP_S)
    assert any(one.startswith("power is back behind ") for one in (await ended(office)).notes)
    evaluated = {one["connection_id"]: one for one in (await office.told("evaluate"))["connections"]}
    assert all(one["import_then_w"] == one["import_now_w"] for one in evaluated.values()), "the same is shown as holds"
    await office.move(NOW + 6 * STEP_S)
    part = sum([highest(await office.controls_of(name), NOW + 6 * STEP_S) for name in HOMES])
    assert sum(held.values()) < part
    await office.move(NOW + 12 * STEP_S)
    whole = sum([highest(await office.controls_of(name), NOW + 12 * STEP_S) for name in HOMES])
    assert part < whole
    made = await ended(office)
    assert not any("power" in note for note in made.notes)
    assert len(base_of(office, made.run)[0]) == len(base_w)


OWN = """
import json
from pathlib import Path

import numpy as np

from envelope.forecast.joint_paths import Forecast
from envelope.forecast.models import Model


def forecast(history):
    watts = json.loads(Path(__file__).with_name("watts.json").read_text())
    asked = history.question
    start = asked.at + asked.step_s * np.arange(asked.steps)
    paths = np.full((3, asked.steps, len(history.places)), 1.0) * np.array(watts)[:, None, None]
    return Forecast(asked.at, history.places, start, asked.step_s, Model.OWN, paths.mean(axis=0), paths, None)
"""


def install(folder, *, name="utility_forecasts"):
    """A package as an installer leaves it: its module, and what it says of itself in a dist-info folder."""
    (folder / f"{name}.py").write_text(OWN)
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[sep2.forecasts]\nhouse = {name}:forecast\n")


async def test_an_installed_function_makes_the_forecast_and_ours_takes_its_place_when_it_fails(tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    packages.mkdir()
    install(packages)
    monkeypatch.syspath_prepend(str(packages))
    (packages / "watts.json").write_text("[400, 700, 1000]")
    async with at_work(tmp_path) as office:
        made = await round_that(office, lambda made: made.ended == "published")
        assert made.notes[0] == "base load by own, 3 joint paths"
        await office.move(NOW)
        assert base_of(office, made.run)[0][:, :, 1].tolist() == [[400.0] * 48, [700.0] * 48, [1000.0] * 48]
        assert "measurements_ending" not in await office.alarms()
        for watts, why in (("[400, ", "JSONDecodeError"), ("[NaN]", "expected_w: is not finite")):
            (packages / "watts.json").write_text(watts)
            await office.move(office.clock.now() + DAY_S + STEP_S)
            made = await ended(office)
            assert made.ended == "published"
            assert made.notes[0].startswith("base load by learned"), made.notes
            assert made.notes[1].startswith("own forecast house: ")
            assert why in made.notes[1]
            assert "own forecast house" in (await office.alarms())["measurements_ending"]


def test_a_process_that_begins_anew_goes_on_with_the_same_forecast(tmp_path):
    store, span = MeasurementStore(template() / "utility" / "measurements"), (48, STEP_S)
    first = Maker(store, tmp_path / "forecast.npz").paths(HOMES, NOW, span, ROLLING)
    again = Maker(store, tmp_path / "forecast.npz")
    later = again.paths(HOMES, NOW + 2 * STEP_S, span, ROLLING)
    assert later.made.made_at == first.made.made_at == NOW
    assert np.array_equal(later.made.path_w, first.made.path_w)
    assert again.paths(HOMES, NOW + 2 * STEP_S, span, ROLLING) is later
    # Another plan asks for another one.
    assert Maker(store, tmp_path / "forecast.npz").paths(HOMES[:2], NOW, span, ROLLING).made.places == ("H1", "H2")


def test_a_meter_beside_a_device_that_is_newer_than_the_history_tells_no_base_load():
    problem = street(3, 6, seed=1)
    gen_w, load_w = problem.flex_gen_w.copy(), problem.flex_load_w.copy()
    gen_w[:, 0] = load_w[:, 0] = 0.0
    paths = Scenarios(problem.base_load_w[None, :, None], problem.base_load_var[None, :, None])
    stated = replace(problem, flex_gen_w=gen_w, flex_load_w=load_w, scenarios=paths)
    for apart, known in ((True, [True, False, False]), (False, [True] * 3)):
        found = short_term.updated(short_term.Recent(), stated, ((), input_ages.Inputs()), START, apart=apart)
        ((_, expected),) = found.expected
        assert [one is not None for one in expected[:3]] == known
