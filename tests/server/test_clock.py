"""A running server whose machine's clock jumps: what clients, operators and the database see of it."""

import asyncio
import random
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from sep2.admin.app import make
from sep2.clock import HOLDS_AFTER_S
from sep2.operations import creation
from sep2.operations.clients import NewClient, register_client
from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from sep2.server.sweep import HELD_S
from sep2.store import alarms, controls, receivers, tables
from tests.functions.test_told import subscribe
from tests.machine import Machine, eventually
from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.jumps import play
from tests.server.world import NOW, World, serving

HOUR, DAY = 3600, 86_400
UTILITY = {"time_quality": 4}


@pytest.fixture
def machine():
    return Machine(NOW)


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


@asynccontextmanager
async def at_work(people, settled, machine, **more):
    """A server on that machine, which has looked at its clock."""
    utility = UTILITY | more.pop("utility", {})
    async with serving(people, settled.url, clock=machine.clock(), ids=settled.ids, utility=utility, **more) as world:
        await machine.live(2)
        yield world


async def time_of(raw) -> tuple[int, int]:
    """What a client is told: the time, and its quality."""
    told = await raw.get("/tm")
    return int(told.texts("currentTime")[0]), int(told.texts("quality")[0])


async def stands(world: World, *wanted: tuple[str, int]) -> None:
    """Return once these alarms stand, by code and priority, and no others but of devices without limits."""

    async def so() -> bool:
        async with world.state.db.read() as db:
            standing = [(row.code, row.priority) for row in await alarms.standing(db)]
            return [one for one in standing if one[0] != "default_in_force"] == list(wanted)

    await eventually(so)


async def follows(world: World, machine: Machine) -> None:
    """Return once the server tells the machine's time."""
    await eventually(lambda: world.clock.now() == int(machine.wall))


async def hears(machine: Machine, receiver: Receiver, status: str, *, since: int = 0) -> None:
    """Return once the receiver was told of a control with that status, while the machine's clocks run."""
    path = "Resource/DERControl/EventStatus/currentStatus"
    heard = asyncio.create_task(receiver.wait(lambda notice: notice.text(path) == status, since=since))
    while not heard.done():
        await machine.live(1)
    heard.result()


async def issue(
    world: World, group: str, start: int, *, export_w: int = 1, duration: int = 60, now: int | None = None
) -> int:
    now = now or world.clock.now()
    async with world.state.db.write() as db:
        control = NewControl(start=start, duration=duration, limits=Limits(export_w=export_w))
        (made,) = (await issue_controls(db, world.ids.groups[group], [control], now)).created
    return made


async def created(world: World, control: int) -> int:
    async with world.state.db.read() as db:
        return (await controls.one(db, control)).created


async def kept(world: World) -> int:
    """How many controls the database holds."""
    async with world.state.db.read() as db:
        return (await db.one(select(func.count().label("n")).select_from(tables.control))).n


@pytest.mark.parametrize(("by_s", "for_s"), [(HOUR, 2), (100 * DAY, 4), (-HOUR, 8)])
async def test_a_jump_changes_no_time_deletes_nothing_and_is_an_alarm_until_it_is_over(
    people, on_sqlite, machine, by_s, for_s, caplog
):
    async with at_work(people, on_sqlite, machine) as world:
        raw = await world.as_("sunny")
        await issue(world, "feeder", NOW - 30)
        assert await time_of(raw) == (NOW + 2, 4)
        machine.set(by_s)
        await machine.live(for_s, step_s=1)
        assert await time_of(raw) == (NOW + 2 + for_s, 7)
        await stands(world, ("clock_jump", 1))
        machine.set(-by_s)
        await machine.live(HOLDS_AFTER_S + 8)
        assert await time_of(raw) == (machine.wall, 4)
        await stands(world)
        assert await kept(world) == 1
    assert len([one for one in caplog.records if "jumped" in one.getMessage()]) == 1


