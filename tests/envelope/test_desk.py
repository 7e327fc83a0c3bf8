"""An operator takes the engine in a server's folder in hand: sees what that does to each connection, and does it."""

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.operation import mode, worker
from envelope.operation.run_record import RUN_MARK
from envelope.problem import plan_file as plan
from gridmodel import read_feeder
from sep2.cli.app import app as sep2
from sep2.clock import SteppedClock
from sep2.rules.cursor import Keyset
from sep2.server.app import State
from sep2.settings import read as read_settings
from sep2.store import Database, connections, controls, listing_watch, marks, open_database
from tests.demo.conftest import FILES
from tests.envelope.cases import START, STEP_S, on
from tests.envelope.rolling import register_homes
from tests.envelope.rounds import limits_at

HOMES = [f"H{k}" for k in range(1, 10)]
PATIENCE_S = 800
RISING = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])[:, None]
"""of what can be reached, so little that only reach limits it"""


class Office(NamedTuple):
    """A server's folder, the feeder of its plan, and the engine at work in it."""

    folder: Path
    feeder: Path
    db: Database
    clock: SteppedClock
    state: State

    @property
    def reached(self):
        return self.state.reached

    async def says(self, *words, **typed):
        """What an `sep2 envelope` command answers."""
        verb, *more = words
        arguments = [verb, str(self.folder), *more]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, **typed)

    async def told(self, *words):
        """The JSON that it answers."""
        done = await self.says(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    async def publishes(self, what):
        """Return once the mark of what is published satisfies `what`."""
        until = time.monotonic() + PATIENCE_S
        while True:
            async with self.db.read() as db:
                run = await marks.value(db, RUN_MARK) or ""
            if what(run):
                return run
            assert time.monotonic() < until, run
            await asyncio.sleep(0.02)

    async def move(self, to):
        """The server's time goes on, and what is due at it is done."""
        async with self.db.write() as db:
            await marks.put(db, "clock", str(to))
        self.clock.advance(to)
        while self.reached.get(worker.NAME, to) < to:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0.02)


@pytest.fixture
async def office(sqlite_url, tmp_path):
    async with at_work(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture
async def office_on_either(database_url, tmp_path):
    async with at_work(database_url, tmp_path) as made:
        yield made


def write_nine(feeder):
    """The files of a feeder of nine homes."""
    for name, text in FILES.items():
        (feeder / name).write_text(text)


@contextlib.asynccontextmanager
async def at_work(database_url, tmp_path, *, planned=True, homes=HOMES, write=write_nine, settings=""):
    feeder, folder = tmp_path / "feeder", tmp_path / "utility"
    feeder.mkdir()
    write(feeder)
    done = await asyncio.to_thread(
        CliRunner().invoke, sep2, ["init", str(folder), "--clock", "paced", "--database", database_url]
    )
    assert done.exit_code == 0, done.output
    with (folder / "sep2.toml").open("a") as file:
        file.write(settings)
    if planned:
        plan.save(folder / plan.FILE, str(feeder), on(read_feeder(feeder).network, steps=6))
    opened, clock = await open_database(database_url), SteppedClock(START)
    await register_homes(opened, homes, START)
    state = State(read_settings(folder), opened, clock)
    task = asyncio.create_task(worker.work(state))
    yield Office(folder, feeder, opened, clock, state)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await opened.close()


def is_run(mark):
    return bool(mark) and not mark.startswith("safe ")


async def test_a_day_at_the_desk(office_on_either):
    office = office_on_either
    await office.publishes(is_run)
    assert "envelopes of run" in (await office.told("status"))["published"]
    first = await limits_at(office.db, "H1", START)

    # Contract: shown, then done, for every connection.
    shown = await office.told("deactivate", "--to", "contract")
    assert shown["changed"] is False
    row = next(one for one in shown["connections"] if one["connection_id"] == "H1")
    assert (row["import_now_w"], row["export_now_w"]) == first
    assert (row["import_then_w"], row["export_then_w"]) == (3000, 1500)
    assert not (office.folder / mode.FILE).exists()
    declined = await office.says("deactivate", "--to", "contract", input="n\n")
    assert (declined.exit_code, (office.folder / mode.FILE).exists()) == (1, False)
    done = await office.says("deactivate", "--to", "contract", input="y\n")
    assert done.exit_code == 0
    assert "H1" in done.stdout
    assert "9 connections: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Envelopes are deactivated")
    await office.publishes(lambda run: run == "safe contract")
    assert await limits_at(office.db, "H9", START) == (3000, 1500)

    # Back: what is shown is what comes.
    shown = await office.told("activate", "--yes")
    assert shown["changed"] is True
    await office.publishes(is_run)
    for one in shown["connections"]:
        assert await limits_at(office.db, one["connection_id"], START) == (one["import_then_w"], one["export_then_w"])

    # Hold: nothing changes, for as long as it reaches.
    shown = await office.told("deactivate", "--to", "hold", "--yes")
    assert all(one["import_now_w"] == one["import_then_w"] for one in shown["connections"])
    again = await office.says("deactivate", "--to", "hold")
    assert again.stdout.splitlines()[-1].endswith("Nothing changes.")
    await office.move(START + STEP_S)
    async with office.db.read() as db:
        noted = await listing_watch.entries(db, Keyset(99))
    decided = [json.loads(row.detail)["mode"] for row in noted.rows if row.verb == "operate_envelope"]
    assert decided == ["hold", "active", "contract"]
    status = await office.told("status")
    assert (status["mode"], status["in_force"], status["connections"], status["alarms"]) == ("hold", 9, 9, [])


