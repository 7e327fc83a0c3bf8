"""Customers move in and out at an instant: what stood, what is shown and what is judged ends there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.conftest import Settled
from tests.server.meters import W, mirror, post, read, reading_type
from tests.server.operator import Desk, operating
from tests.server.world import NOW, People

OVERRIDE = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "duration": 7200, "reason": "overload"}
CONTROL = {"start": NOW + 3600, "duration": 600, "limits": {"export_w": 1500}}
SPAN = {"from": str(NOW), "until": str(NOW + 1800)}


@pytest.fixture
async def desk(people: People, on_either: Settled, tmp_path: Path) -> AsyncIterator[Desk]:
    async with operating(people, on_either, tmp_path) as desk:
        await desk.operator.change("PUT", "/connections/NMI1", {"firm_export_w": 5000})
        yield desk


async def held(desk: Desk) -> list[int]:
    """What limits the export of NMI1's device now."""
    found = await desk.operator.get("/devices/" + desk.world.ids.lfdis["one"])
    return [one["value"] for one in found["in_force"] if one["mode"] == "opModExpLimW"]


async def test_what_stood_for_a_customer_ends_at_the_instant(desk: Desk) -> None:
    world, operator = desk
    await operator.change("POST", "/overrides", OVERRIDE)
    await operator.change("POST", "/connections/NMI1/controls", {"controls": [CONTROL], "reason": "test"})
    assert await held(desk) == [0]
    done = await operator.change("POST", "/connections/NMI1/move-out")
    assert done["ended"] == 2
    assert await held(desk) == [5000], "the contract is the connection's"
    raw = await world.as_("sunny")
    programs = (await raw.get(f"/edev/{world.ids.devices['one']}/fsa?l=9")).all("FunctionSetAssignments")
    for program in programs:
        (link,) = program.findall("{*}DERProgramListLink")
        (derp,) = (await raw.get(link.attrib["href"])).all("DERProgram")
        listed = await raw.get(derp.find("{*}DERControlListLink").attrib["href"] + "?l=9")  # type: ignore[union-attr]
        assert set(listed.texts("DERControl/EventStatus/currentStatus")) <= {"2"}
    status, refused = await operator.ask("POST", "/connections/NMI1/move-out")
    assert (status, refused["code"]) == (409, "nobody_there")
    moved = await operator.change("POST", "/connections/NMI1/move-in", {"reference": "C-88"})
    assert [(one["since"], one["until"], one["reference"]) for one in moved["customers"]] == [
        (NOW, None, "C-88"),
        (NOW, NOW, ""),
    ]


async def test_who_moves_in_does_not_see_what_was_before_and_is_not_judged_by_it(desk: Desk) -> None:
    world, operator = desk
    raw = await world.as_("sunny")
    at = await mirror(raw, world.ids.lfdis["one"], types={"0C01": reading_type(W)})
    await operator.change("PUT", f"/mirrors/{at.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"})
    await world.state.judge.once()
    world.advance(NOW + 750)
    assert (await operator.change("POST", "/connections/NMI1/move-in", {}))["ended"] == 0
    for number in range(6):
        await post(raw, at, "0C01", read(f"{number:02X}", NOW + 300 * number, [(300, -4000)]))
    world.advance(NOW + 1800 + 700)
    await world.state.judge.once()
    shown = (await operator.get("/readings", connection="NMI1", **SPAN))["items"]
    assert [one["start"] - NOW for one in shown] == [600, 900, 1200, 1500]
    assert len((await operator.get("/readings", connection="NMI1", earlier="true", **SPAN))["items"]) == 6
    course = (await operator.get("/compliance/connections/NMI1", **SPAN))["course"]
    assert min(run["start"] for run in course) - NOW == 900, "the interval of the move is nobody's"
    limits = await operator.get("/connections/NMI1/limits", **SPAN)
    assert limits["from"] == NOW + 750
