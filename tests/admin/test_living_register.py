"""Names, changes of named fields, moves and removal through the operator API."""

import pytest

from tests.admin.conftest import Operator


async def test_a_name_is_given_once_whatever_its_case(street: Operator) -> None:
    for name in ("Sunny", "SUNNY", "ｓｕｎｎｙ"):
        status, refused = await street.ask("POST", "/clients", {"name": name, "lfdi": "B" * 40})
        assert (status, refused["code"]) == (409, "name_taken"), refused
    status, refused = await street.ask("POST", "/connections", {"connection_id": "nmi1"})
    assert (status, refused["code"]) == (409, "connection_known")
    await street.change("POST", "/groups", {"name": "Feeder 7", "primacy": 7})
    status, refused = await street.ask("POST", "/groups", {"name": "feeder  7", "primacy": 7})
    assert (status, refused["code"]) == (409, "name_taken")


@pytest.mark.parametrize("name", ["x" * 81, "abc\u202egnp", "a\u200bb", " Sunny"])
async def test_a_name_that_can_not_be_read_is_refused(street: Operator, name: str) -> None:
    status, refused = await street.ask("POST", "/clients/Sunny/rename", {"name": name})
    assert (status, refused["code"]) == (400, "bad_name"), refused
    assert (await street.get("/clients/Sunny"))["name"] == "Sunny"


async def test_things_are_found_by_lfdi_name_and_beginning(street: Operator) -> None:
    await street.change("POST", "/devices/D1D1/rename", {"name": "roof of Ada"})
    for said in ("D1" * 20, "d1d1", "Roof of ada"):
        assert (await street.get(f"/devices/{said}"))["lfdi"] == "D1" * 20
    for said in ("A" * 40, "AAAA", "sunny"):
        assert (await street.get(f"/clients/{said}"))["name"] == "Sunny"
    assert (await street.get("/connections/nmi1"))["connection_id"] == "NMI1"


async def test_what_could_mean_several_lists_them(street: Operator) -> None:
    await street.change("POST", "/devices", {"client": "Sunny", "lfdi": "D1D1" + "E" * 36, "name": "second"})
    status, refused = await street.ask("GET", "/devices/D1D1")
    assert (status, refused["code"]) == (409, "ambiguous")
    assert f"{'D1' * 20}, D1D1{'E' * 36} (second)" in refused["message"]
    # A name is meant before a beginning.
    await street.change("POST", f"/devices/{'D2' * 20}/rename", {"name": "D1D1"})
    assert (await street.get("/devices/D1D1"))["lfdi"] == "D2" * 20


async def test_a_device_that_is_its_own_client_is_renamed_as_both(street: Operator) -> None:
    await street.change("POST", "/clients/gateway/rename", {"name": "Depot"})
    assert (await street.get("/devices/depot"))["lfdi"] == (await street.get("/clients/Depot"))["lfdi"]
    await street.change("POST", "/devices/Depot/rename", {"name": "Depot 2"})
    assert (await street.get("/clients/Depot%202"))["kind"] == "device"


async def test_only_named_fields_change(street: Operator) -> None:
    before = await street.get("/clients/Sunny")
    done = await street.change("PUT", "/clients/Sunny", {"receiver_hosts": ["hooks.example"], "pen": 4711})
    changed = {name for name in done if done[name] != before[name]}
    assert changed == {"receiver_hosts", "pen"}
    assert (await street.change("PUT", "/clients/Sunny", {"pen": None}))["pen"] is None
    assert (await street.ask("PUT", "/clients/Sunny", {}))[0] == 400
    await street.change("PUT", "/connections/NMI1", {"firm_export_w": 1500})
    done = await street.change("PUT", "/connections/NMI1", {"description": "Ada"})
    assert (done["firm_export_w"], done["description"]) == (1500, "Ada")
    assert (await street.change("PUT", "/devices/D1D1", {"post_rate": 60}))["post_rate"] == 60


async def test_a_dry_run_changes_nothing(street: Operator) -> None:
    assert (await street.change("POST", "/clients/Sunny/rename", {"name": "Gale"}, dry_run="true"))["name"] == "Gale"
    done = await street.change("DELETE", "/clients/Sunny", {"with_devices": True}, dry_run="true")
    assert done["dependants"]["device"] == 1
    assert (await street.get("/clients/Sunny"))["devices"] == 2


async def test_a_contract_that_changes_is_the_default_at_once(street: Operator) -> None:
    await street.change("PUT", "/connections/NMI1", {"firm_export_w": 1500})
    (mode,) = (await street.get("/devices/D1D1"))["in_force"]
    assert (mode["mode"], mode["value"]) == ("opModExpLimW", 1500)


async def test_a_client_is_removed_only_with_what_becomes_of_its_devices(street: Operator) -> None:
    status, refused = await street.ask("DELETE", "/clients/Sunny", {})
    assert (status, refused["code"]) == (409, "has_dependants")
    assert "Sunny: 1 device" in refused["message"]
    await street.change("POST", "/clients", {"name": "Gale", "lfdi": "B" * 40})
    done = await street.change("DELETE", "/clients/Sunny", {"to": "Gale"})
    assert done["message"] == "client Sunny is removed; 1 device went to Gale"
    device = await street.get("/devices/D1D1")
    assert (device["client"], device["connection_id"]) == ("Gale", "NMI1")
    assert [one["name"] for one in (await street.get("/clients"))["items"]] == ["Gale", "gateway"]
    assert (await street.ask("GET", "/clients/Sunny"))[0] == 404
    # Its name and its certificate are free at once.
    await street.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    assert (await street.get("/clients/Sunny"))["devices"] == 1