async def test_switching_means_safe_limits_within_one_round(office):
    await office.publishes(is_run)
    shown = await office.told("topology", "abnormal", "--reason", "fed from the north", "--yes")
    await office.publishes(lambda run: run == "safe defaults")
    for one in shown["connections"]:
        assert await limits_at(office.db, one["connection_id"], START) == (one["import_then_w"], one["export_then_w"])
    status = await office.told("status")
    assert [alarm["code"] for alarm in status["alarms"]] == ["topology_abnormal"]
    assert "fed from the north" in (await office.says("status")).stdout
    await office.told("safe-limits", "contract", "--yes")
    await office.publishes(lambda run: run == "safe contract")
    await office.told("topology", "normal", "--yes")
    await office.publishes(is_run)
    assert (await office.told("status"))["alarms"] == []


async def test_a_plan_that_can_not_be_read_withdraws_nothing(office):
    await office.publishes(is_run)
    before = await limits_at(office.db, "H1", START)
    good = (office.folder / plan.FILE).read_bytes()
    (office.folder / plan.FILE).write_bytes(b"half a pl")
    await office.move(START + STEP_S - 1)
    await asyncio.sleep(2 * worker.POLL_S)
    assert await limits_at(office.db, "H1", START) == before
    (office.folder / plan.FILE).write_bytes(good)
    await office.move(START + STEP_S)
    async with office.db.read() as db:
        assert is_run(await marks.value(db, RUN_MARK))


async def test_beyond_its_plan_the_engine_waits_for_another_and_goes_on_with_it(office):
    await office.publishes(is_run)
    await office.move(START + 20 * STEP_S)
    assert worker.NAME not in office.reached
    later = on(read_feeder(office.feeder).network, steps=6)
    later = replace(later, step_start=later.step_start + 20 * STEP_S, flex_gen_w=later.flex_gen_w * RISING)
    plan.save(office.folder / plan.FILE, str(office.feeder), later, randomize_relaxing_s=300)
    until = time.monotonic() + PATIENCE_S
    while await limits_at(office.db, "H1", START + 20 * STEP_S) is None:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    # Published as this plan says.
    async with office.db.read() as db:
        group = (await connections.by_name(db, "H1")).device_group_id
        rows = await controls.standing(db, group, START + 20 * STEP_S)
    assert any(row.randomize_start == 300 for row in rows)


async def test_a_plan_that_comes_while_the_server_runs_is_taken_up(sqlite_url, tmp_path):
    async with at_work(sqlite_url, tmp_path, planned=False, homes=HOMES[:-1]) as office:
        said = (await office.says("status")).stdout
        assert "No plan lies in" in said
        assert "sep2 envelope run FEEDER --plan" in said
        assert (await office.told("status"))["plan"] is None
        assert worker.NAME not in office.reached
        plan.save(office.folder / plan.FILE, str(office.feeder), on(read_feeder(office.feeder).network, steps=6))
        await office.publishes(is_run)
        assert await limits_at(office.db, "H1", START) is not None
        told = (await office.told("status"))["plan"]
        assert (told["feeder"], told["from"]) == (str(office.feeder), START)
        assert (told["until"], told["unknown"]) == (START + 6 * STEP_S, ["H9"])
        assert "does not know 1 of the plan's 9 connections (H9)" in (await office.says("status")).stdout


async def test_what_is_no_folder_is_said_in_one_line(tmp_path):
    done = await asyncio.to_thread(CliRunner().invoke, app, ["status", str(tmp_path)])
    assert (done.exit_code, len(done.output.strip().splitlines())) == (2, 1)
    assert "sep2.toml" in done.output
