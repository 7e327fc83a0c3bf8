"""Networks of medium and low voltage: calculated part by part, and verified as one."""

import asyncio
import json
import shutil
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.command_line.study import app as study
from envelope.constraints.without_flow import NoPowerFlow
from envelope.field_rules import BadProblem
from envelope.medium_voltage.divided import calculate_divided, factor_of, verified_factors, verify_divided, whole_of
from envelope.medium_voltage.whole_network import calculate_whole, schedule_of
from envelope.medium_voltage.whole_verification import verify_whole
from envelope.operation.run_store import RunStore
from envelope.operation.verified_run import VerifiedRun
from envelope.problem import FixedPowerFactor, GroupLimit, Problem, Scenarios, divided, plan_file, run_id, steps_from
from envelope.problem.divided import parts_of, reduced_of
from envelope.schedule import read
from envelope.schedule.codes import STATUS
from envelope.schedule.scaling import scaled
from envelope.schedule.table import save
from envelope.study.estimate import as_one, in_parts
from envelope.study.study import Study, problem_of
from gridmodel import estimates, read_feeder
from gridmodel.model.feeder import Feeder
from sep2.store import diagrams
from tests.envelope.cases import START, STEP_S
from tests.envelope.rounds import limits_at
from tests.envelope.test_desk import PATIENCE_S, at_work, is_run
from tests.gridmodel.street import write
from tests.gridmodel.test_size import US, US_TAIL
from tests.gridmodel.town import write_town


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(divided, "MOST_PORTS", 5)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return write_town(tmp_path_factory.mktemp("town"), 3, 2, 4)


def coordinated(feeder: Feeder, **changes):
    whole = whole_of(problem_of(feeder, Study(steps=4, **changes), reduced_of(feeder.network)))
    return whole, calculate_whole(whole)


def moving(problem: Problem) -> Problem:
    """Without devices at every other connection, whose base load is as it is, or 40 kW less."""
    still = np.arange(len(problem.connection_id)) % 2 == 0
    load = np.stack([problem.base_load_w, problem.base_load_w - np.where(still, 40_000.0, 0.0)])[:, :, None]
    flex = (np.where(still, 0.0, problem.flex_gen_w), np.where(still, 0.0, problem.flex_load_w))
    paths = Scenarios(load, np.zeros_like(load))
    return replace(problem, flex_gen_w=flex[0], flex_load_w=flex[1], scenarios=paths)


