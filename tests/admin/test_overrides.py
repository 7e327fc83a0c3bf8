"""Overrides and schedules through the operator API."""

from typing import Any

import msgspec
import pytest

from tests.admin.conftest import NOW, Operator


def override(**more: Any) -> dict[str, Any]:
    asked = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "duration": 600, "reason": "overload"}
    return asked | more


async def in_force(operator: Operator, device: str = "D1D1") -> dict[str, tuple[int, str]]:
    shown = (await operator.get(f"/devices/{device}"))["in_force"]
    return {one["mode"]: (one["value"], one["source"]) for one in shown}


async def test_an_override_is_sent_listed_shown_and_released(street: Operator) -> None:
    await street.change("PUT", "/groups/connection%20NMI1/default", {"limits": {"export_w": 1500}})
    sent = await street.change("POST", "/overrides", override(note="transformer 118"))
    assert (sent["state"], sent["connections"], sent["devices"], sent["until"]) == ("active", 1, 1, NOW + 600)
    assert (sent["replaces"], sent["after"]) == ({"default": 1}, {"default": 1})
    assert (sent["told_at_once"], sent["known_by"]) == (0, NOW + 300)
    assert await in_force(street) == {"opModExpLimW": (0, "override")}
    (listed,) = (await street.get("/overrides"))["items"]
    assert (listed["id"], listed["reason"], listed["note"]) == (sent["id"], "overload", "transformer 118")
    shown = await street.get("/overrides/latest")
    assert (shown["controls"], shown["places"]) == (sent["controls"], ["override of connection NMI1"])
    done = await street.change("POST", f"/overrides/{sent['id']}/release", {"reason": "it is over"})
    assert (done["state"], done["cancelled"], done["until"]) == ("released", 1, NOW)
    assert await in_force(street) == {"opModExpLimW": (1500, "default")}
    assert (await street.get("/overrides"))["total"] == 0
    assert (await street.get("/overrides", over="true"))["total"] == 1
    status, refused = await street.ask("POST", f"/overrides/{sent['id']}/release", {})
    assert (status, refused["code"]) == (409, "override_over")


async def test_a_dry_run_says_all_of_it_and_changes_nothing(street: Operator) -> None:
    before = await street.get("/status"), await street.get("/audit")
    tried = await street.change("POST", "/overrides", override(scope="system", subject=""), dry_run="true")
    assert (tried["connections"], tried["devices"], tried["after"]) == (2, 2, {"nothing": 2})
    assert tried["until"] == NOW + 1200
    assert (await street.get("/overrides", over="true"))["total"] == 0
    assert before == (await street.get("/status"), await street.get("/audit"))


@pytest.mark.parametrize(
    ("why", "changes", "code"),
    [
        ("no end", {"duration": None}, "override_without_end"),
        ("no reason", {"reason": ""}, "override_without_reason"),
        ("a year", {"duration": 366 * 86_400}, "override_too_long"),
        ("5 MW at a house", {"limits": {"export_w": 5_000_000}}, "limit_beyond_rating"),
        ("it asks for nothing", {"limits": {}}, "bad_override"),
        ("nobody", {"scope": "group", "subject": "nobody"}, "override_reaches_nobody"),
    ],
)
async def test_what_can_not_be_sent_is_refused_by_its_code(
    street: Operator, why: str, changes: dict[str, Any], code: str
) -> None:
    await street.change("POST", "/groups", {"name": "nobody", "primacy": 9})
    status, refused = await street.ask("POST", "/overrides", override(**changes))
    assert 400 <= status < 500, why
    assert refused["code"] == code


async def test_one_that_tightens_nothing_is_refused_and_a_big_one_goes_anyway(street: Operator) -> None:
    await street.change("POST", "/overrides", override(limits={"export_w": 5_000_000}, anyway=True))
    await street.change("PUT", "/groups/connection%20NMI2/default", {"limits": {"export_w": 1500}})
    status, refused = await street.ask("POST", "/overrides", override(subject="NMI2", limits={"export_w": 1500}))
    assert (status, refused["code"]) == (409, "override_loosens")


async def test_who_can_not_be_told_is_named_with_why(street: Operator) -> None:
    await street.change("POST", "/connections", {"connection_id": "NMI3"})
    new = {"lfdi": "D3" * 20, "client": "Sunny", "connection_id": "NMI1", "holds_net_limit": False}
    await street.change("POST", "/devices", new)
    await street.change("POST", "/devices", {"lfdi": "D4" * 20, "connection_id": "NMI3", "profile": "csip"})
    asked = override(scope="system", subject="", limits={"import_w": 1000})
    sent = await street.change("POST", "/overrides", asked)
    assert {one["lfdi"][:2]: one["why"] for one in sent["untold"]} == {
        "D3": "another device holds the limits of its connection",
        "D4": "profile csip can not carry the import limit",
    }
    assert sent["told_at_once"] + sent["told_by_polling"] == sent["devices"] - 1
    (effect,) = sent["effects"]
    assert effect["untold"] == 1, "who is told nothing holds nothing back"

    asked = override(subject="NMI3", limits={"import_w": 500})
    sent = await street.change("POST", "/overrides", asked, dry_run="true")
    (effect,) = sent["effects"]
    assert (effect["reach_then_w"], sent["told_by_polling"]) == (effect["reach_now_w"], 0)


