"""Several feeders on one server: each has its own plan, its own rounds and its own decisions."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.operation.plan_folders import mark_of
from envelope.operation.run_record import RUN_MARK
from envelope.problem import plan_file as plan
from gridmodel import read_feeder
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.plans import latest_round, planned_until
from sep2.store import alarms, connections, controls, marks
from tests.demo.conftest import FILES
from tests.envelope import rolling
from tests.envelope.cases import START, STEP_S, on
from tests.envelope.test_desk import HOMES, at_work, is_run

NORTH = [f"N{k}" for k in range(1, 4)]
THREE = "connection_id,node,phases\nN1,far,a\nN2,far,b\nN3,near,c\n"


@pytest.fixture
async def office(database_url, tmp_path):
    async with at_work(database_url, tmp_path) as made:
        await register_north(made.db, START)
        yield made


async def register_north(database, now):
    async with database.write() as db:
        client = await register_client(db, NewClient("north", "CE" * 20, "aggregator"), now)
        for k, name in enumerate(NORTH):
            await add_connection(db, NewConnection(name, firm_import_w=3000, firm_export_w=1500), now)
            await add_device(db, NewDevice(f"{k:02}D0" * 10, client, name), now)


def feeder_north(folder, names=THREE):
    """The files of a second feeder of three homes."""
    folder.mkdir(exist_ok=True)
    for name, text in (FILES | {"connections.csv": names}).items():
        (folder / name).write_text(text)
    return folder


def plan_north(office, feeder, *, steps=6, rolling=None):
    folder = office.folder / "feeders" / "north"
    folder.mkdir(parents=True, exist_ok=True)
    plan.save(folder / plan.FILE, str(feeder), on(read_feeder(feeder).network, steps=steps), rolling=rolling)
    return folder


async def run_of(office, name, what=is_run):
    for _ in range(40_000):
        async with office.db.read() as db:
            run = await marks.value(db, mark_of(RUN_MARK, name)) or ""
        if what(run):
            return run
        await asyncio.sleep(0.02)
    raise AssertionError(run)


async def limits(office, names):
    found = {}
    async with office.db.read() as db:
        for name in names:
            group = (await connections.by_name(db, name)).device_group_id
            rows = await controls.standing(db, group, office.clock.now())
            found[name] = sorted((one.mrid, one.import_limit_w) for one in rows if one.successor_created is None)
    return found


async def told(folder, verb, *words):
    done = await asyncio.to_thread(CliRunner().invoke, app, [verb, str(folder), *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def alarms_of(office):
    async with office.db.read() as db:
        return {(one.code, one.subject): one.detail for one in await alarms.standing(db)}


async def failed(office, subject):
    """What the alarm about a failed round of this feeder says, once it stands."""
    for _ in range(40_000):
        if detail := (await alarms_of(office)).get(("envelope_failed", subject)):
            return detail
        await asyncio.sleep(0.02)
    raise AssertionError(subject)


async def test_two_feeders_have_each_their_own_plan_and_what_is_done_to_one_leaves_the_other(office, tmp_path):
    await office.publishes(is_run)
    own = await limits(office, HOMES)
    feeder = feeder_north(tmp_path / "north")
    folder = plan_north(office, feeder)
    first = await run_of(office, "north")
    assert await limits(office, HOMES) == own
    assert all((await limits(office, NORTH)).values())
    async with office.db.read() as db:
        ends = {
            path: end
            for path in (office.feeder, feeder)
            for name, end in (await planned_until(db)).items()
            if str(path).endswith(name)
        }
    assert ends == dict.fromkeys((office.feeder, feeder), START + 6 * STEP_S)
    # What a person decides about one of them is about that one.
    assert (await told(folder, "status"))["in_force"] == len(NORTH)
    status = await told(office.folder, "status")
    assert status["in_force"] == len(HOMES)
    assert list(status["feeders"]) == ["north"]
    await told(folder, "deactivate", "--to", "contract", "--yes")
    await run_of(office, "north", lambda run: run == "safe contract")
    assert {watts for rows in (await limits(office, NORTH)).values() for _, watts in rows} == {3000}
    assert await limits(office, HOMES) == own
    assert (await told(office.folder, "status"))["mode"] == "active"
    await told(folder, "activate", "--yes")
    assert is_run(await run_of(office, "north"))
    assert first
    # A plan that can not be read stops rounds there, and nowhere else.
    (folder / plan.FILE).write_bytes(b"no plan")
    await failed(office, str(feeder))
    await office.move(START + STEP_S)
    assert {subject for code, subject in await alarms_of(office) if code == "envelope_failed"} == {str(feeder)}
    assert all((await limits(office, HOMES)).values())


async def test_safe_limits_of_a_feeder_whose_plan_is_lost_are_not_those_of_the_others(office, tmp_path):
    await office.publishes(is_run)
    own = await limits(office, HOMES)
    folder = plan_north(office, feeder_north(tmp_path / "north"))
    await run_of(office, "north")
    (folder / plan.FILE).write_bytes(b"no plan")
    (folder / "envelope-model.json").unlink(missing_ok=True)
    changes = (await told(folder, "deactivate", "--to", "contract", "--yes"))["connections"]
    assert {one["connection_id"] for one in changes} <= set(NORTH)
    await run_of(office, "north", lambda run: run == "safe contract")
    assert await limits(office, HOMES) == own


async def test_a_connection_has_one_plan_and_the_later_one_is_refused(office, tmp_path):
    await office.publishes(is_run)
    feeder = feeder_north(tmp_path / "north", THREE.replace("N1", "H1"))
    plan_north(office, feeder)
    own = await limits(office, HOMES)
    assert "H1 is in the server's own plan too" in await failed(office, str(feeder))
    assert await limits(office, HOMES) == own
    assert not any((await limits(office, NORTH[1:])).values())


async def test_two_plans_roll_side_by_side_without_a_gap(tmp_path):
    async with rolling.at_work(tmp_path) as office:
        await register_north(office.db, rolling.NOW)
        rolling.measure(office.store, names=NORTH)
        feeder = feeder_north(tmp_path / "north")
        plan_north(office, feeder, steps=48, rolling=rolling.ROLLING)
        await run_of(office, "")
        await run_of(office, "north")
        for step in (1, 2):
            now = rolling.NOW + step * rolling.STEP_S
            await office.move(now)
            while office.state.reached.get("envelope north", now) < now:  # noqa: ASYNC110 - a worker tells nobody
                await asyncio.sleep(0.05)
            for name in (*rolling.HOMES, *NORTH):
                rows = await office.controls_of(name)
                assert rolling.gaps(rows, now, now + rolling.DAY_S) == ([], []), (step, name)
        async with office.db.read() as db:
            ended = [await latest_round(db, str(one)) for one in (office.feeder, feeder)]
        assert [(one.at, one.ended, one.rolls) for one in ended] == [(now, "published", True)] * 2
