"""Schedules become controls: what changed, no more than clients hold, and nothing withdrawn by a failure."""

from dataclasses import replace

import numpy as np
import pytest

from envelope.engine import calculate
from envelope.operation import cycle, lead_time, publication
from envelope.operation import limits_in_force as held
from envelope.operation.publication_terms import PublicationTerms
from envelope.schedule import Ledger
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.rules.binding import of_direction
from sep2.rules.limits import Limits
from sep2.store import alarms, connections, controls, defaults, groups
from tests.envelope.cases import START, STEP_S, street


@pytest.fixture(scope="module")
def problem():
    return street(customers=3, steps=8)


@pytest.fixture(scope="module")
def schedule(problem):
    return calculate(problem)


@pytest.fixture
async def registered(database, problem):
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id):
            await add_connection(db, NewConnection(name), START - 60)
            await add_device(db, NewDevice(f"{k}B" * 20, client, name), START - 60)
    return database


async def standing(database, name, now):
    async with database.read() as db:
        group = await groups.of_connection(db, (await connections.by_name(db, name)).id)
        return await controls.standing(db, group.id, now), await defaults.of_group(db, group.id)


async def test_every_interval_of_a_connection_is_published_over_its_default(registered, schedule):
    async with registered.write() as db:
        done = await publication.publish(db, schedule, START)
    rows, default = await standing(registered, "c2", START)
    column = schedule.connection_id.index("c2")
    assert done.connections == 3
    assert done.missing == ()
    for t in range(schedule.steps):
        at = START + t * STEP_S
        (row,) = [row for row in rows if row.start <= at < row.start + row.duration]
        assert row.import_limit_w == schedule.import_limit_w[t, column]
        assert row.export_limit_w == schedule.export_limit_w[t, column]
    assert default.import_limit_w == schedule.default_import_w[column]
    assert default.export_limit_w == schedule.default_export_w[column]


async def test_each_control_says_what_binds_it_in_each_direction(registered, schedule):
    async with registered.write() as db:
        await publication.publish(db, schedule, START)
    bound = set()
    for column, name in enumerate(schedule.connection_id):
        rows, _ = await standing(registered, name, START)
        assert rows
        for row in rows:
            steps = [t for t in range(schedule.steps) if row.start <= START + t * STEP_S < row.start + row.duration]
            for direction in ("import", "export"):
                side = schedule.side(direction)
                tightest = min(steps, key=lambda t, of=side, at=column: of.limit_w[t, at])
                said = of_direction(row.reason, direction)
                assert said == schedule.binding_text(direction, tightest, column)
                bound.add(said.split(" ")[0])
    assert bound - {"capacity"}, "the network binds nobody: the case proves nothing"


async def test_publishing_the_same_again_issues_nothing(registered, schedule):
    async with registered.write() as db:
        first = await publication.publish(db, schedule, START)
    async with registered.write() as db:
        again = await publication.publish(db, schedule, START + 10)
    assert first.created > 0
    assert (again.created, again.superseded, again.defaults) == (0, 0, 0)


async def test_a_slightly_looser_limit_is_not_worth_a_control(registered, schedule):
    looser = replace(schedule, export_limit_w=schedule.export_limit_w + 40)
    async with registered.write() as db:
        await publication.publish(db, schedule, START)
        calm = await publication.publish(db, looser, START + 10, PublicationTerms(hysteresis_w=50))
        keen = await publication.publish(db, looser, START + 10)
    assert calm.created == 0
    assert keen.created > 0


async def test_connections_that_nobody_registered_are_named(database, schedule):
    async with database.write() as db:
        done = await publication.publish(db, schedule, START)
    assert done.missing == schedule.connection_id


def test_a_long_day_fits_what_a_client_holds_and_is_never_loosened():
    schedule = calculate(street(customers=2, steps=48))
    rng = np.random.default_rng(4)
    noisy = replace(schedule, import_limit_w=rng.integers(0, 9000, (48, 2)), step_start=START + STEP_S * np.arange(48))
    for now in (START, START + 5 * STEP_S + 17):
        found = lead_time.upcoming_intervals(noisy, 0, now, most=24)
        assert len(found) <= 24
        first = (now - START) // STEP_S
        assert found[0].start == START + first * STEP_S
        for t in range(first, 48):
            (held,) = [i for i in found if i.start <= START + t * STEP_S < i.end]
            assert held.limits.import_w <= noisy.import_limit_w[t, 0]
        assert [i.limits.import_w for i in found[:4]] == noisy.import_limit_w[first : first + 4, 0].tolist()


def test_equal_neighbours_are_one_control(schedule):
    flat = replace(schedule, import_limit_w=schedule.import_limit_w * 0 + 7, export_limit_w=schedule.export_limit_w * 0)
    (only,) = lead_time.upcoming_intervals(flat, 0, START)
    assert only.limits == Limits(7, 0)
    assert only.end - only.start == 8 * STEP_S


async def test_a_round_publishes_and_a_failed_one_withdraws_nothing(registered, problem):
    known = {"problem": problem}

    def snapshot(now):
        if known["problem"] is None:
            raise ValueError("the forecast has gone")
        return known["problem"]

    rounds = cycle.Cycle(registered, "street", snapshot)
    good = await rounds.run_once(START)
    assert good.failure == ""
    assert good.report.inside
    before, _ = await standing(registered, "c1", START)
    known["problem"] = None
    bad = await rounds.run_once(START + STEP_S)
    after, _ = await standing(registered, "c1", START)
    assert "the forecast has gone" in bad.failure
    assert [row.id for row in after] == [row.id for row in before]
    async with registered.read() as db:
        (alarm,) = await alarms.standing(db)
    assert (alarm.code, alarm.subject) == ("envelope_failed", "street")


async def test_the_next_good_round_clears_the_alarm(registered, problem):
    async with registered.write() as db:
        await alarms.raise_one(db, "envelope_failed", "street", "x", now=START)
    await cycle.Cycle(registered, "street", lambda _: problem).run_once(START)
    async with registered.read() as db:
        assert await alarms.standing(db) == []


async def test_a_new_forecast_counts_what_clients_still_hold(registered, problem):
    await cycle.Cycle(registered, "street", lambda _: problem).run_once(START)
    other = replace(problem, base_load_w=problem.base_load_w + 50.0)
    later = cycle.Cycle(registered, "street", lambda _: other)
    now = START + 2 * STEP_S
    await later.run_once(now)
    schedule = later.verified.schedule
    async with registered.read() as db:
        imports, _ = await held.in_force(db, problem.connection_id, now)
    assert schedule.step_start[0] == now
    assert np.all(imports > 0)


async def test_a_round_keeps_what_it_curtails(registered, problem, tmp_path):
    path = tmp_path / cycle.LEDGER
    rounds = cycle.Cycle(registered, "street", lambda _: problem, ledger=path)
    await rounds.run_once(START)
    await rounds.run_once(START + STEP_S)
    kept = Ledger.read(path)
    assert len(kept.entries) == 2 * len(problem.connection_id)
    assert {entry.run_id for entry in kept.entries} == {rounds.verified.schedule.run_id}


async def test_a_ledger_that_cannot_be_read_holds_no_limit_back(registered, problem, tmp_path):
    path = tmp_path / cycle.LEDGER
    path.write_text("nothing of use\n")
    done = await cycle.Cycle(registered, "street", lambda _: problem, ledger=path).run_once(START)
    assert (done.failure, done.published.created > 0) == ("", True)
    assert path.read_text() == "nothing of use\n"
