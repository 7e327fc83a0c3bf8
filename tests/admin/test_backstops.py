"""The backstop: prepared, rehearsed, started and ended, with what it reached."""

from typing import Any

import pytest

from sep2.store import bulk, responses
from tests.admin.conftest import NOW, Operator
from tests.admin.test_authority import in_force, person, strict

START = {"kind": "export", "duration": 3600, "reason": "emergency"}


@pytest.fixture
async def network(street: Operator) -> Operator:
    """NMI1 lies below the substation North, NMI2 below none; both have ratings by contract."""
    await street.change("POST", "/places", {"name": "North", "kind": "substation"})
    await street.change("POST", "/places", {"name": "T7", "kind": "transformer", "parent": "North"})
    await street.change("POST", "/places/T7/connections", {"connections": ["NMI1"]})
    for name in ("NMI1", "NMI2"):
        await street.change("PUT", f"/connections/{name}", {"firm_export_w": 5000})
    return street


async def programs(operator: Operator, device: str) -> list[str]:
    group = (await operator.get("/groups", every="true"))["items"]
    return [one["name"] for one in group if one["role"] == "backstop" and device]


async def test_one_control_reaches_all_goes_before_everything_and_ends(network: Operator) -> None:
    prepared = await network.change("POST", "/backstops/prepare", {})
    assert (prepared["devices"], prepared["is_new"]) == (2, True)
    assert (await network.change("POST", "/backstops/prepare", {}))["is_new"] is False
    control = {"controls": [{"duration": 7200, "limits": {"export_w": 2000}}]}
    await network.change("POST", "/connections/NMI1/controls", control)
    narrow = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 900}, "duration": 7200, "reason": "test"}
    await network.change("POST", "/overrides", narrow)
    sent = await network.change("POST", "/backstops/start", START)
    assert (sent["kind"], len(sent["controls"]), sent["devices"]) == ("backstop", 1, 2)
    assert (sent["replaces"], sent["effects"][0]["reach_now_w"]) == ({"default": 1, "override": 1}, 10_000)
    assert await in_force(network) == {"opModExpLimW": (0, "backstop")}
    assert await in_force(network, "D2D2") == {"opModExpLimW": (0, "backstop")}
    (system,) = await network.get("/backstops")
    assert (system["prepared"], system["devices"], system["running"]) == (True, 2, [sent["id"]])
    # Whatever is sent afterwards to one place or to all, and whatever is released: nothing but its end supersedes it.
    later = await network.change("POST", "/overrides", narrow | {"scope": "system", "subject": "", "reason": "market"})
    assert await in_force(network) == {"opModExpLimW": (0, "backstop")}
    await network.change("POST", f"/overrides/{later['id']}/release", {"spread": 0})
    assert await in_force(network) == {"opModExpLimW": (0, "backstop")}
    await network.change("POST", f"/overrides/{sent['id']}/release", {"spread": 0})
    assert await in_force(network) == {"opModExpLimW": (900, "override")}


async def test_that_of_a_substation_reaches_what_lies_below_it_and_what_comes_there_later(network: Operator) -> None:
    await network.change("POST", "/backstops/prepare", {"place": "North"})
    sent = await network.change("POST", "/backstops/start", START | {"place": "North", "kind": "generation"})
    assert (sent["scope"], sent["subject"], sent["devices"]) == ("place", "North", 1)
    assert await in_force(network) == {"opModGenLimW": (0, "backstop"), "opModExpLimW": (5000, "default")}
    assert "opModGenLimW" not in await in_force(network, "D2D2")
    await network.change("POST", "/places/T7/connections", {"connections": ["NMI2"]})
    assert (await in_force(network, "D2D2"))["opModGenLimW"] == (0, "backstop")
    new = {"client": "Sunny", "lfdi": "D4" * 20, "connection_id": "NMI4"}
    await network.change("POST", "/connections", {"connection_id": "NMI4", "place": "T7"})
    await network.change("POST", "/devices", new)
    assert (await in_force(network, "D4D4"))["opModGenLimW"] == (0, "backstop")
    await network.change("DELETE", "/connections/NMI4/place")
    assert "opModGenLimW" not in await in_force(network, "D4D4")
    status, refused = await network.ask("POST", "/backstops/start", START | {"place": "T7"})
    assert (status, refused["code"]) == (400, "bad_backstop")


