"""A connection is commissioned step by step, by what its client does; on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.raw import document
from tests.server.conftest import Settled
from tests.server.meters import W, mirror, post, read, reading_type
from tests.server.operator import Desk, operating
from tests.server.world import NOW, People


@pytest.fixture
async def desk(people: People, on_either: Settled, tmp_path: Path) -> AsyncIterator[Desk]:
    utility = {"poll_rates": {"DERProgramList": 120}}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


async def steps(desk: Desk) -> dict[str, bool]:
    found = await desk.operator.get("/commissioning/NMI1")
    return {step["name"]: step["done"] for step in found["steps"]}


async def refused(desk: Desk, body: Any = None) -> tuple[int, str, str]:
    status, answer = await desk.operator.ask("POST", "/commissioning/NMI1/pass", {} if body is None else body)
    return status, answer["code"], answer["message"]


async def test_a_connection_passes_when_all_its_steps_are_done_and_not_before(desk: Desk) -> None:
    world, operator = desk
    assert (await operator.ask("GET", "/commissioning/NMI1"))[1]["code"] == "not_commissioned"
    opened = await operator.change("POST", "/commissioning", {"connection": "NMI1"})
    assert (opened["next"], opened["passed"]) == ("heard", None)
    assert (await refused(desk))[:2] == (409, "commissioning_incomplete")

    raw = await world.as_("sunny")
    device = f"/edev/{world.ids.devices['one']}"
    await raw.get(f"{device}/fsa")
    at = await mirror(raw, world.ids.lfdis["one"], types={"0C01": reading_type(W)})
    await world.state.seen.write()
    assert await steps(desk) == {"registered": True, "heard": True, "tested": False, "sign": False, "phase": False}

    await operator.change("PUT", f"/mirrors/{at.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"})
    await operator.change("POST", "/commissioning/NMI1/phases", {"phases": "b", "how": "clamp at the pole"})
    sent = await operator.change("POST", "/commissioning/NMI1/test", {"limits": {"export_w": 1000}, "duration": 1800})
    (override,) = (await operator.get("/overrides"))["items"]
    assert (sent["test"], override["reason"], sent["next"]) == (override["id"], "commissioning", "tested")
    assert "0 of 1 devices have started it" in (await refused(desk))[2]

    program = next(
        one for one in (await operator.get("/devices/" + world.ids.lfdis["one"]))["groups"] if one["control"]
    )
    for status in (1, 2):
        body = (
            f"<createdDateTime>{NOW}</createdDateTime><endDeviceLFDI>{world.ids.lfdis['one']}</endDeviceLFDI>"
            f"<status>{status}</status><subject>{program['control']}</subject>"
        )
        assert (await raw.post(f"{device}/rsps/1/rsp", document("DERControlResponse", body))).status == 201
    assert "nothing is judged yet" in (await refused(desk))[2]
    await world.state.judge.once()
    for number in range(6):
        await post(raw, at, "0C01", read(f"{number:02X}", NOW + 300 * number, [(300, -900)]))
    world.advance(NOW + 1800 + 360)
    await world.state.judge.once()
    assert all((await steps(desk)).values())
    passed = await operator.change("POST", "/commissioning/NMI1/pass", {"note": "on site"})
    assert (passed["passed"], passed["passed_by"], passed["note"]) == (NOW + 2160, "local", "on site")
    assert (await operator.get("/commissioning"))["items"] == []
    assert [one["connection"] for one in (await operator.get("/commissioning", every="true"))["items"]] == ["NMI1"]
    assert (await refused(desk))[:2] == (409, "commissioning_passed")


async def test_every_connection_is_commissioned_where_the_utility_wants_it(
    people: People, on_sqlite: Settled, tmp_path: Path
) -> None:
    async with operating(people, on_sqlite, tmp_path, utility={"commissioning": "always"}) as (_, operator):
        await operator.change("POST", "/connections", {"connection_id": "NMI7"})
        sheet = {"columns": ["connection_id"], "rows": [["NMI8"]]}
        await operator.change("POST", "/import", {"connections": sheet})
        named = {one["connection"] for one in (await operator.get("/commissioning"))["items"]}
        assert named == {"NMI7", "NMI8"}, "and none of those that were there"
        status, answer = await operator.ask("POST", "/commissioning/NMI7/phases", {"phases": "x", "how": "a guess"})
        assert (status, answer["code"]) == (400, "bad_phases")