async def test_who_gets_a_percentage_of_no_setmaxw_is_told_and_named(street: Operator) -> None:
    await street.change("POST", "/connections", {"connection_id": "NMI3"})
    await street.change("POST", "/devices", {"lfdi": "D4" * 20, "connection_id": "NMI3", "profile": "csip"})
    sheet = await street.change(
        "POST", "/overrides", override(subject="NMI3", limits={"export_w": 500}), dry_run="true"
    )
    assert (sheet["untold"], sheet["told_by_polling"]) == ([], 1)
    (note,) = sheet["notes"]
    assert (note["connection_id"], note["code"], sheet["noted"]) == ("NMI3", "set_max_w", 1)
    assert note["sentence"] == "it has not reported a setMaxW; the limit is sent as 0 %"

    both = override(subject="NMI3", limits={"export_w": 500, "import_w": 500})
    sheet = await street.change("POST", "/overrides", both, dry_run="true")
    (untold,) = sheet["untold"]
    assert "import limit" in untold["why"]
    assert [one["code"] for one in sheet["notes"]] == ["set_max_w"], "and not once more what it can not be told"


async def test_a_control_for_a_connection_goes_to_its_schedule_and_one_for_a_device_to_where_that_is(
    street: Operator,
) -> None:
    asked = {"controls": [{"duration": 60, "limits": {"export_w": 1}}]}
    sent = await street.change("POST", "/connections/NMI1/controls", asked)
    assert sent["group"] == "schedule of connection NMI1"
    assert (await street.change("POST", "/devices/D1D1/controls", asked))["kept"] == sent["created"]
    assert await in_force(street) == {"opModExpLimW": (1, "schedule")}
    hidden = {"override", "wide-override", "schedule"}
    assert not hidden & {one["role"] for one in (await street.get("/groups"))["items"]}
    assert hidden < {one["role"] for one in (await street.get("/groups", every="true"))["items"]}


async def test_the_members_of_a_group_that_something_more_important_holds_are_named(street: Operator) -> None:
    await street.change("POST", "/groups", {"name": "feeder", "primacy": 7})
    await street.change("POST", "/groups/feeder/devices", {"devices": ["D1D1", "D2D2"]})
    await street.change("POST", "/overrides", override())
    asked = {"controls": [{"duration": 900, "limits": {"export_w": 100}}]}
    for dry_run in ("true", "false"):
        sent = await street.change("POST", "/groups/feeder/controls", asked, dry_run=dry_run)
        assert [(one["connection_id"], one["by"], one["until"]) for one in sent["outranked"]] == [
            ("NMI1", "override", NOW + 600)
        ]


async def test_a_schedule_uses_the_curves_of_its_connection(street: Operator) -> None:
    points = [{"x": 98, "y": 0}, {"x": 102, "y": -44}]
    curve = await street.change("POST", "/groups/connection%20NMI1/curves", {"kind": "opModVoltVar", "points": points})
    asked = {"controls": [{"duration": 60, "modes": {"opModVoltVar": curve["mrid"]}}]}
    await street.change("POST", "/connections/NMI1/controls", asked)
    assert (await in_force(street))["opModVoltVar"][1] == "schedule"
    assert (await street.get("/curves", group="schedule of connection NMI1"))["total"] == 1


@pytest.mark.parametrize("role", ["override", "wide override"])
async def test_only_overrides_are_sent_to_their_programs_and_none_of_these_has_a_default(
    street: Operator, role: str
) -> None:
    group = f"/groups/{role} of connection NMI1".replace(" ", "%20")
    body = {"controls": [{"duration": 3600, "limits": {"export_w": 0}}]}
    status, answer = await street.ask("POST", f"{group}/controls", body)
    assert (status, answer["code"]) == (400, "only_overrides")
    for name in (group, "/groups/schedule%20of%20connection%20NMI1"):
        status, answer = await street.ask("PUT", f"{name}/default", {"limits": {"export_w": 0}})
        assert (status, answer["code"]) == (400, "only_controls")


async def test_a_group_that_outranks_an_override_is_named_in_the_answer(street: Operator) -> None:
    await street.change("POST", "/groups", {"name": "first", "primacy": 0})
    await street.change("POST", "/groups/first/devices", {"devices": ["D1D1"]})
    sent = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "duration": 600, "reason": "test"}
    assert (await street.change("POST", "/overrides?dry_run=true", sent))["warning"] == ""
    body = {"controls": [{"duration": 3600, "limits": {"export_w": 8000}}]}
    await street.change("POST", "/groups/first/controls", body)
    warning = (await street.change("POST", "/overrides", sent))["warning"]
    assert warning == "Controls of group first outrank it by their primacy."


async def test_a_group_that_outranks_overrides_is_an_alarm_and_refused_in_production(operator: Operator) -> None:
    await operator.change("POST", "/groups", {"name": "first", "primacy": 1})
    (alarm,) = [one for one in (await operator.get("/alarms"))["items"] if one["code"] == "group_order"]
    assert (alarm["subject"], alarm["priority"]) == ("first", 3)
    await operator.change("PUT", "/groups/first", {"primacy": 5})
    assert "group_order" not in {one["code"] for one in (await operator.get("/alarms"))["items"]}
    operator.house.settings = msgspec.structs.replace(operator.house.settings, mode="production")
    status, refused = await operator.ask("PUT", "/groups/first", {"primacy": 4})
    assert (status, refused["code"]) == (400, "group_order")
    assert "primacy: 4 is not above 4" in refused["message"]
