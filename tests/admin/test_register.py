"""Clients, devices, connections and groups through the operator API."""

from msgspec.structs import replace

from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from sep2.store import connections
from tests.admin.conftest import NOW, Operator


async def test_an_aggregator_gets_an_end_device_of_its_own(operator: Operator) -> None:
    made = await operator.change("POST", "/clients", {"name": "Sunny", "lfdi": "ab" * 20, "receiver_hosts": ["h:1"]})
    assert made["lfdi"] == "AB" * 20
    assert (made["kind"], made["profile"], made["devices"]) == ("aggregator", "csip-aus-1.2", 1)
    assert made["receiver_hosts"] == ["h:1"]
    assert (await operator.get("/clients/Sunny")).items() >= made.items()
    assert (await operator.get("/devices", client="Sunny"))["items"][0]["lfdi"] == made["lfdi"]


async def test_a_device_without_a_client_is_its_own(street: Operator) -> None:
    shown = await street.get("/devices/D2D2")
    assert shown["client_lfdi"] == shown["lfdi"]
    assert (await street.get("/clients/gateway"))["kind"] == "device"


async def test_a_managed_device_is_given_an_lfdi_that_ends_in_its_clients_pen(operator: Operator) -> None:
    await operator.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40, "pen": 4711})
    made = await operator.change("POST", "/devices", {"client": "Sunny"})
    assert made["lfdi"].endswith("00004711")


async def test_an_aggregator_can_come_with_connections_and_devices_or_not_at_all(street: Operator) -> None:
    body = {"name": "Windy", "lfdi": "B" * 40, "pen": 4711, "connections": ["NMI3", "NMI1"]}
    status, refused = await street.ask("POST", "/clients", body)
    assert (status, refused["code"]) == (409, "connection_taken")
    assert (await street.get("/connections"))["total"] == 2
    assert (await street.change("POST", "/clients", body | {"connections": ["NMI3", "NMI4"]}))["devices"] == 3
    assert (await street.get("/connections/NMI4"))["device"].endswith("00004711")


async def test_an_unregistered_connection_leaves_no_client_behind(operator: Operator) -> None:
    status, refused = await operator.ask("POST", "/devices", {"lfdi": "B" * 40, "connection_id": "nowhere"})
    assert (status, refused["code"]) == (400, "bad_device")
    assert (await operator.get("/clients"))["total"] == 0


async def test_a_second_net_limit_holder_is_refused(street: Operator) -> None:
    body = {"client": "Sunny", "connection_id": "NMI1"}
    status, refused = await street.ask("POST", "/devices", body)
    assert (status, refused["code"]) == (409, "connection_taken")
    beside = await street.change("POST", "/devices", body | {"holds_net_limit": False})
    assert (beside["connection_id"], beside["group"]) == ("NMI1", f"device {beside['lfdi']}")
    assert (await street.get("/connections/NMI1"))["device"] == "D1" * 20


async def test_a_removed_device_is_gone(street: Operator) -> None:
    await street.change("DELETE", "/devices/D1D1")
    status, refused = await street.ask("GET", f"/devices/{'D1' * 20}")
    assert (status, refused["code"]) == (404, "unknown_device")
    assert (await street.get("/connections/NMI1"))["device"] is None


async def test_what_a_removed_devices_client_may_still_do_is_said(street: Operator) -> None:
    gone = await street.change("DELETE", "/devices/D2D2")
    assert gone["message"].endswith("gateway may no longer connect; its certificate can be added again")
    assert (await street.change("DELETE", "/devices/D1D1"))["message"] == f"device {'D1' * 20} is removed"

    settings = street.house.settings
    in_band = replace(settings.utility, registration="in-band")
    street.house.settings = replace(settings, utility=in_band)
    await street.change("POST", "/devices", {"name": "meter", "lfdi": "D3" * 20})
    message = (await street.change("DELETE", "/devices/D3D3"))["message"]
    assert message.endswith("meter may register itself again (utility.registration = in-band)")


async def test_what_an_operator_sent_into_the_program_of_an_envelope_is_shown_as_the_operators(
    street: Operator,
) -> None:
    """As databases have it from before operators had programs of their own."""
    async with street.house.db.write() as db:
        place = await connections.by_name(db, "NMI1")
        assert place is not None
        old = NewControl(start=NOW, duration=900, limits=Limits(export_w=10))
        await issue_controls(db, place.device_group_id, [old], NOW)
    (mode,) = [one for one in (await street.get("/devices/D1D1"))["in_force"] if one["control"]]
    assert (mode["mode"], mode["value"], mode["source"]) == ("opModExpLimW", 10, "operator")
    body = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 5}, "duration": 60, "reason": "test"}
    sent = await street.change("POST", "/overrides", body)
    assert (sent["replaces"], sent["after"]) == ({"operator": 1}, {"operator": 1})