def test_a_run_divides_a_network_by_itself_and_verifies_it_as_one(town, tmp_path):
    out = tmp_path / "limits.csv"
    run = CliRunner().invoke(app, ["run", str(town), "--steps", "4", "--out", str(out), "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)
    assert found["parts"] == 3
    assert found["verified_worst"]["inside"]
    assert found["verified_worst"]["solver"] == "power-grid-model and, as one, power-grid-model"
    table = pd.read_csv(out)
    names = read_feeder(town).network.connections.id
    assert tuple(dict.fromkeys(table["connection_point"])) == names
    assert table["export_limit_w"].between(0, 5_000).all()
    assert found["findings"][0].startswith("3 parts: 3 feeders in ")


def test_limits_of_one_part_depend_on_what_the_others_may_do(town):
    """Each part as it would be if its head stood still gets more; together that breaks the limits."""
    feeder = read_feeder(town)
    whole, found = coordinated(feeder, export_w=40_000.0, import_w=40_000.0)
    schedule = schedule_of(feeder.network, found)
    report = verify_whole(whole, found)
    assert report.combined.inside, report.combined.sentence()
    # Base load that moves is tried in all parts at once: limits that were found without it do not hold.
    paths = replace(found, problems={name: moving(problem) for name, problem in found.problems.items()})
    moved = verify_whole(whole, paths).joint
    assert "base on each of 2 joint paths" in moved.sentence()
    assert not moved.inside, moved.sentence()
    widths = [float((band.assumed.high_pu - band.assumed.low_pu).max()) for band in found.bands.values()]
    assert min(widths) > 0.001
    # Names of what binds are those of the own part.
    for name, connection in (("t0", 0), ("t2", -1)):
        rows = schedule.export_binding.row[:, connection]
        own = found.schedules[name].names
        assert all(schedule.names[row] in own for row in rows[rows >= 0])
    assert (schedule.export_binding.row >= 0).any(axis=0).all()
    assert np.all(schedule.import_limit_w >= 0)


def test_a_medium_voltage_line_that_all_parts_would_overload_limits_their_sum(tmp_path):
    feeder = read_feeder(write_town(tmp_path, 3, 3, 8, mv_rating_a=9.0))
    free = read_feeder(write_town(tmp_path / "free", 3, 3, 8))
    size = {"export_w": 9_000.0, "import_w": 9_000.0}
    whole, found = coordinated(feeder, **size)
    _, unlimited = coordinated(free, **size)
    assert max(unlimited.loading.values()) * 400.0 / 9.0 > 1.1
    assert max(found.loading.values()) <= 1.0
    report = verify_whole(whole, found)
    assert report.combined.inside, report.combined.sentence()


def widened(found, part: str, by: int):
    """The same with so many W more in the export limits of a part than verify."""
    schedule = found.schedules[part]
    more = {name: getattr(schedule, name) + by for name in ("export_limit_w", "gen_limit_w")}
    return replace(found, schedules={**found.schedules, part: replace(schedule, **more)})


def test_a_part_whose_limits_do_not_verify_keeps_less_of_its_headroom_and_the_others_all(town, tmp_path):
    whole, found = coordinated(read_feeder(town), export_w=40_000.0, import_w=40_000.0)
    wrong = widened(found, "t1", 1_500)
    assert not verify_whole(whole, wrong).combined.inside
    factors, report = verified_factors(whole, wrong)
    assert report.combined.inside, report.combined.sentence()
    assert factors["t1"] < 1.0
    assert (factors["t0"], factors["t2"]) == (1.0, 1.0)
    # The records keep the factor of each connection, so that the published numbers come out again.
    factor = factor_of(whole, factors)
    problem = problem_of(read_feeder(town), Study(steps=4), reduced_of(whole.network))
    store, schedule = RunStore(tmp_path), scaled(schedule_of(whole.network, found), factor)
    store.keep_calculation(VerifiedRun(problem, schedule, report.combined, at=9, factor=factor), str(town), 9)
    assert np.array_equal(store.calculation(schedule.run_id, 9).factor, factor)


def test_parts_that_only_together_do_not_verify_keep_less_of_their_headroom_alike(tmp_path):
    size = {"export_w": 9_000.0, "import_w": 9_000.0}
    _, found = coordinated(read_feeder(write_town(tmp_path / "free", 3, 3, 8)), **size)
    feeder = read_feeder(write_town(tmp_path, 3, 3, 8, mv_rating_a=9.0))
    whole = whole_of(problem_of(feeder, Study(steps=4, **size), reduced_of(feeder.network)))
    first = verify_whole(whole, found)
    assert all(own.inside for own in first.by_part.values())
    assert not first.joint.inside
    factors, report = verified_factors(whole, found)
    assert report.combined.inside, report.combined.sentence()
    assert len(set(factors.values())) == 1
    assert max(factors.values()) < 1.0


def test_a_circuit_is_verified_by_its_own_loads_in_its_own_engine(tmp_path, monkeypatch):
    """Single-phase services, a pad-mounted transformer and a customer at medium voltage."""
    monkeypatch.setattr(divided, "MOST_PORTS", 1)
    path = write(tmp_path, head=US, tail=US_TAIL)
    run = CliRunner().invoke(app, ["run", str(path), "--steps", "2", "--limits", "ansi-c84.1-b", "--json"])
    assert run.exit_code in (0, 3), run.output
    found = json.loads(run.output)
    assert found["parts"] == 3
    assert found["own_file"]["engine"] == "OpenDSS"
    assert found["own_file"]["inside"]
    assert found["own_file"]["states"] >= 2
    assert "base load: the file's own loads, 324 kW in all" in found["assumed"][1]


def test_what_is_for_one_network_is_refused_for_a_divided_one(town, tmp_path):
    run = CliRunner().invoke(app, ["run", str(town), "--steps", "2", "--thermal", "onan-65"])
    assert (run.exit_code, "--thermal: " in run.output) == (2, True)
    assert "low-voltage parts" in run.output
    plan = tmp_path / "plan.npz"
    assert CliRunner().invoke(app, ["run", str(town), "--steps", "2", "--plan", str(plan)]).exit_code == 0
    for command in ("compare", "explain"):
        words = [command, str(plan), *(["h0_0_0"] if command == "explain" else [])]
        refused = CliRunner().invoke(app, words)
        assert refused.exit_code == 2, refused.output
        assert "is calculated in 3 low-voltage parts" in refused.output
    groups = (GroupLimit("across", ("h0_0_0", "h1_0_0"), max_import_w=9.0, max_export_w=9.0),)
    problem = replace(plan_file.load(plan).problem, groups=groups)
    with pytest.raises(BadProblem, match="across: its connections are in several"):
        whole_of(problem)
    with pytest.raises(BadProblem, match="reactive: the network is calculated in 3"):
        whole_of(replace(problem, groups=(), reactive=FixedPowerFactor(0.95)))


def test_a_plan_of_a_divided_network_gives_the_same_run_and_knows_its_past_and_devices(town, tmp_path):
    plan, ledger = tmp_path / "plan.npz", tmp_path / "ledger.csv"
    size = ["--export-kw", "40", "--import-kw", "40"]
    first = CliRunner().invoke(app, ["run", str(town), "--steps", "4", "--plan", str(plan), *size, "--json"])
    assert first.exit_code == 0, first.output
    again = CliRunner().invoke(app, ["run", str(plan), "--json"])
    assert again.exit_code == 0, again.output
    one, other = json.loads(first.output), json.loads(again.output)
    assert (one["run_id"], one["fairness"]) == (other["run_id"], other["fairness"])
    header = "start,end,connection_point,direction,basis,asked_wh,curtailed_wh,run_id"
    names = read_feeder(town).network.connections.id
    lost = {name: 9_000 if name == "h1_0_3" else 0 for name in names}
    spent = (f"1779926400,1780012800,{name},export,planned,9000,{lost[name]},x" for name in names)
    ledger.write_text("\n".join([header, *spent]) + "\n")
    past = CliRunner().invoke(app, ["run", str(plan), "--ledger", str(ledger), "--past", "1", "--json"])
    assert past.exit_code == 0, past.output
    assert json.loads(past.output)["run_id"] != one["run_id"]
    copy = tmp_path / "devices"
    shutil.copytree(town, copy)
    rows = "device_id,connection_id,type,max_gen_w,max_load_w\npv1,h0_0_0,pv,4000,0\nev1,h2_1_3,ev,0,7000\n"
    (copy / "devices.csv").write_text(rows)
    out = tmp_path / "limits.csv"
    by = CliRunner().invoke(app, ["run", str(copy), "--steps", "4", "--devices", "--out", str(out)])
    assert by.exit_code == 0, by.output
    table = pd.read_csv(out)
    most = table.groupby("connection_point")["export_limit_w"].max()
    assert (most["h0_0_0"] > 1_000, most["h1_0_0"]) == (True, 0)


async def test_a_server_publishes_a_divided_network(town, sqlite_url, tmp_path):
    """Every part's limits, with what nobody can limit counted."""

    def write(feeder):
        shutil.copytree(town, feeder, dirs_exist_ok=True)

    homes = list(read_feeder(town).network.connections.id)
    async with at_work(sqlite_url, tmp_path, homes=homes[:-1], write=write, planned=False) as office:
        feeder = read_feeder(office.feeder)
        problem = problem_of(feeder, Study(steps=4, export_w=4_000.0, sun=False), reduced_of(feeder.network))
        problem = replace(problem, step_start=steps_from(START, STEP_S, 4), step_s=STEP_S)
        plan_file.save(office.folder / plan_file.FILE, str(office.feeder), problem)
        run = await office.publishes(is_run)
        assert run != run_id(problem)  # not every connection has a client
        loaded = plan_file.load(office.folder / plan_file.FILE).problem
        assert run_id(loaded) == run_id(problem)
        for name in (homes[0], homes[-2]):
            imported, exported = await limits_at(office.db, name, START)
            assert (imported > 0, exported > 0) == (True, True)
        status = await office.told("status")
        assert (status["in_force"], status["connections"]) == (len(homes) - 1, len(homes) - 1)
        assert {one["code"] for one in status["alarms"]} == {"no_client"}
        # What is expected at each place is shown, of the medium voltage too.
        until = time.monotonic() + PATIENCE_S
        while (shown := await diagram(office)) is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        assert shown.run == run
        again = await asyncio.to_thread(CliRunner().invoke, app, ["replay", run, str(office.folder), "--json"])
        assert again.exit_code == 0, again.output
        assert (json.loads(again.stdout)["same"], json.loads(again.stdout)["numbers"] > 20) == (True, True)
        model = zlib.decompress(shown.model).decode()
        assert all(f'"{name}"' in model for name in ("w0", "t0", "t2", homes[-1]))


async def diagram(office):
    async with office.db.read() as db:
        return await diagrams.one(db, str(office.feeder))


def test_an_estimate_is_said_before_what_takes_long(town):
    network = read_feeder(town).network
    parts = parts_of(network)
    assert as_one(network, 4).warning == ""
    assert in_parts(network, parts, 4).warning == ""
    said = in_parts(network, parts, 4_000_000).warning
    assert said.startswith("This will take about ")
    assert "3 low-voltage parts" in said
    with pytest.raises(BadProblem, match="steps"):
        Study(steps=7)


def test_every_command_that_may_take_long_says_so_first(town, tmp_path, monkeypatch):
    plan = tmp_path / "plan.npz"
    limits = tmp_path / "limits.csv"
    words = ["run", str(town), "--steps", "2", "--plan", str(plan), "--out", str(limits)]
    assert CliRunner().invoke(app, words).exit_code == 0
    monkeypatch.setattr(estimates, "LONG_S", 0.0)
    connect = ["connect", str(town), "--node", "nowhere", "--export", "5kW"]
    for words, command in (
        (["run", str(town), "--steps", "2"], app),
        (["run", str(plan)], app),
        (["verify", str(plan), str(limits)], app),
        (["compare", str(plan)], app),
        (["explain", str(plan), "h0_0_0"], app),
        (connect, study),
    ):
        said = CliRunner().invoke(command, words).output
        assert "This will take about " in said, said
    network = read_feeder(town).network
    assert as_one(network, 4).repeated(3).seconds == 3 * as_one(network, 4).seconds


def test_an_auditor_verifies_limits_of_a_divided_network_by_two_files(town, tmp_path, monkeypatch):
    copy, office = tmp_path / "town", tmp_path / "office"
    shutil.copytree(town, copy)
    office.mkdir()
    words = ["run", str(copy), "--steps", "2", "--import-kw", "40", "--plan", str(office / "plan.npz")]
    done = CliRunner().invoke(app, [*words, "--out", str(office / "limits.csv")])
    assert done.exit_code == 0, done.output
    shutil.rmtree(copy)
    monkeypatch.chdir(office)
    verified = CliRunner().invoke(app, ["verify", "plan.npz", "limits.csv", "--json"])
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.output)["inside"]
    limits = read("limits.csv")
    save(replace(limits, import_limit_w=limits.import_limit_w + 40_000), Path("raised.csv"))
    assert CliRunner().invoke(app, ["verify", "plan.npz", "raised.csv"]).exit_code == 1


def with_a_heavy_interval(town, at, heavy_w):
    """A problem and the same with a base load in interval 2 that nothing can carry, at some connections."""
    feeder = read_feeder(town)
    study = Study(steps=4, export_w=2_000.0, import_w=2_000.0, sun=False)
    right = problem_of(feeder, study, reduced_of(feeder.network))
    load = right.base_load_w.copy()
    load[2, at] = heavy_w
    return right, replace(right, base_load_w=load)


def test_an_interval_in_which_a_part_has_no_power_flow_takes_no_limit_from_others(town):
    right, wrong = with_a_heavy_interval(town, slice(3, 6), 300_000.0)
    run, good = calculate_divided(wrong), calculate_divided(right)
    said = run.schedule.findings[0]
    assert said.startswith("infeasible_base: no power flow in 1 of 4 intervals")
    assert "most of it at h0_0_3 (300.0 kW), h0_1_0 (300.0 kW), h0_1_1 (300.0 kW); check their forecast" in said
    assert (run.schedule.status[2] == STATUS.index("infeasible_base")).all()
    assert (run.schedule.status[[0, 1, 3]] == STATUS.index("ok")).all()
    assert not run.schedule.export_room_w[2].any()
    assert run.schedule.export_limit_w[0].sum() >= 0.95 * good.schedule.export_limit_w[0].sum() > 0
    assert (run.schedule.run_id, run.report.combined.exit_code) == (run_id(wrong), 3)
    assert "no power flow in 1 of 4 intervals" in run.report.combined.sentence()
    again = verify_divided(wrong, run.schedule)
    assert (again.inside, again.without_flow) == (True, run.report.combined.without_flow)


def test_an_interval_in_which_the_medium_voltage_alone_has_no_power_flow_is_named(town, tmp_path):
    weak = tmp_path / "weak"
    shutil.copytree(town, weak)
    (weak / "source.csv").write_text("node,v_pu,short_circuit_mva,x_over_r\nsubstation,1.02,0.6,10\n")
    _, wrong = with_a_heavy_interval(weak, slice(None), 20_000.0)
    run = calculate_divided(wrong)
    assert run.schedule.findings[0].startswith("infeasible_base: no power flow in 1 of 4 intervals")
    assert (run.schedule.status[2] == STATUS.index("infeasible_base")).all()
    assert run.report.combined.inside


def test_where_no_interval_of_a_divided_network_has_a_power_flow_that_is_said(town):
    right, _ = with_a_heavy_interval(town, slice(None), 0.0)
    with pytest.raises(NoPowerFlow, match=r"no power flow in 4 of 4 intervals.*most of it at h0_0_0 \(300.0 kW\)"):
        calculate_divided(replace(right, base_load_w=np.full(right.base_load_w.shape, 300_000.0)))


def with_a_greedy_interval(town, folder):
    """A problem on a weak source, and the same with devices in interval 2 of which it can not carry all at once."""
    shutil.copytree(town, folder)
    (folder / "source.csv").write_text("node,v_pu,short_circuit_mva,x_over_r\nsubstation,1.02,1.5,10\n")
    feeder = read_feeder(folder)
    study = Study(steps=4, export_w=0.0, import_w=2_000.0, sun=False)
    right = problem_of(feeder, study, reduced_of(feeder.network))
    load = right.flex_load_w.copy()
    load[2] = 40_000.0
    return right, replace(right, flex_load_w=load)


def test_capacity_that_the_medium_voltage_has_no_power_flow_for_takes_no_limit_from_other_intervals(town, tmp_path):
    right, wrong = with_a_greedy_interval(town, tmp_path / "weak")
    run, good = calculate_divided(wrong), calculate_divided(right)
    said = run.schedule.findings[0]
    assert said.startswith(
        "medium_voltage_capacity: no power flow of the medium voltage with all that connections could"
    )
    assert "in 1 of 4 intervals (2026-05-29 12:00 UTC): limits grant at most " in said
    # The interval before it is tightened as early as clients need.
    assert np.array_equal(run.schedule.import_limit_w[[0, 3]], good.schedule.import_limit_w[[0, 3]])
    assert good.schedule.import_limit_w[0].min() == 2_500
    assert run.report.combined.inside, run.report.combined.sentence()
    assert verify_divided(wrong, run.schedule).inside
    raised = run.schedule.import_limit_w.copy()
    raised[2] = 40_500
    audit = verify_divided(wrong, replace(run.schedule, import_limit_w=raised))
    assert (audit.inside, audit.exit_code) == (False, 1)
    assert "no power flow of the medium voltage under these limits in 1 of 4 intervals" in audit.sentence()
    assert "In the other intervals: inside the limits" in audit.sentence()


def test_an_interval_whose_devices_nobody_can_limit_is_named_where_they_have_no_power_flow(town, tmp_path):
    _, wrong = with_a_greedy_interval(town, tmp_path / "weak")
    alone = replace(wrong, controls_import=np.zeros(len(wrong.connection_id), dtype=bool))
    run = calculate_divided(alone)
    assert run.schedule.findings[0].startswith("infeasible_firm: no power flow in 1 of 4 intervals")
    assert (run.schedule.status[2] == STATUS.index("infeasible_firm")).all()