async def test_a_connection_is_removed_with_its_controls_and_overrides(street: Operator) -> None:
    control = {"limits": {"export_w": 2000}, "duration": 600}
    await street.change("POST", "/connections/NMI1/controls", {"controls": [control], "anyway": True})
    limits = {"limits": {"export_w": 0}, "duration": 600}
    asked = {"scope": "connection", "subject": "NMI1", "reason": "test", **limits}
    number = (await street.change("POST", "/overrides", asked))["id"]
    status, refused = await street.ask("DELETE", "/connections/NMI1", {})
    assert (status, refused["code"]) == (409, "has_dependants")
    assert "1 device, 2 controls" in refused["message"]
    done = await street.change("DELETE", "/connections/NMI1", {"to": await _at(street, "NMI3")})
    assert done["message"] == "connection NMI1 is removed with 2 controls; 1 device went to NMI3"
    device = await street.get("/devices/D1D1")
    assert (device["connection_id"], device["in_force"]) == ("NMI3", [])
    assert (await street.get(f"/overrides/{number}"))["state"] == "released"
    assert {one["status"] for one in (await street.get("/controls"))["items"]} == {2}
    await street.change("POST", "/connections", {"connection_id": "NMI1"})
    assert [one["connection_id"] for one in (await street.get("/connections"))["items"]] == ["NMI1", "NMI2", "NMI3"]
    assert (await street.get("/export/connections"))["rows"][0][0] == "NMI1"
    await street.change("DELETE", "/connections/NMI1", {})
    await street.change("POST", "/connections", {"connection_id": "NMI1"})


async def test_a_client_that_is_its_own_device_is_removed_and_comes_back(street: Operator) -> None:
    status, refused = await street.ask("DELETE", "/clients/gateway", {})
    assert (status, refused["code"]) == (409, "has_dependants")
    await street.change("DELETE", "/clients/gateway", {"with_devices": True})
    assert (await street.ask("GET", "/devices/D2D2"))[0] == 404
    assert (await street.get("/connections/NMI2"))["device"] is None
    await street.change("POST", "/devices", {"name": "gateway", "lfdi": "D2" * 20, "connection_id": "NMI2"})
    assert (await street.get("/connections/NMI2"))["device"] == "D2" * 20


async def _at(street: Operator, connection_id: str) -> str:
    await street.change("POST", "/connections", {"connection_id": connection_id})
    return connection_id


async def test_a_group_is_changed_renamed_and_removed(street: Operator) -> None:
    for name in ("feeder 7", "feeder 8"):
        await street.change("POST", "/groups", {"name": name, "primacy": 7})
    await street.change("POST", "/groups/feeder%207/devices", {"devices": ["D1D1"]})
    done = await street.change("PUT", "/groups/feeder%207", {"level": "FD", "description": "north"})
    assert (done["level"], done["description"], done["primacy"]) == ("FD", "north", 7)
    await street.change("POST", "/groups/feeder%207/rename", {"name": "feeder seven"})
    done = await street.change("DELETE", "/groups/feeder%20seven", {"to": "feeder 8"})
    assert done["message"] == "group feeder seven is removed; 1 device went to feeder 8"
    assert (await street.get("/groups/feeder%208"))["devices"] == 1
    assert (await street.ask("GET", "/groups/feeder%20seven"))[0] == 404
    for own in ("connection NMI1", "override of connection NMI1"):
        assert (await street.ask("DELETE", f"/groups/{own}", {"with_devices": True}))[0] == 400
        assert (await street.ask("POST", f"/groups/{own}/rename", {"name": "mine"}))[0] == 400


async def test_a_connection_is_renamed_with_its_programs(street: Operator) -> None:
    done = await street.change("POST", "/connections/NMI1/rename", {"name": "NMI7"})
    assert (done["connection_id"], done["group"]) == ("NMI7", "connection NMI7")
    assert (await street.get("/groups", every="true"))["total"] == 8
    assert (await street.get("/devices/D1D1"))["connection_id"] == "NMI7"
    assert (await street.ask("GET", "/connections/NMI1"))[0] == 404


async def test_an_aggregators_devices_move_together(street: Operator) -> None:
    await street.change("POST", "/clients", {"name": "Gale", "lfdi": "B" * 40})
    assert await street.change("POST", "/clients/Sunny/move-devices", {"client": "Gale"}) == {
        "client": "Gale",
        "devices": 1,
    }
    for lfdi, code in (("B" * 40, "bad_move"), ("D2" * 20, "bad_move")):
        status, refused = await street.ask("PUT", f"/devices/{lfdi}/client", {"client": "Sunny"})
        assert (status, refused["code"]) == (400, code)
    assert (await street.ask("PUT", "/devices/D1D1/client", {"client": "gateway"}))[0] == 400