async def test_nothing_old_is_deleted_before_the_time_has_held_for_an_hour(people, on_sqlite, machine):
    """Since the start, and since the last jump."""
    async with at_work(people, on_sqlite, machine, utility={"retention": {"controls_s": 600}}) as world:
        await issue(world, "feeder", NOW - 30)
        machine.set(100 * DAY)
        await machine.live(HOLDS_AFTER_S + 10)
        await follows(world, machine)
        for _ in range(HELD_S // 10 - 20):
            machine.run(10)
            world.clock.now()
        await machine.live(4)
        assert await kept(world) == 1
        for _ in range(30):
            machine.run(10)
            world.clock.now()
        while await kept(world):
            await machine.live(4)


async def test_a_step_back_that_holds_is_followed_and_what_has_yet_to_turn_is_told_again(
    people, on_either, machine, receiver
):
    async with at_work(people, on_either, machine) as world:
        raw = await world.as_("sunny")
        group = world.ids.groups["feeder"]
        await subscribe(raw, f"/edev/{world.ids.devices['one']}/derp/{group}/derc", receiver)
        await issue(world, "feeder", NOW + 40, duration=2 * HOUR)
        await machine.live(60)
        await hears(machine, receiver, "1")
        machine.set(-HOUR)
        await machine.live(HOLDS_AFTER_S - 8)
        assert (await time_of(raw))[0] > NOW
        seen = len(receiver.taken)
        await machine.live(20)
        await follows(world, machine)
        assert await time_of(raw) == (machine.wall, 4)
        await stands(world)
        await hears(machine, receiver, "0", since=seen)
        machine.run(NOW + 41 - machine.wall)
        await hears(machine, receiver, "1", since=seen)


async def test_creation_times_rise_through_steps_back_and_restarts(people, on_either, machine):
    """Also where another program gets the next control, and twice the clock goes back."""
    async with at_work(people, on_either, machine) as world:
        made = [await issue(world, "feeder", NOW + 10 * HOUR)]
        for _ in range(2):
            machine.set(-HOUR)
            await machine.live(HOLDS_AFTER_S + 10)
            await follows(world, machine)
            for group in ("NMI1", "feeder", "NMI2"):
                made.append(await issue(world, group, NOW + 11 * HOUR, export_w=len(made)))
                await machine.live(4)
    machine.set(-1800)
    async with at_work(people, on_either, machine) as world:
        made.append(await issue(world, "NMI4", NOW + 12 * HOUR))
        times = [await created(world, one) for one in made]
        assert times == sorted(set(times))
        assert times[1] > NOW > machine.wall
        machine.run(20 * HOUR)
        made.append(await issue(world, "NMI1", world.clock.now()))
        assert await created(world, made[-1]) == world.clock.now()


@pytest.mark.parametrize("is_down", [False, True])
async def test_creation_times_are_no_further_ahead_once_a_step_back_is_undone(people, on_either, machine, is_down):
    """By a step forward, or while the server is down."""
    async with at_work(people, on_either, machine) as world:
        machine.set(-10 * HOUR)
        await machine.live(HOLDS_AFTER_S + 10)
        await follows(world, machine)
        made = [await issue(world, "feeder", NOW + HOUR)]
        if not is_down:
            machine.set(10 * HOUR)
            await machine.live(HOLDS_AFTER_S + 10)
            await follows(world, machine)
            made.append(await issue(world, "NMI1", NOW + HOUR))
            times = [await created(world, one) for one in made]
    if is_down:
        machine.set(10 * HOUR)
        async with at_work(people, on_either, machine) as world:
            made.append(await issue(world, "NMI1", NOW + HOUR))
            times = [await created(world, one) for one in made]
    assert times[0] < times[1] < machine.wall + HOLDS_AFTER_S


async def test_work_that_began_before_a_step_back_does_not_outrank_what_is_sent_after_it(people, on_sqlite, machine):
    """A round of the engine takes a while, and publishes with the time of its beginning."""
    async with at_work(people, on_sqlite, machine) as world:
        began = world.clock.now()
        machine.set(-2 * HOUR)
        await machine.live(HOLDS_AFTER_S + 12)
        await follows(world, machine)
        made = [await issue(world, "feeder", NOW + HOUR, now=began)]
        await machine.live(4)
        made.append(await issue(world, "NMI1", NOW + HOUR))
        assert began < await created(world, made[0]) <= await created(world, made[1])


async def test_a_step_forward_makes_nobody_silent(people, on_sqlite, machine):
    """Whoever was heard of a minute before it was heard of a day ago, says the new time."""
    async with at_work(people, on_sqlite, machine) as world:
        await time_of(await world.as_("sunny"))
        machine.set(DAY)
        await machine.live(HOLDS_AFTER_S + 10)
        await follows(world, machine)
        await machine.live(30)
        await stands(world)


async def test_a_control_begins_on_time_while_the_wall_clock_is_wrong(people, on_sqlite, machine, receiver):
    """Neither early nor late: what counts is the time that clients are told."""
    async with at_work(people, on_sqlite, machine) as world:
        raw = await world.as_("sunny")
        group = world.ids.groups["feeder"]
        await subscribe(raw, f"/edev/{world.ids.devices['one']}/derp/{group}/derc", receiver)
        await issue(world, "feeder", NOW + 30)
        machine.set(-HOUR)
        await machine.live(20)
        active = f"/edev/{world.ids.devices['one']}/derp/{group}/actderc"
        assert (await raw.get(active)).number("all") == 0
        await machine.live(12)
        await hears(machine, receiver, "1")
        assert (await raw.get(active)).number("all") == 1


async def test_a_notification_that_waits_does_not_wait_for_a_clock_that_was_set_back(people, on_either, machine):
    async with at_work(people, on_either, machine) as world:
        raw = await world.as_("sunny")
        nobody = Receiver(free_port())
        await subscribe(raw, f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}/derc", nobody)
        await issue(world, "feeder", NOW + HOUR)
        while not await _attempts(world):
            await machine.live(1)
        machine.set(-10 * HOUR)
        await machine.live(HOLDS_AFTER_S + 12)
        await follows(world, machine)

        async def is_soon() -> bool:
            async with world.state.db.read() as db:
                due = await receivers.next_due(db)
            return due is not None and due <= world.clock.now() + 120

        await eventually(is_soon)


async def _attempts(world: World) -> int:
    async with world.state.db.read() as db:
        row = await db.one(select(tables.delivery.c.attempts))
        return row.attempts if row else 0


async def test_a_confirmed_time_is_followed_at_once_and_audited(people, on_sqlite, machine, tmp_path):
    async with at_work(people, on_sqlite, machine) as world, operating(world, tmp_path) as ask:
        raw = await world.as_("sunny")
        status, refused = await ask("POST", "/clock/confirm")
        assert (status, refused["code"]) == (409, "clock_trusted")
        machine.set(HOUR)
        await machine.live(2)
        assert (await time_of(raw))[1] == 7
        assert (await ask("POST", "/clock/confirm?dry_run=true"))[0] == 200
        assert (await time_of(raw))[0] == NOW + 4
        assert (await ask("POST", "/clock/confirm"))[0] == 200
        assert await time_of(raw) == (NOW + 4 + HOUR, 4)
        await stands(world)
        audit = (await ask("GET", "/audit"))[1]
        assert audit["items"][0]["verb"] == "confirm_clock"


@pytest.mark.parametrize("days", [40, -1])
async def test_a_start_far_from_the_last_one_is_doubted_until_it_is_confirmed(
    people, on_sqlite, machine, tmp_path, days
):
    """It serves; nothing is deleted, however long it runs."""
    async with at_work(people, on_sqlite, machine) as world:
        await issue(world, "feeder", NOW - 30)
        async with world.state.db.read() as db:
            assert (await creation.told_lately(db) or 0) >= NOW
    machine.set(days * DAY)
    async with (
        at_work(people, on_sqlite, machine, utility={"retention": {"controls_s": 60}}) as world,
        operating(world, tmp_path) as ask,
    ):
        raw = await world.as_("sunny")
        assert await time_of(raw) == (machine.wall, 7)
        await stands(world, ("clock_jump", 1))
        for _ in range(HELD_S // 5):
            machine.run(10)
            world.clock.now()
        await machine.live(4)
        assert await kept(world) == 1
        assert (await ask("POST", "/clock/confirm"))[0] == 200
        assert await time_of(raw) == (machine.wall, 4)
        await stands(world)


async def test_a_start_at_a_wrong_time_is_over_once_the_machine_has_found_the_right_one(people, on_sqlite, machine):
    async with at_work(people, on_sqlite, machine) as world:
        pass
    machine.set(-1000 * DAY)
    async with at_work(people, on_sqlite, machine) as world:
        await stands(world, ("clock_jump", 1))
        machine.set(1000 * DAY)
        await machine.live(HOLDS_AFTER_S + 12)
        await follows(world, machine)
        await stands(world)


async def test_the_operator_is_answered_while_the_clock_jumps_to_and_fro(people, on_sqlite, machine):
    """Writes and controls go on; one alarm stands for all jumps."""
    async with at_work(people, on_sqlite, machine) as world:
        for number in range(6):
            machine.set(HOUR if number % 2 else -HOUR)
            await machine.live(3)
            await issue(world, "feeder", NOW + 2 * HOUR + 100 * number)
            async with world.state.db.write() as db:
                await register_client(db, NewClient(f"c{number}", f"{number:040X}", "device"), world.clock.now())
        await stands(world, ("clock_jump", 1))
        async with world.state.db.read() as db:
            rows = await db.all(select(tables.alarm.c.code))
        assert [row.code for row in rows].count("clock_jump") == 1
        assert world.clock.now() == NOW + 2 + 18


@asynccontextmanager
async def operating(world: World, folder):
    """The operator API of a server."""
    token = folder / "token"
    token.write_text("t" * 40)
    state = world.state
    state.settings = msgspec.structs.replace(
        state.settings, operator=msgspec.structs.replace(state.settings.operator, token_file=token)
    )
    async with (
        TestServer(make(state)) as server,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {'t' * 40}"}) as session,
    ):

        async def ask(method: str, path: str):
            async with session.request(method, server.make_url(path)) as answer:
                return answer.status, await answer.json()

        yield ask


async def test_jumps_under_load_are_not_felt(people, on_sqlite, machine):
    """A sample of the trial."""
    async with at_work(people, on_sqlite, machine) as world:
        seen = await play(world, machine, random.Random(1), 4)
        assert seen.counts["requests"] > 0