async def test_imported_devices_are_in_the_backstop_and_newcomers_stay_newcomers(network: Operator) -> None:
    await network.change("POST", "/backstops/prepare", {})
    await network.change("POST", "/backstops/prepare", {"place": "North"})
    sheets = {
        "connections": {"columns": ["connection_id", "place"], "rows": [["NMI7", "T7"]]},
        "devices": {"columns": ["lfdi", "connection_id"], "rows": [["D7" * 20, "NMI7"], ["D8" * 20, ""]]},
    }
    await network.change("POST", "/import", {**sheets, "client": "Sunny"})
    shown = {one["subject"]: one["devices"] for one in await network.get("/backstops")}
    assert shown == {"": 4, "North": 2}
    async with network.house.db.read() as db:
        assert await bulk.groups_with_controls(db, NOW) == set()


async def test_the_least_load_keeps_to_rules_and_leaves_protected_connections_out(network: Operator) -> None:
    await network.change("PUT", "/connections/NMI1", {"protected": "life_support"})
    await network.change("PUT", "/devices/D2D2", {"floor": "de-14a", "controllable_loads": 2})
    assert (await network.get("/devices/D2D2"))["least_load_w"] == 7560
    sent = await network.change("POST", "/backstops/start", START | {"kind": "load"})
    assert [one["connection_id"] for one in sent["left_out"]] == ["NMI1"]
    assert sent["floors"] == {"connection NMI2": 7560}
    assert (await in_force(network, "D2D2"))["opModLoadLimW"] == (7560, "override")
    assert "opModLoadLimW" not in await in_force(network)


async def test_a_drill_takes_a_share_for_ten_minutes_at_most_and_says_what_it_reached(network: Operator) -> None:
    strict(network)
    sent = await network.change("POST", "/backstops/test", {"share": 50})
    assert (sent["kind"], sent["devices"], sent["needs_second"], sent["reason"]) == ("drill", 1, "", "test")
    assert sent["end"] == NOW + 600
    lfdi = sent["places"][0]["devices"][0]
    async with network.house.db.write() as db:
        device = await db_device(db, lfdi)
        for status, at in ((1, NOW + 20), (2, NOW + 50)):
            assert await responses.add(db, device, sent["controls"][0], status=status, created=at, received=at)
    network.advance(NOW + 301)
    found = await network.get(f"/overrides/{sent['id']}/progress")
    assert (found["devices"], found["received"], found["started"], found["unanswered"]) == (1, 1, 1, 0)
    assert (found["effect_p50_s"], found["effect_p95_s"]) == (50, 50)
    status, refused = await network.ask("POST", "/backstops/test", {"duration": 601})
    assert (status, refused["code"]) == (400, "wrong_body")


async def db_device(db: Any, lfdi: str) -> int:
    from sep2.store import devices

    row = await devices.by_lfdi(db, lfdi)
    assert row is not None
    return int(row.id)


async def test_a_backstop_needs_a_second_person_unless_it_is_an_emergency_which_is_reviewed(network: Operator) -> None:
    strict(network)
    ada = await person(network, "Ada")
    status, waits = await network.ask("POST", "/backstops/start", START | {"reason": "islanding"})
    assert (status, waits["why"]) == (202, "a backstop goes before everything else")
    done = await network.change("POST", f"/approvals/{waits['approval']}/approve", {}, token=ada)
    assert done["answer"]["second"] == "Ada"
    sent = await network.change("POST", "/backstops/start", START | {"kind": "generation"})
    assert (sent["second"], bool(sent["review"])) == ("", True)
    assert [one["id"] for one in (await network.get("/overrides", unreviewed="true"))["items"]] == [sent["id"]]
    status, refused = await network.ask("POST", f"/overrides/{sent['id']}/extend", {"duration": 60})
    assert (status, refused["code"]) == (400, "bad_override")
    status, refused = await network.ask("POST", "/backstops/start", {"kind": "export", "reason": "emergency"})
    assert (status, refused["code"]) == (400, "override_without_end")
