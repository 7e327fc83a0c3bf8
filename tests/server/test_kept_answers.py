"""Answers that are kept read as those that are made anew, whatever happens and at whichever server."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from sep2 import wire as w
from sep2.clock import SteppedClock
from sep2.errors import SepError
from sep2.functions.request import House
from sep2.operations.clients import change_client
from sep2.operations.controls import NewControl, cancel_control, issue_controls
from sep2.operations.curves import create_curve
from sep2.operations.defaults import set_default
from sep2.operations.devices import set_device
from sep2.operations.groups import assign, set_primacy, unassign
from sep2.operations.rates import set_poll_rate
from sep2.rules.curves import Curve, Point
from sep2.rules.limits import Limits
from sep2.server.answers import Asked
from sep2.server.front import Front
from sep2.server.seen import Seen
from sep2.store import Database, controls, open_database
from tests.raw import Raw, context, document
from tests.server.walk import walk
from tests.server.world import World, another, serving

KEEPS = {"limits": {"kept_answers_bytes": 10_000_000}}
STEPS = 30
PATHS_EACH_STEP = 4
HOT = ("/derc", "/actderc", "/dderc", "/derp", "/edev", "/dcap")


@dataclass
class Case:
    """Servers on one database, and one that keeps nothing."""

    worlds: list[World]
    bare: Front
    chance: random.Random

    @property
    def any_world(self) -> World:
        return self.chance.choice(self.worlds)

    @property
    def now(self) -> int:
        return self.worlds[0].clock.now()

    @property
    def device(self) -> int:
        return self.worlds[0].ids.devices[self.chance.choice(("one", "two", "roof"))]

    @property
    def group(self) -> int:
        return self.worlds[0].ids.groups[self.chance.choice(("feeder", "NMI1", "NMI2"))]


async def issue(case: Case) -> None:
    new = NewControl(
        start=case.now + case.chance.randrange(0, 40),
        duration=case.chance.randrange(5, 60),
        limits=Limits(export_w=case.chance.randrange(500, 5000)),
        randomize_start=case.chance.choice((None, None, -5, 5)),
    )
    group = case.group
    async with case.any_world.state.db.write() as db:
        await issue_controls(db, group, [new], case.now)


async def cancel(case: Case) -> None:
    group = case.group
    async with case.any_world.state.db.write() as db:
        standing = await controls.standing(db, group, case.now)
        if standing:
            await cancel_control(db, case.chance.choice(standing).id, case.now)


async def default(case: Case) -> None:
    async with case.any_world.state.db.write() as db:
        limits = Limits(export_w=case.chance.randrange(500, 5000))
        await set_default(db, case.worlds[0].ids.groups["feeder"], limits, now=case.now)


async def join_or_leave(case: Case) -> None:
    feeder, device = case.worlds[0].ids.groups["feeder"], case.device
    async with case.any_world.state.db.write() as db:
        await case.chance.choice((assign, unassign))(db, feeder, device, case.now)


async def primacy(case: Case) -> None:
    async with case.any_world.state.db.write() as db:
        await set_primacy(db, case.worlds[0].ids.groups["feeder"], case.chance.randrange(20, 90), case.now)


async def curve(case: Case) -> None:
    points = [Point(106, 100), Point(108 + case.chance.randrange(4), 0)]
    made = Curve(kind=w.DERCurveType.opModVoltWatt, points=points)
    async with case.any_world.state.db.write() as db:
        await create_curve(db, case.worlds[0].ids.groups["feeder"], made, case.now)


async def profile(case: Case) -> None:
    known = case.chance.choice([w.Profile.CSIP, w.Profile.CSIP_AUS_1_2])
    async with case.any_world.state.db.write() as db:
        await change_client(db, case.worlds[0].ids.clients["sunny"], {"profile": known}, case.now)


async def block(case: Case) -> None:
    device = case.device
    async with case.any_world.state.db.write() as db:
        said = case.chance.choice(({"enabled": case.chance.random() < 0.7}, {"load_control_w": 5000}))
        await set_device(db, device, said, case.now)


async def rate(case: Case) -> None:
    async with case.any_world.state.db.write() as db:
        await set_poll_rate(db, "DERProgramList", case.chance.randrange(60, 600), case.now)
    for world in case.worlds:
        await world.state.refresh()
    case.bare.house.poll_rates = case.worlds[0].state.house.poll_rates


async def write(case: Case) -> None:
    """What a client says of its device, or about it."""
    device = f"/edev/{case.device}"
    watts = case.chance.randrange(1000, 9000)
    settings = f"<setGradW>1</setGradW><setMaxW><multiplier>0</multiplier><value>{watts}</value></setMaxW>"
    event = (
        f"<createdDateTime>{case.now}</createdDateTime><functionSet>11</functionSet><logEventCode>1</logEventCode>"
        f"<logEventID>{watts}</logEventID><logEventPEN>32473</logEventPEN><profileID>2</profileID>"
    )
    path, method, body = case.chance.choice(
        (
            (
                f"{device}/der/1/derg",
                "PUT",
                document("DERSettings", f"{settings}<updatedTime>{case.now}</updatedTime>"),
            ),
            (f"{device}/lel", "POST", document("LogEvent", event)),
            (device, "PUT", document("EndDevice", f"<postRate>{watts}</postRate>")),
        )
    )
    world = case.any_world
    asked = Asked(method, path, "", {"Content-Type": "application/sep+xml"}, body.encode(), world.people.lfdi("sunny"))
    await world.state.front.answer(asked)


async def later(case: Case) -> None:
    clock = case.worlds[0].clock
    assert isinstance(clock, SteppedClock)
    clock.advance(clock.now() + case.chance.randrange(1, 25))


MOVES: list[Callable[[Case], Awaitable[None]]] = [
    *([issue, later, later, write] * 3),
    *(cancel, default, join_or_leave, primacy, curve, profile, block, rate),
]


def bare_front(world: World, db: Database) -> Front:
    """One that keeps no answer."""
    settings = world.state.settings
    limits = replace(settings.limits, kept_answers_bytes=0)
    return Front(db, world.clock, House(replace(settings, limits=limits)), Seen(db, world.clock, "bare"))


async def agree(case: Case, raws: list[Raw], paths: list[str]) -> None:
    """Every server says of these paths what one says that keeps nothing."""
    lfdi = case.worlds[0].people.lfdi("sunny")
    for path in paths:
        name, _, query = path.partition("?")
        expected = await case.bare.answer(Asked("GET", name, query, {}, b"", lfdi))
        assert expected.status < 500, path
        for raw in raws:
            for _ in range(2):  # the second is kept, if any is
                reply = await raw.get(path)
                assert (reply.status, reply.body) == (expected.status, expected.body), path


async def history(case: Case, url: str, seed: int) -> None:
    """Random steps; after each one some paths are compared."""
    tls = context(case.worlds[0].people.pki.folder / "root.pem", case.worlds[0].people.files("sunny"))
    raws = [await Raw.open(world.port, tls) for world in case.worlds]
    reached: dict[str, None] = {}
    chosen: list[str] = []
    for number in range(STEPS):
        if number % 10 == 0:
            reached |= dict.fromkeys(await walk(raws[0]))
        move = case.chance.choice(MOVES)
        with suppress(SepError):  # what is refused changes nothing
            await move(case)
        if not chosen or move is not later:  # what time alone changes shows in what was asked for before
            hot = [
                path for path in reached if path.endswith(("/derc", "/actderc", "/dderc", "/derp", "/edev", "/dcap"))
            ]
            several = case.chance.sample(list(reached), PATHS_EACH_STEP) + case.chance.sample(hot, PATHS_EACH_STEP)
            chosen = [f"{path}?l={case.chance.choice((1, 255))}" for path in several]
        await agree(case, raws, chosen)
    for raw in raws:
        await raw.close()


@pytest.mark.parametrize("seed", [1])
async def test_one_server_shows_what_one_without_memory_shows(people, on_sqlite, seed):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, **KEEPS) as world:
        case = Case([world], bare_front(world, world.state.db), random.Random(seed))
        await history(case, on_sqlite.url, seed)
        assert world.state.front.kept_answers.used > STEPS


async def test_two_servers_show_what_one_without_memory_shows(people, on_postgres):
    async with (
        serving(people, on_postgres.url, ids=on_postgres.ids, **KEEPS) as first,
        another(first, on_postgres.url) as second,
    ):
        case = Case([first, second], bare_front(first, first.state.db), random.Random(3))
        await history(case, on_postgres.url, 3)  # how many answers are kept depends on leases, and so on real time


async def test_what_another_process_writes_into_the_file_shows_at_once(people, on_sqlite):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        raw = await world.as_("sunny")
        path = f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}/derc"
        assert [(await raw.get(path)).number("all") for _ in range(2)] == [0, 0]
        other = await open_database(on_sqlite.url)
        for number in range(1, 4):
            async with other.write() as db:
                control = NewControl(
                    start=world.clock.now() + 100 * number, duration=100, limits=Limits(export_w=number)
                )
                await issue_controls(db, world.ids.groups["feeder"], [control], world.clock.now())
            assert (await raw.get(path)).number("all") == number
        await other.close()
