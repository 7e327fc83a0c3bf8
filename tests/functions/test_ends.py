"""The last seconds of a control: it holds no more, and is still listed for clients whose clocks are behind."""

import pytest

from sep2.operations.controls import MOST_AHEAD, NewControl, issue_controls
from sep2.rules.limits import Limits
from tests.functions.test_told import issue, subscribe
from tests.raw import Raw
from tests.server.world import NOW, World, serving

BEHIND_S = 1


class Naive:
    """A client that knows only its list and its clock, which is behind: what is gone before its end was cancelled."""

    def __init__(self, raw: Raw, path: str) -> None:
        self.raw, self.path = raw, path
        self.ends: dict[str, int] = {}
        self.answers: dict[str, str] = {}

    async def poll(self, now: int) -> None:
        """Look at the list at a moment of its own clock."""
        found = await self.raw.get(f"{self.path}/derc?l=9")
        for control in found.all("DERControl"):
            (mrid,) = (part.text or "" for part in control.findall("{*}mRID"))
            start, duration = (int(control.findtext("{*}interval/{*}" + name) or 0) for name in ("start", "duration"))
            self.ends[mrid] = start + duration
        listed = set(found.texts("DERControl/mRID"))
        for mrid, end in self.ends.items():
            if mrid not in self.answers and end <= now:
                self.answers[mrid] = "completed"
            elif mrid not in self.answers and mrid not in listed:
                self.answers[mrid] = "cancelled"


def program(world: World) -> str:
    return f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}"


async def counts(world: World, raw: Raw) -> tuple[str, str]:
    """How many controls the program links to: listed, and active."""
    shown = (await raw.get(program(world))).xml
    (listed,), (active,) = (shown.findall("{*}" + name) for name in ("DERControlListLink", "ActiveDERControlListLink"))
    return listed.attrib["all"], active.attrib["all"]


@pytest.mark.parametrize(("listed_s", "answer"), [(10, "completed"), (0, "cancelled")])
async def test_a_client_a_second_behind_has_completed_it(people, on_sqlite, listed_s, answer):
    utility = {"listed_after_end_s": listed_s}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility=utility) as world:
        client = Naive(await world.as_("sunny"), program(world))
        await issue(world, world.ids.groups["feeder"])
        for at in range(NOW + 98, NOW + 165):
            world.advance(at)
            await client.poll(at - BEHIND_S)
        assert set(client.answers.values()) == {answer}


async def test_what_has_ended_is_listed_and_holds_no_more(either_world):
    world = either_world
    sunny = await world.as_("sunny")
    await issue(world, world.ids.groups["feeder"])
    for at, expected in (
        (NOW + 159, ("1", "1")),
        (NOW + 160, ("1", "0")),
        (NOW + 169, ("1", "0")),
        (NOW + 170, ("0", "0")),
    ):
        world.advance(at)
        assert await counts(world, sunny) == expected
        listed = await sunny.get(f"{program(world)}/derc?l=9")
        assert listed.number("all") == int(expected[0])
        assert (await sunny.get(f"{program(world)}/actderc?l=9")).number("all") == int(expected[1])


async def test_it_counts_in_no_horizon(world):
    """What has ended makes room at once, though it is listed."""
    group = world.ids.groups["feeder"]
    await issue(world, group)
    world.advance(NOW + 160)
    new = [NewControl(start=NOW + 200 + 100 * n, duration=60, limits=Limits(export_w=n)) for n in range(MOST_AHEAD)]
    async with world.state.db.write() as db:
        await issue_controls(db, group, new, NOW + 160)
    sunny = await world.as_("sunny")
    assert (await sunny.get(f"{program(world)}/derc?l=9")).number("all") == MOST_AHEAD + 1


async def test_subscribers_hear_when_it_leaves_its_list(world, receiver):
    """Of the list when it leaves, of the program also when it ends: it counts what is active."""
    sunny = await world.as_("sunny")
    for path in (f"{program(world)}/derc", program(world)):
        await subscribe(sunny, path, receiver)
    await issue(world, world.ids.groups["feeder"])
    told = []
    for at in (100, 160, 165, 170, 175):
        known = len(receiver.taken)
        world.advance(NOW + at)
        await world.settle()
        roots = [b'type="DERControlList"' in notice.body for notice in receiver.taken[known:]]
        told.append((at, roots.count(True), roots.count(False)))
    assert told == [(100, 1, 1), (160, 0, 1), (165, 0, 0), (170, 1, 1), (175, 0, 0)]
