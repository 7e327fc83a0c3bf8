"""Whatever operators and the engine do one after another, four readings of what holds are equal at every second."""

import asyncio
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sep2.operations import backstops
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import ControlOver, NewControl, cancel_control, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.operations.overrides import NewOverride, OverrideLoosens, OverrideOver, Terms, send
from sep2.operations.releasing import release
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, groups, open_database
from tests.operations.clients import Forgetful, Plain, Scheduled, operators_view, polled

NOW, LONG = 1_700_000_000, 60
ROLES = ("override", "wide-override", "schedule", "connection")
WHERE = ("feeder", "twin", "schedule", "override", "wide-override")

limits = st.sampled_from(
    [
        Limits(export_w=watts, import_w=other)
        for watts, other in ((1000, None), (2000, None), (None, 3000), (500, 700), (0, 900))
    ]
)
sends = st.tuples(
    st.just("send"), st.sampled_from(WHERE), st.integers(0, 20), st.integers(2, 30), limits
)  # fmt: skip
envelopes = st.tuples(
    st.just("envelope"),
    st.lists(st.tuples(st.integers(3, 15), st.sampled_from([100, 200, 300])), min_size=1, max_size=4),
)
overriding = st.tuples(
    st.just("override"),
    st.sampled_from(["connection", "device", "group", "aggregator", "system"]),
    st.integers(0, 10),
    st.integers(2, 30),
    limits,
)
backstop = st.tuples(st.just("backstop"), st.sampled_from(["export", "generation"]), st.integers(2, 30))
releases = st.tuples(st.just("release"), st.integers(0, 9))
cancels = st.tuples(st.just("cancel"), st.integers(0, 9))
passes = st.tuples(st.just("pass"), st.integers(1, 9))
histories = st.lists(
    st.one_of(sends, overriding, backstop, envelopes, cancels, releases, passes), min_size=1, max_size=9
)


class World:
    """A place with a device, two groups of one primacy, another device in one of them, and all that was ever sent."""

    def __init__(self, db):
        self.db, self.now, self.sent = db, NOW, []
        self.overrides: list[int] = []
        self.subjects: dict[str, int] = {"system": 0}
        self.devices: list[int] = []
        self.groups: dict[str, int] = {}

    async def fill(self):
        async with self.db.write() as db:
            client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), NOW)
            for number in (1, 2):
                await add_connection(db, NewConnection(f"NMI{number}"), NOW)
                new = NewDevice(lfdi=f"{number}B" * 20, client_id=client, connection_id=f"NMI{number}")
                self.devices.append(await add_device(db, new, NOW))
            self.groups["feeder"] = await create_group(db, NewGroup("feeder", "FD", 7), NOW)
            for device in self.devices:
                await assign(db, self.groups["feeder"], device, NOW)
            self.groups["twin"] = await create_group(db, NewGroup("twin", "FD", 7), NOW)
            await assign(db, self.groups["twin"], self.devices[0], NOW)
            place = await connections.by_name(db, "NMI1")
            self.subjects |= {"connection": place.id, "device": self.devices[1], "aggregator": client}
            self.subjects |= {"group": self.groups["feeder"]}
            for role in ROLES:
                self.groups[role] = (await groups.of_connection(db, place.id, role)).id

    async def do(self, step):
        if step[0] == "send":
            _, where, ahead, duration, said = step
            new = NewControl(start=self.now + ahead, duration=duration, limits=said)
            async with self.db.write() as db:
                done = await issue_controls(db, self.groups[where], [new], self.now, most_ahead=None)
            self.sent += done.created[:1]
        elif step[0] == "envelope":
            at, wanted = self.now, []
            for length, watts in step[1]:
                wanted.append(Interval(at, at + length, Limits(watts, watts + 50)))
                at += length
            async with self.db.write() as db:
                await issue_schedules(db, [Wanted(self.groups["connection"], wanted)], self.now, source="envelope")
        elif step[0] == "override":
            _, scope, ahead, duration, said = step
            start = self.now + ahead
            new = NewOverride(
                scope=scope, subject="x", subject_id=self.subjects[scope], limits=said, start=start,
                end=start + duration, reason="test",
            )  # fmt: skip
            with suppress(OverrideLoosens):
                async with self.db.write() as db:
                    self.overrides.append((await send(db, new, self.now, Terms(spread_s=0))).id)
        elif step[0] == "backstop":
            new = NewOverride(
                scope="system", subject="", subject_id=0, limits=backstops.LIMITS[step[1]], start=self.now,
                end=self.now + step[2], reason="test", kind="backstop",
            )  # fmt: skip
            async with self.db.write() as db:
                self.overrides.append((await backstops.start(db, new, self.now, Terms(spread_s=0))).id)
        elif step[0] == "release" and self.overrides:
            with suppress(OverrideOver):
                async with self.db.write() as db:
                    await release(db, self.overrides[step[1] % len(self.overrides)], self.now, spread_s=0)
        elif step[0] == "cancel" and self.sent:
            with suppress(ControlOver):
                async with self.db.write() as db:
                    await cancel_control(db, self.sent[step[1] % len(self.sent)], self.now)


class Watched:
    """One device, seen as its clients see it: with what is scheduled shown as superseded at once, or not."""

    def __init__(self, device, at_once):
        self.device, self.at_once = device, at_once
        self.clients = [Plain(), Forgetful(), Scheduled()]

    async def check(self, db, now):
        served = await polled(db, self.device, self.at_once, now)
        shown = await operators_view(db, self.device, self.at_once, now)
        for client in self.clients:
            assert client.look(served, now) == shown, (type(client).__name__, self.at_once, now - NOW)


async def follow(url, history, at_once=(True, False)):
    database = await open_database(url)
    try:
        world = World(database)
        await world.fill()
        watched = [Watched(device, one) for device in world.devices for one in at_once]
        for step in history:
            for _ in range(step[1] if step[0] == "pass" else 0):
                world.now += 1
                await _look(database, watched, world.now)
            await world.do(step)
            await _look(database, watched, world.now)
        for _ in range(LONG):
            world.now += 1
            await _look(database, watched, world.now)
    finally:
        await database.close()


async def _look(database, watched, now):
    async with database.read() as db:
        for one in watched:
            await one.check(db, now)


@pytest.fixture(scope="module")
def template(sqlite_template):
    return sqlite_template


@given(history=histories)
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate), derandomize=True, database=None)
def test_everybody_reads_the_same_at_every_second(template, history):
    everybody_reads_the_same(template, history)


def everybody_reads_the_same(template, history):
    """Play a history on a database of its own, and compare all readings at every second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sep2.sqlite"
        shutil.copy(template, path)
        asyncio.run(follow(f"sqlite:///{path}", history))


CASE = [
    ("send", "feeder", 10, 30, Limits(export_w=3000)),
    ("send", "feeder", 15, 10, Limits(export_w=2000)),
    ("pass", 1),
    ("cancel", 1),
]


@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
def test_a_successor_that_is_cancelled_before_either_began(request, on):
    asyncio.run(follow(request.getfixturevalue("sqlite_url" if on == "sqlite" else "postgres_url"), CASE))