async def test_a_blocked_client_is_shown_as_such(street: Operator) -> None:
    assert (await street.change("PUT", "/clients/Sunny", {"enabled": False}))["enabled"] is False
    assert (await street.change("PUT", "/clients/Sunny", {"enabled": True}))["enabled"] is True


async def test_a_group_is_made_filled_reordered_and_emptied(street: Operator) -> None:
    made = await street.change("POST", "/groups", {"name": "feeder 7/b", "level": "FD", "primacy": 7})
    assert (made["devices"], made["created"]) == (0, NOW)
    path = "/groups/feeder%207%2Fb"
    assert (await street.change("POST", f"{path}/devices", {"devices": ["D1D1", "D2D2"]}))["devices"] == 2
    assert (await street.get("/devices", group="feeder 7/b"))["total"] == 2
    assert (await street.change("PUT", path, {"primacy": 3}))["primacy"] == 3
    assert [group["group"] for group in (await street.get("/devices/D1D1"))["groups"]] == [
        "feeder 7/b",
        "connection NMI1",
    ]
    assert (await street.change("DELETE", f"{path}/devices/D1D1"))["devices"] == 1


async def test_assigning_is_all_or_nothing(street: Operator) -> None:
    await street.change("POST", "/groups", {"name": "all", "primacy": 7})
    status, _ = await street.ask("POST", "/groups/all/devices", {"devices": ["D1D1", "EEEE"]})
    assert status == 404
    assert (await street.get("/groups/all"))["devices"] == 0


async def test_a_device_is_found_by_the_beginning_of_its_lfdi(street: Operator) -> None:
    for start, status in (("AAAA", 200), ("aaaaa", 200), ("D", 404), ("ZZZZ", 404), ("%25", 404)):
        answered, said = await street.ask("GET", f"/devices/{start}")
        assert (answered, said.get("code")) == (status, None if status == 200 else "unknown_device"), start


async def test_a_beginning_that_fits_two_is_refused(street: Operator) -> None:
    await street.change("POST", "/devices", {"client": "Sunny", "lfdi": "D1" * 19 + "D2"})
    status, refused = await street.ask("GET", "/devices/D1D1")
    assert (status, refused["code"]) == (409, "ambiguous")


async def test_lists_are_paged(street: Operator) -> None:
    first = await street.get("/devices", limit="2")
    rest = await street.get("/devices", after=first["next"], limit="2")
    assert first["total"] == rest["total"] == 3
    assert len(first["items"]) == 2
    assert [device["lfdi"] for device in first["items"] + rest["items"]] == ["A" * 40, "D1" * 20, "D2" * 20]


async def test_a_device_that_registers_itself_has_no_connections_yet(operator: Operator) -> None:
    body = {"name": "gateway", "lfdi": "D1" * 20, "kind": "device", "registration": "in-band"}
    status, answer = await operator.ask("POST", "/clients", body | {"connections": ["NMI1"]})
    assert (status, answer["code"]) == (400, "not_an_aggregator")
    assert (await operator.change("POST", "/clients", body))["devices"] == 0
    assert (await operator.get("/devices"))["total"] == 0


async def test_a_field_that_would_do_nothing_is_refused(street: Operator) -> None:
    own, managed = {"lfdi": "D9" * 20}, {"client": "Sunny"}
    for path, body in (
        ("/devices", managed | {"profile": "csip"}),
        ("/devices", own | {"holds_net_limit": False}),
        ("/clients", own | {"name": "gateway", "kind": "device", "pen": 4711}),
    ):
        status, refused = await street.ask("POST", path, body)
        assert (status, refused["code"]) == (400, "says_nothing"), body
    status, refused = await street.ask("GET", "/subscriptions", params={"waiting": "true", "dead": "true"})
    assert (status, refused["code"]) == (400, "bad_request")


async def test_a_device_client_is_taken_over_once_it_has_no_device(street: Operator) -> None:
    """Also one that databases kept from before, when a removed device left its client behind."""
    body = {"name": "anew", "lfdi": "D2" * 20, "connection_id": "NMI2", "profile": "csip", "pin": 111115}
    status, refused = await street.ask("POST", "/devices", body)
    assert (status, refused["code"]) == (409, "client_taken")
    gone = await street.change("DELETE", "/devices/D2D2")
    assert "gateway may no longer connect" in gone["message"]
    assert (await street.get("/clients"))["total"] == 1
    await street.change("POST", "/clients", {"name": "left", "lfdi": "D2" * 20, "kind": "device", "pin": 222220})
    made = await street.change("POST", "/devices", body)
    assert (made["known"], made["may_connect"], made["pin"]) == (True, True, 111115)
    assert (made["client"], made["profile"]) == ("anew", "csip")


async def test_a_device_that_acts_for_others_stays_a_client(street: Operator) -> None:
    await street.change("POST", "/devices", {"client": "gateway", "lfdi": "D3" * 20})
    assert "may no longer connect" not in (await street.change("DELETE", "/devices/D2D2"))["message"]
    assert (await street.get("/clients/gateway"))["devices"] == 1
