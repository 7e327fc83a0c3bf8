"""A server's folder with a rolling plan of three homes, a month of their meters, and the engine at work in it."""

import asyncio
import atexit
import contextlib
import shutil
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.operation import worker
from envelope.problem import plan_file as plan
from gridmodel import read_feeder
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.cli.app import app as sep2
from sep2.clock import SteppedClock
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.server.app import _kept_up
from sep2.server.workers import Workers
from sep2.settings import read as read_settings
from sep2.store import Database, alarms, connections, controls, marks, open_database
from sep2.store.controls import Control
from tests.demo.conftest import FILES
from tests.envelope.cases import on
from tests.envelope.homes_history import DAY_S, SINCE, STEP_S, homes, put

HOMES = ["H1", "H2", "H3"]
DAYS = 30
NOW = SINCE + DAYS * DAY_S + 7 * 3600
"""Seven in the morning after a month of readings, when those of the day before have arrived."""
PATIENCE_S = 800
THREE = "connection_id,node,phases\nH1,far,a\nH2,far,b\nH3,near,c\n"
ROLLING = plan.Rolling(paths=7)


class Office(NamedTuple):
    folder: Path
    feeder: Path
    db: Database
    clock: SteppedClock
    state: Any

    @property
    def store(self) -> MeasurementStore:
        return MeasurementStore(self.state.settings.measurements.folder)

    async def says(self, *words, **typed):
        verb, *more = words
        return await asyncio.to_thread(CliRunner().invoke, app, [verb, str(self.folder), *more], **typed)

    async def told(self, *words):
        done = await self.says(*words, "--json")
        assert done.exit_code == 0, done.output
        return msgspec.json.decode(done.stdout)

    async def until(self, what, *, why=""):
        """Wait until an async question is answered with something true, and return that."""
        last = time.monotonic() + PATIENCE_S
        while not (found := await what()):
            assert time.monotonic() < last, why
            await asyncio.sleep(0.05)
        return found

    async def run_mark(self):
        async with self.db.read() as db:
            return await marks.value(db, "envelope.run") or ""

    async def move(self, to):
        """The server's time goes on, and what is due at it is done."""
        async with self.db.write() as db:
            await marks.put(db, "clock", str(to))
        self.clock.advance(to)
        while self.state.reached.get(worker.NAME, to) < to:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0.05)

    async def controls_of(self, name) -> list[Control]:
        """The engine's standing controls of a connection, without those that another one has replaced."""
        async with self.db.read() as db:
            group = (await connections.by_name(db, name)).device_group_id
            rows = await controls.standing(db, group, self.clock.now())
        rows = [row for row in rows if row.source == "envelope" and row.successor_created is None]
        return sorted(rows, key=lambda row: row.start)

    async def alarms(self):
        async with self.db.read() as db:
            return {row.code: row.detail for row in await alarms.standing(db)}


def measure(store, days=DAYS, names=HOMES):
    """A month of three homes: the readings of a day arrive six hours after its end."""
    net, _ = homes(days, len(names))
    arrived = [SINCE + (step // 48 + 1) * DAY_S + 6 * 3600 for step in range(days * 48)]
    put(store, Kind.AMI, {(name, "net_w"): net[:, k] for k, name in enumerate(names)}, arrived)
    return net


@cache
def template() -> Path:
    """A server's folder with its keys, database, connections and measurements, and beside it the feeder: made once."""
    home = Path(tempfile.mkdtemp(prefix="rolling-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    feeder, folder = home / "three", home / "utility"
    feeder.mkdir()
    for name, text in (FILES | {"connections.csv": THREE}).items():
        (feeder / name).write_text(text)
    done = CliRunner().invoke(sep2, ["init", str(folder), "--clock", "paced"])
    assert done.exit_code == 0, done.output
    settings = read_settings(folder)
    measure(MeasurementStore(settings.measurements.folder))
    asyncio.run(register(settings.database.url))
    return home


async def register(url):
    """Register the three homes in a database that has its tables."""
    opened = await open_database(url)
    await register_homes(opened, HOMES, NOW)
    await opened.close()


async def register_homes(opened, homes, now):
    """Register an aggregator with a device at each home, and set the server's clock."""
    async with opened.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), now)
        for k, name in enumerate(homes):
            await add_connection(db, NewConnection(name, firm_import_w=3000, firm_export_w=1500), now)
            await add_device(db, NewDevice(f"{k:02}B0" * 10, client, name), now)
        await marks.put(db, "clock", str(now))


@contextlib.asynccontextmanager
async def at_work(tmp_path, *, change=lambda settings: settings, planned=True, clock=None):
    """An office at NOW. change: the settings that the worker is given. clock: another one than a stepped one.

    Work that fails begins anew, as in the server.
    """
    home = await asyncio.to_thread(template)
    await asyncio.to_thread(shutil.copytree, home, tmp_path, dirs_exist_ok=True)
    feeder, folder = tmp_path / "three", tmp_path / "utility"
    settings = change(read_settings(folder))
    if planned:
        save_plan(folder, feeder)
    opened, clock = await open_database(settings.database.url), clock or SteppedClock(NOW)
    state = SimpleNamespace(settings=settings, db=opened, clock=clock, reached={})
    state.workers = Workers(clock, lambda: state.reached)
    task = asyncio.create_task(_kept_up(partial(worker.work, state), state.workers))
    yield Office(folder, feeder, opened, clock, state)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await opened.close()


def save_plan(folder, feeder, rolling=ROLLING, **changes):
    """A plan whose one day lies in the past: it rolls from there."""
    problem = on(read_feeder(feeder).network, steps=48, **changes)
    plan.save(folder / plan.FILE, str(feeder), problem, rolling=rolling, hysteresis_w=100)
    return problem


def gaps(rows, since, until):
    """Times between `since` and `until` at which no control holds, and those at which two do."""
    edges = sorted(
        {since, until, *(t for row in rows for t in (row.start, row.start + row.duration) if since < t < until)}
    )
    counts = [(a, sum(row.start <= a < row.start + row.duration for row in rows)) for a in edges[:-1]]
    return [at for at, n in counts if n == 0], [at for at, n in counts if n > 1]


__all__ = [
    "DAY_S",
    "HOMES",
    "NOW",
    "ROLLING",
    "SINCE",
    "STEP_S",
    "Office",
    "at_work",
    "gaps",
    "measure",
    "put",
    "register",
    "save_plan",
    "template",
]
