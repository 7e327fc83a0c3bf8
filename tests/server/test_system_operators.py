"""A system operator by the market API: what it sees of its markets, and the instructions that it hands in."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sep2.partner.access import ISO
from sep2.partner.table import BASE, TABLE
from tests.admin.conftest import NOW
from tests.admin.market import CONTACT, add_aggregation, der
from tests.admin.published import publish
from tests.server.conftest import Settled
from tests.server.market import House, Partner, house_of
from tests.server.world import People

HOUR = 3600
START = NOW - NOW % HOUR + 2 * HOUR


@pytest.fixture
async def house(people: People, on_sqlite: Settled, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(people, on_sqlite.url, tmp_path) as made:
        operator = made.operator
        await operator.change("DELETE", f"/market/parties/South/certificates/{people.lfdi('gale')}")
        said = {"name": "ISO", "kind": "iso", "status": "active", "contacts": [CONTACT], "market_ids": {"pjm": "P"}}
        await operator.change("POST", "/market/parties", said)
        body = {"lfdi": people.lfdi("gale"), "purpose": "market"}
        await operator.change("POST", "/market/parties/ISO/certificates", body)
        yield made


def instruction(number: str = "I-1", **more: Any) -> dict[str, Any]:
    said = {"iso_dispatch_id": number, "iso_resource_id": "R1", "issued_at": NOW, "target_w": 90_000}
    return {**said, "start": START, "end": START + HOUR, **more}


async def post(iso: Partner, *said: dict[str, Any], key: str = "") -> tuple[int, Any]:
    headers = {"Idempotency_Key": key} if key else {}
    status, answer, _ = await iso.ask("POST", f"{BASE}/iso/dispatches", {"dispatches": list(said)}, **headers)
    return status, answer


async def test_a_system_operator_sees_its_markets_without_customers_and_what_they_agreed_to(house: House):
    iso, operator = house.as_("gale"), house.operator
    await publish(operator, {"C1": 40_000, "C2": 50_000})
    await add_aggregation(operator, "Elsewhere", profile="nyiso")
    await add_aggregation(operator, "Proposed")
    (found,) = (await iso.get("/iso/aggregations"))["items"]
    assert (found["name"], found["party"], found["members"]) == ("VPP", "North", 2)
    assert (found["iso_resource_id"], found["distribution_ppm"]) == ("R1", {"N17": 1_000_000})
    assert found["distribution_by"] == "rating"
    body = {"declared_factors_ppm": {"N17": 1_000_000}}
    await operator.change("PUT", "/market/aggregations/VPP", body)
    assert (await iso.get("/iso/aggregations/VPP"))["distribution_by"] == "declared"
    for name in ("Elsewhere", "Proposed", "none"):
        status, answer, _ = await iso.ask("GET", f"{BASE}/iso/aggregations/{name}")
        assert (status, answer["code"]) == (404, "unknown_aggregation"), name
    assert await iso.get("/iso/aggregations/VPP/members") == {"members": [], "not_disclosed": 2}
    consent = {"scopes": ["registration", "telemetry", "disclosure_to_iso"], "given_by": "the customer"}
    await operator.change("PUT", "/market/ders/D2/consent", consent)
    shown = await iso.get("/iso/aggregations/VPP/members")
    assert ([one["der"] for one in shown["members"]], shown["not_disclosed"]) == (["D2"], 1)
    (node,) = (await iso.get("/iso/aggregations/VPP/deliverable"))["nodes"]
    assert (node["node"], node["spans"][0]["max_w"]) == ("N17", 90_000)
    status, answer, _ = await iso.ask("GET", f"{BASE}/iso/aggregations/VPP/deliverable?level=der")
    assert (status, answer["code"]) == (400, "wrong_body"), "no limits of single customers"
    (review,) = (await iso.get("/iso/reviews"))["items"]
    assert (review["state"], review["outcomes"]) == ("approved", {"ok": 2})
    outage = {"start": START, "end": START + HOUR, "available_w": 10_000, "cause": "repair"}
    sunny = house.as_("sunny")
    for who in ({"der": "D1"}, {"der": "D2"}, {"aggregation": "VPP"}):
        assert (await sunny.ask("POST", f"{BASE}/outages", {**who, **outage}))[0] == 201
    derates = (await iso.get("/iso/derates"))["items"]
    assert [(one["aggregation"], one["der"], one["cause"]) for one in derates] == [
        ("VPP", "", "repair"),
        ("VPP", "D2", "repair"),
        ("VPP", "", ""),
    ]


async def test_a_system_operator_hands_in_dispatch_and_is_told_what_limits_keep_from_it(house: House):
    iso, operator = house.as_("gale"), house.operator
    status, taken = await post(iso, instruction(), instruction("I-2", kind="award", target_w=-20_000), key="one")
    assert (status, taken["known"]) == (201, 0)
    assert [(one["aggregation"], one["deliverable_w"], one["beyond_limit"]) for one in taken["added"]] == [
        ("VPP", 90_000, 0),
        ("VPP", -20_000, 0),
    ]
    assert await post(iso, instruction(), instruction("I-2", kind="award", target_w=-20_000), key="one") == (201, taken)
    status, again = await post(iso, instruction())
    assert (status, again) == (201, {"added": [], "known": 1})
    status, more = await post(iso, instruction(target_w=150_000))
    assert (more["added"][0]["sequence"], more["added"][0]["deliverable_w"]) == (2, 120_000)
    told = (await iso.get("/messages"))["messages"]
    assert told[-1]["kind"] == "dispatch_beyond_limit"
    assert (told[-1]["body"]["deliverable_w"], "beyond_limit" in told[-1]["body"]) == (120_000, False)
    assert [one["target_w"] for one in (await iso.get("/iso/dispatches"))["items"]] == [150_000, -20_000]
    await operator.change("POST", "/clients", {"name": "Fleet", "lfdi": "F1" * 20})
    await operator.change("POST", "/devices", {"client": "Fleet", "lfdi": "01" * 20, "connection_id": "C1"})
    # An override of the aggregation is seen, and what it leaves of the instruction, before it begins.
    override = {"aggregation": "VPP", "notice": "emergency", "limits": {"export_w": 1000}, "duration": 9 * HOUR}
    sent = await operator.change("POST", "/market/overrides", {**override, "reason": "overload", "binding": "line L4"})
    (seen,) = (await iso.get("/iso/overrides"))["items"]
    assert (seen["id"], seen["iso_resource_id"], seen["limits"]) == (sent["id"], "R1", {"export_w": 1000})
    await operator.change("POST", f"/overrides/{sent['id']}/release", {"reason": "the line is back"})
    assert (await iso.get("/iso/overrides"))["items"] == []
    (seen,) = (await iso.get("/iso/overrides?over=true"))["items"]
    assert seen["released"] == NOW
    # What is wrong is said all at once, and nothing is kept of it.
    status, refused = await post(iso, instruction("I-9", iso_resource_id="R9"), instruction("I-8", end=START))
    assert (status, refused["faults"][0]["path"]) == (422, "dispatches[1].end")
    status, refused = await post(iso, instruction("I-9", iso_resource_id="R9"))
    assert (status, refused["code"]) == (422, "unknown_resource")


async def test_a_system_operator_names_resources_and_no_party_uses_the_other_kinds_routes(house: House):
    iso, sunny, operator = house.as_("gale"), house.as_("sunny"), house.operator
    path = f"{BASE}/iso/aggregations/VPP/registration"
    status, named, _ = await iso.ask("PUT", path, {"iso_resource_id": "R-77"})
    assert (status, named["iso_resource_id"]) == (200, "R-77")
    assert (await sunny.get("/aggregations/VPP"))["iso_resource_id"] == "R-77"
    status, _ = await post(iso, instruction(iso_resource_id="R-77"))
    assert status == 201
    status, answer, _ = await sunny.ask("GET", f"{BASE}/iso/aggregations")
    assert (status, answer["code"]) == (403, "not_for_this_party")
    for method, own in (("GET", "/ders"), ("PUT", "/ders/x"), ("GET", "/plans"), ("GET", "/aggregations/VPP")):
        status, answer, _ = await iso.ask(method, BASE + own, der("x", 9)["facts"] if method == "PUT" else None)
        assert (status, answer["code"]) == (403, "not_for_this_party"), own
    assert (await iso.get("/party"))["kind"] == "iso"
    assert (await iso.get("/profile?name=pjm"))["name"] == "pjm"
    assert (await iso.get("/webhooks"))["items"] == []
    # What another system operator calls its instruction is not this one's to change.
    other = {"name": "NY", "kind": "iso", "status": "active", "contacts": [CONTACT], "market_ids": {"nyiso": "N"}}
    await operator.change("POST", "/market/parties", other)
    await operator.change("DELETE", f"/market/parties/ISO/certificates/{house.people.lfdi('gale')}")
    await operator.change("POST", "/market/parties/NY/certificates", {"lfdi": house.people.lfdi("gale")})
    bodies = {
        "register_iso_resource": {"iso_resource_id": "R-78"},
        "hand_in_dispatches": {"dispatches": [instruction()]},
    }
    for route in TABLE:
        if route.path.startswith(f"{ISO}/"):
            status, answer, _ = await iso.ask(
                route.method, route.path.format(aggregation="VPP"), bodies.get(route.verb)
            )
            if "{" in route.path:
                assert (status, answer["code"]) == (404, "unknown_aggregation"), route.path
            elif route.changes:
                assert (status, answer["code"]) == (422, "unknown_resource")
            else:
                assert (status, answer["items"]) == (200, []), route.path
