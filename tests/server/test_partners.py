"""The market API over mutual TLS: who is let in, what each party sees, and plans that aggregators hand in."""

import asyncio
import ssl
from typing import Any

import aiohttp
import msgspec
import pytest

from sep2.partner.table import BASE, TABLE
from tests.admin.conftest import NOW
from tests.admin.published import publish
from tests.server.market import House, Partner

HALF_HOUR = 1800
START = NOW + HALF_HOUR
PLANS = f"{BASE}/aggregations/VPP/plans"


def plan(*high_w: float, **more: Any) -> dict[str, Any]:
    steps = [
        {"start": START + n * HALF_HOUR, "low_w": 0, "plan_w": high / 2, "high_w": high}
        for n, high in enumerate(high_w)
    ]
    return {"step_s": HALF_HOUR, "name": "today", "nodes": [{"node": "N17", "steps": steps}], **more}


async def checked(partner: Partner, number: int) -> Any:
    """A plan once the server has found its verdict by itself."""
    for _ in range(2000):
        shown = await partner.get(f"/plans/{number}")
        if shown["state"] != "checking":
            return shown
        await asyncio.sleep(0.03)
    raise AssertionError("no verdict came")


async def test_an_aggregator_hands_in_a_plan_once_and_reads_what_the_network_allows(either_house: House):
    await publish(either_house.operator, {"C1": 4000, "C2": 5000})
    sunny = either_house.as_("sunny")
    (node,) = (await sunny.get("/aggregations/VPP/deliverable"))["nodes"]
    assert (node["spans"][0]["max_w"], node["spans"][0]["binding_max"]) == (9000, "over-voltage at node n12")
    first = await sunny.ask("POST", PLANS, plan(9400), Idempotency_Key="key 1")
    again = await sunny.ask("POST", PLANS, plan(9400), Idempotency_Key="key 1")
    assert (first[0], again[0], again[1]) == (201, 201, first[1])
    assert again[2]["Idempotent-Replayed"] == "true"
    status, answer, _ = await sunny.ask("POST", PLANS, plan(1), Idempotency_Key="key 1")
    assert (status, answer["code"]) == (422, "idempotency_key_reused")
    status, answer, _ = await sunny.ask("POST", PLANS, plan(1), Idempotency_Key="")
    assert (status, answer["code"]) == (400, "bad_idempotency_key")
    async with sunny.http.post(sunny.origin + PLANS, data=b"{}") as bare:
        assert (bare.status, (await bare.json())["code"]) == (400, "idempotency_key_missing")
    number = first[1]["id"]
    shown = await checked(sunny, number)
    (step,) = shown["nodes"][0]["steps"]
    assert (shown["state"], step["max_w"], step["binding"]) == ("limit", 9000, "over-voltage at node n12")
    assert len(shown["versions"]) == 1
    # Two posts of one key at the same moment are one version.
    both = await asyncio.gather(
        *(sunny.ask("POST", PLANS, plan(8500), Idempotency_Key="key 2") for _ in range(2)),
        *(sunny.ask("POST", PLANS, plan(8000), Idempotency_Key=f"key {n}") for n in (3, 4)),
    )
    assert [one[0] for one in both] == [201] * 4
    assert both[0][1] == both[1][1]
    assert sorted({one[1]["version"] for one in both}) == [2, 3, 4]
    listed = await sunny.get("/plans?every=true&aggregation=VPP")
    assert sorted(one["version"] for one in listed["items"]) == [1, 2, 3, 4]
    status, answer, _ = await sunny.ask("POST", PLANS, plan(1, price=3))
    assert (status, answer["code"]) == (400, "wrong_body"), "a field that is not known"
    status, answer, _ = await sunny.ask("POST", PLANS, plan(1e12, service="reserve", day="x"))
    assert status == 422
    assert {one["code"] for one in answer["faults"]} == {"not_offered", "bad_day", "beyond_members"}
    # What was handed in is in the utility's audit log under the party's name, without its thousands of steps.
    audit = (await either_house.operator.get("/audit"))["items"]
    entry = next(one for one in audit if one["verb"] == "submit_plan" and one["outcome"] == "done")
    assert entry["operator"] == "party North"
    assert "nodes" not in msgspec.json.encode(entry["detail"]).decode()


async def test_only_a_certificate_that_stands_for_an_active_party_is_let_in(house: House):
    with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
        await house.as_(None).ask("GET", f"{BASE}/party")
    status, answer, _ = await house.as_("stranger").ask("GET", f"{BASE}/party")
    assert (status, answer["code"]) == (403, "no_party")
    assert (await house.as_("sunny").get("/party"))["name"] == "North"
    body = {"lfdi": house.people.lfdi("roof"), "purpose": "2030.5"}
    await house.operator.change("POST", "/market/parties/North/certificates", body)
    status, answer, _ = await house.as_("roof").ask("GET", f"{BASE}/party")
    assert (status, answer["code"]) == (403, "no_party"), "a certificate for 2030.5 alone"
    gale = house.as_("gale")
    assert (await gale.get("/party"))["certificates"] == [house.people.lfdi("gale")]
    await house.operator.change("PUT", "/market/parties/South", {"status": "suspended"})
    status, answer, _ = await gale.ask("GET", f"{BASE}/party")
    assert (status, answer["code"]) == (403, "party_not_active")
    await house.operator.change("PUT", "/market/parties/South", {"status": "active"})
    await house.operator.change("DELETE", f"/market/parties/South/certificates/{house.people.lfdi('gale')}")
    status, answer, _ = await gale.ask("GET", f"{BASE}/party")
    assert (status, answer["code"]) == (403, "no_party"), "also on a connection that was let in before"
    status, answer, _ = await house.as_("sunny").ask("GET", f"{BASE}/party", Origin="https://elsewhere.example")
    assert (status, answer["code"]) == (403, "wrong_origin")


async def test_an_aggregator_sees_its_register_its_reviews_and_their_letters(house: House):
    sunny = house.as_("sunny")
    assert [one["name"] for one in (await sunny.get("/ders"))["items"]] == ["D1", "D2"]
    assert (await sunny.get("/ders/D1"))["facts"]["connection"] == "C1"
    assert (await sunny.get("/aggregations/VPP"))["iso_resource_id"] == "R1"
    members = (await sunny.get("/aggregations/VPP/members"))["items"]
    assert [(one["der"], one["state"]) for one in members] == [("D1", "effective"), ("D2", "effective")]
    (review,) = (await sunny.get("/reviews"))["items"]
    shown = await sunny.get(f"/reviews/{review['id']}")
    assert (shown["state"], [one["outcome"] for one in shown["ders"]]) == ("approved", ["ok", "ok"])
    assert "VPP" in shown["letter_html"]
    described = await sunny.get("/openapi.json")
    assert set(described["paths"]) == {route.path for route in TABLE}
    posts = [one["post"]["parameters"] for one in described["paths"].values() if "post" in one]
    keys = [one for parameters in posts for one in parameters if one["name"] == "Idempotency-Key"]
    assert len(keys) == len(posts)
    assert all(one["required"] for one in keys)
    assert described["components"]["securitySchemes"] == {"certificate": {"type": "mutualTLS"}}
    status, answer, _ = await sunny.ask("GET", "/market/aggregations/VPP/deliverable")
    assert (status, answer["code"]) == (404, "not_found"), "no route of operators"
