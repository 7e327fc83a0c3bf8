"""What operators see of a run: the feeder's state at each step, and what binds each connection's limit."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import calculate, verify
from envelope.operation.expected_state import state_of_run
from envelope.operation.verified_run import VerifiedRun
from envelope.schedule import verified_box
from gridmodel import port_va
from gridmodel.flow import power_flow as flow
from gridmodel.model.devices import CHARGER
from gridmodel.one_line import one_line
from sep2.operations import diagrams
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.store import connections
from sep2.store import diagrams as stored
from tests.envelope.cases import START, STEP_S, street
from tests.envelope.rounds import Told
from tests.envelope.test_scenarios import moving_street


@pytest.fixture(scope="module")
def problem():
    return street(customers=3, steps=8)


@pytest.fixture
async def shown(database, problem):
    """The row of the feeder after a round, the outcome, and the database."""
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id):
            await add_connection(db, NewConnection(name), START - 60)
            await add_device(db, NewDevice(f"{k}B" * 20, client, name), START - 60)
    outcome = await Told(problem).cycle(database).run_once(START)
    assert not outcome.failure
    async with database.read() as db:
        return await stored.one(db, "street"), outcome, database


def states(problem, schedule, step):
    """Each customer's voltages, per unit, and each branch's loading, by the power flow itself: one row per case."""
    base = -problem.base_load_w[step]
    imports, export = (side[step] for side in verified_box(problem, schedule))
    reduced = problem.reduced
    reactive = -problem.base_load_var[step]
    s_va = np.stack([port_va(reduced.network, (p + 1j * reactive)[None])[0] for p in (base, export, imports)])
    found = flow.solve(reduced, s_va, problem.source_v)
    volts = flow.voltages(reduced, found) / reduced.node_nominal_v
    amps = np.abs(flow.current_phasors(reduced, found)) / reduced.rating_a
    return volts[:, reduced.voltages_at_connections()], amps


async def test_the_worst_of_each_step_is_that_of_the_power_flow(shown, problem):
    row, outcome, _ = shown
    model = diagrams.model_of(row)
    course = diagrams.course_of(row, model)
    assert len(course) == problem.steps
    for step in range(problem.steps):
        volts, amps = states(problem, outcome.schedule, step)
        assert course[step].high == pytest.approx(volts.max(), abs=2e-4)
        assert course[step].low == pytest.approx(volts.min(), abs=2e-4)
        assert course[step].loading == pytest.approx(amps.max(), abs=2e-3)
    most = max(course, key=lambda point: point.loading)
    assert (row.loading, row.loading_at) == (most.loading, most.start)
    assert row.run == outcome.schedule.run_id
    assert row.report == outcome.report.sentence()


def test_on_joint_paths_the_drawing_shows_what_the_limits_were_verified_for():
    """Nothing beyond the limits, where the base load's own figures, which no path has, would be far beyond them."""
    problem = moving_street()
    schedule = calculate(problem)
    drawn = state_of_run("street", VerifiedRun(problem, schedule, verify(problem, schedule)))
    alone = state_of_run("street", VerifiedRun(replace(problem, scenarios=None), schedule, verify(problem, schedule)))
    high = max(max(step) for step in drawn.high) / diagrams.VOLTAGE_PARTS
    assert diagrams.worst_loading(drawn).value <= 1.0
    assert high <= max(node.high_limit for node in drawn.model.nodes) + 1e-3
    assert drawn.low != alone.low, "the paths are another case than the base load"


def test_a_chargers_limit_comes_on_top_of_the_demand_that_the_path_has_and_not_of_the_most_that_it_may_be():
    problem = moving_street()
    points = (CHARGER,) * len(problem.connection_id)
    problem = replace(problem, control_point=points, flex_gen_w=np.zeros_like(problem.flex_gen_w))
    schedule = calculate(problem)
    report = verify(problem, schedule)
    drawn = state_of_run("street", VerifiedRun(problem, schedule, report))
    assert report.inside
    assert report.under_v > -0.1, "the lowest voltage is what binds"
    homes = [k for k, node in enumerate(drawn.model.nodes) if node.connections]
    lowest = min(step[k] for step in drawn.low for k in homes) / diagrams.VOLTAGE_PARTS
    assert lowest >= drawn.model.nodes[homes[0]].low_limit


async def test_a_run_that_begins_within_its_horizon_is_shown_too(shown, problem):
    _, before, database = shown
    later = replace(problem, base_load_w=problem.base_load_w + 10.0)
    outcome = await Told(later).cycle(database).run_once(START + 2 * STEP_S)
    assert (outcome.failure, outcome.schedule.steps) == ("", 6)
    async with database.read() as db:
        row = await stored.one(db, "street")
    assert (row.run, row.start) == (outcome.schedule.run_id, START + 2 * STEP_S)
    assert row.run != before.schedule.run_id


async def test_every_connection_is_drawn_once_and_knows_what_binds_it(shown, problem):
    row, outcome, database = shown
    model = diagrams.model_of(row)
    drawn = [name for node in model.nodes for name in node.connections]
    assert sorted(drawn) == sorted(problem.connection_id)
    assert len(model.branches) == len(model.nodes) - 1
    side = outcome.schedule.side("export")
    async with database.read() as db:
        for column, name in enumerate(problem.connection_id):
            run, reaches = await diagrams.reaches_of(db, (await connections.by_name(db, name)).id)
            assert run == row.run
            first = next(one for one in reaches if one.direction == "export")
            assert first.start == START
            assert first.reach_w == round(side.capacity_w[0, column])
            at = side.binding.row[0, column]
            assert first.binding == (outcome.schedule.names[at] if at >= 0 else "")


def test_a_feeder_is_drawn_without_the_nodes_that_nobody_asks_about(problem):
    network = problem.reduced.network
    drawn = one_line(network)
    assert set(network.connections.node.tolist()) <= set(drawn.node.tolist())
    joined = [branch for parts in drawn.parts for branch in parts]
    assert len(joined) == len(set(joined))
    assert len({tuple(place) for place in drawn.place.tolist()}) == len(drawn.node)
