"""The tree of places through the operator API."""

import pytest

from tests.admin.conftest import Operator


@pytest.fixture
async def network(street: Operator) -> Operator:
    """Feeders FD7 and FD8 of substation SS1; transformer T7 of FD7, where NMI1 and NMI2 are."""
    for name, kind, parent in (
        ("SS1", "substation", None),
        ("FD7", "feeder", "SS1"),
        ("FD8", "feeder", "SS1"),
        ("T7", "transformer", "FD7"),
    ):
        await street.change("POST", "/places", {"name": name, "kind": kind, "parent": parent})
    await street.change("POST", "/places/T7/connections", {"connections": ["NMI1", "NMI2"]})
    return street


async def groups_of(operator: Operator, device: str) -> list[str]:
    return [one["group"] for one in (await operator.get(f"/devices/{device}"))["groups"]]


async def test_a_device_is_in_the_groups_of_all_places_that_it_is_below(network: Operator) -> None:
    assert await groups_of(network, "D1D1") == ["connection NMI1", "transformer T7", "feeder FD7", "substation SS1"]
    shown = await network.get("/places/t7")
    assert (shown["parent"], shown["connections"], shown["devices"], shown["group"]) == ("FD7", 2, 2, "transformer T7")
    assert (await network.get("/places/SS1"))["devices"] == 2
    assert [one["name"] for one in (await network.get("/places", parent="SS1"))["items"]] == ["FD7", "FD8"]
    assert (await network.get("/connections/NMI1"))["place"] == "T7"
    for place, total in (("T7", 2), ("SS1", 2), ("FD8", 0)):
        assert (await network.get("/connections", place=place))["total"] == total
    assert (await network.get("/devices", connection="NMI1"))["total"] == 1


async def test_a_subtree_moves_with_its_devices(network: Operator) -> None:
    await network.change("PUT", "/groups/feeder%20FD8/default", {"limits": {"export_w": 700}})
    dry = await network.change("PUT", "/places/T7/parent", {"parent": "FD8"}, dry_run="true")
    assert dry["devices"] == 2
    assert dry["changes"][0] == {"lfdi": "D1" * 20, "before": [], "after": ["opModExpLimW 700 by feeder FD8"]}
    assert "feeder FD7" in await groups_of(network, "D1D1")
    assert (await network.change("PUT", "/places/T7/parent", {"parent": "FD8"}))["devices"] == 2
    for device in ("D1D1", "D2D2"):
        assert (await groups_of(network, device))[1:] == ["transformer T7", "feeder FD8", "substation SS1"]
    assert (await network.get("/places/FD7"))["devices"] == 0


async def test_devices_that_come_or_move_join_the_places_of_their_connection(network: Operator) -> None:
    await network.change("POST", "/connections", {"connection_id": "NMI3", "place": "FD8"})
    await network.change("PUT", "/devices/D1D1/connection", {"connection_id": "NMI3"})
    assert await groups_of(network, "D1D1") == ["connection NMI3", "feeder FD8", "substation SS1"]
    made = await network.change("POST", "/devices", {"client": "Sunny", "connection_id": "NMI1"})
    assert await groups_of(network, made["lfdi"]) == [
        "connection NMI1",
        "transformer T7",
        "feeder FD7",
        "substation SS1",
    ]
    await network.change("DELETE", "/connections/NMI3/place")
    assert await groups_of(network, "D1D1") == ["connection NMI3"]


async def test_what_can_not_lie_there_is_refused(network: Operator) -> None:
    for path, parent in (("SS1", "T7"), ("FD7", "FD7"), ("SS1", "FD7"), ("FD7", "FD8")):
        status, refused = await network.ask("PUT", f"/places/{path}/parent", {"parent": parent})
        assert (status, refused["code"]) == (400, "bad_place"), (path, parent)
    status, refused = await network.ask("POST", "/places", {"name": "t7", "kind": "transformer"})
    assert (status, refused["code"]) == (409, "name_taken")
    for path, body in (("devices", {"devices": ["D1D1"]}), ("rename", {"name": "mine"})):
        status, refused = await network.ask("POST", f"/groups/transformer%20T7/{path}", body)
        assert (status, refused["code"]) == (400, "bad_group")
    assert (await network.ask("DELETE", "/groups/transformer%20T7", {"with_devices": True}))[0] == 400


async def test_a_place_is_removed_and_what_was_below_it_goes_elsewhere(network: Operator) -> None:
    status, refused = await network.ask("DELETE", "/places/T7", {})
    assert (status, refused["code"]) == (409, "place_in_use")
    done = await network.change("DELETE", "/places/T7", {"to": "FD7"})
    assert done["message"] == "place T7 is removed; 2 connections went to FD7"
    assert await groups_of(network, "D1D1") == ["connection NMI1", "feeder FD7", "substation SS1"]
    await network.change("POST", "/places", {"name": "T7", "kind": "transformer"})


async def test_a_place_is_renamed_with_its_group(network: Operator) -> None:
    done = await network.change("POST", "/places/T7/rename", {"name": "TX-118"})
    assert (done["name"], done["group"]) == ("TX-118", "transformer TX-118")
    assert "transformer TX-118" in await groups_of(network, "D1D1")


async def test_an_override_of_a_place_reaches_everybody_below_it(network: Operator) -> None:
    await network.change("POST", "/connections", {"connection_id": "NMI3"})
    await network.change("POST", "/devices", {"client": "Sunny", "connection_id": "NMI3"})
    asked = {"scope": "place", "subject": "FD7", "limits": {"export_w": 0}, "duration": 600, "reason": "overload"}
    done = await network.change("POST", "/overrides", asked)
    assert (done["scope"], done["subject"], done["connections"], done["devices"]) == ("place", "FD7", 2, 2)
    assert {one["place"] for one in done["places"]} == {"connection NMI1", "connection NMI2"}


async def test_a_control_for_a_place_goes_to_the_schedule_of_each_connection(network: Operator) -> None:
    control = {"limits": {"export_w": 2000}, "duration": 600}
    for scope, subject, places in (("place", "t7", 2), ("aggregator", "Sunny", 1), ("system", "", 2)):
        asked = {"scope": scope, "subject": subject, "controls": [control], "anyway": True}
        done = await network.change("POST", "/controls", asked)
        assert done["places"] == places
    groups = {one["group"] for one in (await network.get("/controls"))["items"]}
    assert groups == {"schedule of connection NMI1", "schedule of connection NMI2"}
    asked = {"scope": "place", "subject": "FD8", "controls": [control]}
    status, refused = await network.ask("POST", "/controls", asked)
    assert (status, refused["code"]) == (409, "reaches_nobody")
