"""What fails while rounds roll: limits that hold are never withdrawn, the reason is seen, and rounds go on."""

import asyncio
import sqlite3
from types import SimpleNamespace

import asyncpg
import msgspec
import pytest

from sep2.operations.plans import look_at_plans, planned_until
from sep2.rules.events import held
from sep2.store import connections, controls, migrate
from tests import postgres
from tests.envelope.rolling import DAY_S, HOMES, NOW, STEP_S, at_work, gaps, register
from tests.envelope.test_rolling import ended, published, round_that
from tests.machine import Machine

HOUR = 3600


@pytest.fixture
async def office(tmp_path):
    async with at_work(tmp_path) as made:
        await made.until(lambda: published(made))
        await made.move(NOW)
        yield made


async def assert_whole(office, now, until):
    """Every home is held by exactly one of the engine's controls at every time, as its client is told."""
    for name in HOMES:
        async with office.db.read() as db:
            group = (await connections.by_name(db, name)).device_group_id
            rows = [row for row in await controls.not_over(db, group, now) if row.source == "envelope"]
        spans = [span for row in rows if (span := held(row, row.latest_end, superseded_at_once=True))]
        found = gaps([SimpleNamespace(start=start, duration=end - start) for start, end in spans], now, until)
        assert found == ([], []), (name, now - NOW)


async def limits(office):
    rows = {name: await office.controls_of(name) for name in HOMES}
    return {name: [(row.mrid, row.start, row.duration, row.import_limit_w) for row in of] for name, of in rows.items()}


async def test_limits_stand_while_the_database_takes_nothing_and_rounds_go_on_when_it_does(office, caplog):
    before = await limits(office)
    office.db.patience_s = 0.05
    file = office.state.settings.database.url.removeprefix("sqlite:///")
    other = sqlite3.connect(file, isolation_level=None, timeout=60, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    office.clock.advance(NOW + 2 * STEP_S)

    async def failed():
        return caplog.text.count("background work waits")

    await office.until(failed, why="the round is tried, and nobody can note it")
    assert await limits(office) == {
        name: [one for one in of if one[1] + one[2] > NOW + 2 * STEP_S] for name, of in before.items()
    }, "nothing is withdrawn"
    await assert_whole(office, NOW + 2 * STEP_S, NOW + DAY_S)
    # That no round ends is told as soon as anything can be written: a day before the limits end.
    other.execute("COMMIT")
    other.close()
    office.db.patience_s = 60.0
    made = await round_that(office, lambda made: made.at == NOW + 2 * STEP_S and made.ended == "published")
    assert not made.why
    await assert_whole(office, NOW + 2 * STEP_S, NOW + 2 * STEP_S + DAY_S)
    assert "engine_absent" not in await office.alarms()


@pytest.fixture
async def postgres_folder_of_its_own():
    """A PostgreSQL that may be stopped, with an empty database, and in it the three homes."""
    try:
        postgres.programs()
    except postgres.NoPostgres as missing:
        pytest.skip(str(missing))
    with postgres.running(restarts=True) as folder:
        connection = await asyncpg.connect(postgres.address(folder, "postgres"))
        await connection.execute("CREATE DATABASE utility")
        await connection.close()
        url = postgres.address(folder, "utility")
        await migrate(url)
        await register(url)
        yield folder


async def test_limits_stand_while_postgresql_is_stopped_and_rounds_go_on_once_it_is_started(
    postgres_folder_of_its_own, tmp_path, caplog
):
    folder = postgres_folder_of_its_own

    def on_postgres(settings):
        database = msgspec.structs.replace(settings.database, url=postgres.address(folder, "utility"))
        return msgspec.structs.replace(settings, database=database)

    async with at_work(tmp_path, change=on_postgres) as office:
        await office.until(lambda: published(office))
        await office.move(NOW)
        before = await limits(office)
        now = NOW + 2 * STEP_S
        await asyncio.to_thread(postgres.stop, folder)
        office.clock.advance(now)

        async def waits():
            return "background work waits: " in caplog.text

        await office.until(waits, why="the round is tried, and the reason is told")
        await asyncio.to_thread(postgres.start, folder)
        made = await round_that(office, lambda made: made.at == now and made.ended == "published")
        assert not made.why
        await assert_whole(office, now, now + DAY_S)
        after = await limits(office)
        for name, rows in before.items():
            kept = {mrid for mrid, *_ in rows} & {mrid for mrid, *_ in after[name]}
            assert kept, "what had not changed was not published anew"
        assert not {"engine_absent", "envelope_failed"} & set(await office.alarms())


async def test_limits_stand_and_go_on_when_the_machines_clock_is_set_forwards_and_back(tmp_path):
    machine = Machine(NOW)
    async with at_work(tmp_path, clock=machine.clock()) as office:
        await office.until(lambda: published(office))
        for by_s in (5 * HOUR, -2 * HOUR):
            machine.set(by_s)
            told = office.clock.now()
            assert abs(told - machine.wall) > HOUR, "a jump is not believed at once"
            await assert_whole(office, told, told + DAY_S - 6 * HOUR)
            await machine.live(200)
            assert abs(office.clock.now() - machine.wall) <= 1, "what has held is"

            async def caught_up():
                made, now = await ended(office), office.clock.now()
                return made.ended == "published" and now - STEP_S < made.at <= now

            await office.until(caught_up)
            now = office.clock.now()
            await assert_whole(office, now, now + DAY_S - STEP_S)
        assert not {"envelope_failed", "engine_absent"} & set(await office.alarms())


async def test_limits_stand_while_feeder_or_plan_can_not_be_read_and_it_is_said_hours_before_they_end(office):
    # The feeder's files are broken: the model in use stays, and rounds go on with it.
    lines = office.feeder / "lines.csv"
    good = lines.read_text()
    lines.write_text("line_id,from_node\nL1,nowhere\n")
    await office.move(NOW + STEP_S)
    assert (await ended(office)).ended == "published"
    assert "lines.csv" in (await office.alarms())["feeder_extract"]
    await assert_whole(office, NOW + STEP_S, NOW + STEP_S + DAY_S)
    lines.write_text(good)
    # The plan is broken: no round, and what is published stands until its end.
    plan = office.folder / "envelope-plan.npz"
    kept = plan.read_bytes()
    plan.write_bytes(b"not a plan")
    now = NOW + STEP_S + 300
    await office.until(lambda: failed(office))
    before = await limits(office)
    office.clock.advance(now)
    await office.until(lambda: failed(office))
    assert await limits(office) == before
    await assert_whole(office, now, NOW + STEP_S + DAY_S)
    async with office.db.write() as db:
        assert list((await planned_until(db)).values()) == [NOW + STEP_S + DAY_S]
        await look_at_plans(db, NOW + STEP_S + 18 * HOUR)
    assert "plan_ending" in await office.alarms(), "six hours before the limits end"
    plan.write_bytes(kept)
    await round_that(office, lambda made: made.ended == "published" and made.at == now)
    async with office.db.write() as db:
        await look_at_plans(db, now)
    assert not {"envelope_failed", "plan_ending", "feeder_extract"} & set(await office.alarms())
    await assert_whole(office, now, NOW + STEP_S + DAY_S)


async def failed(office):
    return (await ended(office)).ended == "failed" and "envelope-plan.npz" in (await office.alarms())["envelope_failed"]
