"""Overrides of aggregations by the market API: notices, answers, messages without gaps, and signed copies of them."""

import asyncio
import base64
import io
import json
import zipfile
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sep2.partner.table import BASE
from sep2.rules.market import message_signatures
from sep2.rules.webhooks import is_signed
from tests.admin.conftest import NOW
from tests.admin.market import grant_local
from tests.server.market import House

HOUR = 3600


async def with_devices(house: House) -> None:
    """D1 and D2 of North's VPP with a device each."""
    await house.operator.change("POST", "/clients", {"name": "Fleet", "lfdi": "F1" * 20})
    for n in (1, 2):
        body = {"client": "Fleet", "lfdi": f"{n:02d}" * 20, "connection_id": f"C{n}"}
        await house.operator.change("POST", "/devices", body)


def asked(**more: Any) -> dict[str, Any]:
    said = {"aggregation": "VPP", "notice": "emergency", "limits": {"export_w": 2000}, "duration": HOUR}
    return {**said, "reason": "overload", "binding": "line L4", **more}


async def told(partner: Any, after: int = 0) -> list[Any]:
    found = await partner.get(f"/messages?after={after}")
    sequences = [one["sequence"] for one in found["messages"]]
    assert sequences == list(range(after + 1, found["last"] + 1))
    return [(one["kind"], one["body"].get("override")) for one in found["messages"]]


async def test_a_party_is_told_answers_and_nobody_else_can(either_house: House):
    house = either_house
    await with_devices(house)
    sunny, gale = house.as_("sunny"), house.as_("gale")
    before = len(await told(sunny))
    sent = await house.operator.change("POST", "/market/overrides", asked())
    number, path = sent["id"], f"/overrides/{sent['id']}"
    assert await told(sunny, before) == [("override_notice", number)]
    shown = await sunny.get(path)
    assert (shown["answer_by"], [one["export_after_w"] for one in shown["ders"]]) == (NOW + 60, [1000, 1000])
    assert await told(gale) == []
    for method, where, body in (("GET", path, None), ("POST", f"{path}/answer", {"answer": "ack"})):
        status, answer, _ = await gale.ask(method, BASE + where, body)
        assert (status, answer["code"]) == (404, "unknown_market_override")
    status, answer, _ = await sunny.ask("POST", f"{BASE}{path}/answer", {"answer": "ack", "expected_w": 30_000})
    assert (status, answer["answer_by"], answer["answers"][0]["late"]) == (201, None, False)
    # What was answered is not repeated, and a refusal lifts nothing.
    house.operator.advance(NOW + 500)
    await house.operator.house.ladder_watch.once()
    assert await told(sunny, before) == [("override_notice", number)]
    status, answer, _ = await sunny.ask("POST", f"{BASE}{path}/answer", {"answer": "nack", "note": "we can not"})
    assert [(one["answer"], one["late"], one["dispute"]) for one in answer["answers"]] == [
        ("ack", False, ""),
        ("nack", True, "open"),
    ]
    on_desk = await house.operator.get(f"/market/overrides/{number}")
    assert (on_desk["state"], on_desk["answered"], on_desk["disputes"]) == ("active", "all", 1)
    assert (await house.operator.get(f"/overrides/{number}"))["state"] == "active"
    close = {"answer": on_desk["answers"][1]["id"], "outcome": "kept"}
    status, refused = await house.operator.ask("POST", f"/market/overrides/{number}/close-dispute", close)
    assert (status, refused["code"]) == (403, "not_granted")
    await grant_local(house.operator, "reviewer", "supervisor")
    closed = await house.operator.change("POST", f"/market/overrides/{number}/close-dispute", close)
    assert (closed["disputes"], closed["answers"][1]["outcome"]) == (0, "kept")
    # An answer after the release is kept as one that came too late.
    await house.operator.change("POST", f"/overrides/{number}/release", {"reason": "L4 is back"})
    status, answer, _ = await sunny.ask("POST", f"{BASE}{path}/answer", {"answer": "ack"})
    assert (status, answer["state"], answer["answers"][2]["late"]) == (201, "released", True)
    assert [one[0] for one in await told(sunny, before)] == [
        "override_notice",
        "override_dispute_closed",
        "override_released",
    ]
    assert (await sunny.get("/overrides"))["items"] == []
    assert [one["id"] for one in (await sunny.get("/overrides?over=true"))["items"]] == [number]
    assert (await gale.get("/overrides?over=true"))["items"] == []
    # It is in the evidence of its day, and in the regulator's report.
    house.operator.advance(NOW + 2 * HOUR)
    span = {"start": NOW - HOUR, "end": NOW + HOUR}
    await house.operator.change("POST", "/market/settle", {"aggregation": "VPP", **span})
    pack = await sunny.get("/evidence/VPP/2027-01-15")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(pack["content"]))) as files:
        (one,) = json.loads(files.read("overrides.json"))
        assert (one["id"], one["export_limit_w"], one["released"]) == (number, 2000, NOW + 500)
        assert [said["answer"] for said in json.loads(files.read("override_answers.json"))] == ["ack", "nack", "ack"]
        kinds = [said["kind"] for said in json.loads(files.read("override_messages.json"))]
        assert kinds == ["override_notice", "override_dispute_closed", "override_released"]
    report = await house.operator.get("/market/report", **{name: str(at) for name, at in span.items()})
    counts = {name: report["overrides"][name] for name in ("sent", "unlike", "unanswered", "unexplained", "disputes")}
    assert counts == {"sent": 1, "unlike": 0, "unanswered": 0, "unexplained": 0, "disputes": 1}


async def test_many_who_write_to_one_party_at_once_leave_no_gap(either_house: House):
    house = either_house
    await with_devices(house)
    sunny = house.as_("sunny")
    before = len(await told(sunny))
    several = [house.operator.ask("POST", "/market/overrides", asked(start=NOW + HOUR * n)) for n in range(4)]
    refused = [house.operator.ask("POST", "/market/overrides", asked(notice="forecast", binding="")) for _ in range(4)]
    done = await asyncio.gather(*several, *refused)
    assert sorted(status for status, _ in done) == [200] * 4 + [422] * 4
    numbers = sorted(answer["id"] for status, answer in done if status == 200)
    assert sorted(one[1] for one in await told(sunny, before)) == numbers


@pytest.fixture
async def copies():
    """A party's own system: what it was sent, and what it answers next."""
    taken: list[tuple[dict[str, str], bytes]] = []
    answer = {"status": 204}

    async def post(request: web.Request) -> web.Response:
        body = await request.read()
        if answer["status"] == 204:
            taken.append(({name.lower(): value for name, value in request.headers.items()}, body))
        return web.Response(status=answer["status"])

    app = web.Application()
    app.router.add_post("/copies", post)
    async with TestServer(app) as server:
        yield taken, answer, str(server.make_url("/copies"))


async def failed_with(party: Any, error: str) -> None:
    """Wait until the last copy to the party's receiver has failed with this."""
    for _ in range(1500):
        if (await party.get("/webhooks/main"))["error"] == error:
            return
        await asyncio.sleep(0.02)
    raise AssertionError((await party.get("/webhooks/main"))["error"])


async def test_copies_go_signed_to_a_receiver_that_the_party_names(house: House, copies):
    taken, answer, url = copies
    sunny, gale = house.as_("sunny"), house.as_("gale")
    status, refused, _ = await sunny.ask("PUT", f"{BASE}/webhooks/main", {"url": "https://10.0.0.1/x"})
    assert (status, refused["code"]) == (400, "receiver_refused"), "an address of the utility's own network"
    status, made, _ = await sunny.ask("PUT", f"{BASE}/webhooks/main", {"url": url})
    assert (status, made["created"], made["secret"][:6]) == (201, True, "whsec_")
    again = await sunny.ask("PUT", f"{BASE}/webhooks/main", {"url": url})
    assert (again[0], again[1]["secret"]) == (200, "")
    assert made["secret"] not in json.dumps(await house.operator.get("/audit"))
    status, missing, _ = await gale.ask("GET", f"{BASE}/webhooks/main")
    assert (status, missing["code"]) == (404, "unknown_webhook")
    # A receiver of a party is told of no topic, whatever is told to the utility's own systems.
    receiver = (await house.operator.get("/receivers"))["items"][0]
    assert (receiver["name"], receiver["topics"]) == ("North: main", [])
    status, refused = await house.operator.ask("PUT", "/receivers/North:%20main", {"topics": ["audit"]})
    assert (status, refused["code"]) == (409, "partys_receiver")
    await with_devices(house)
    answer["status"] = 503
    key = house.operator.house.settings.market.message_key
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_text("no key")
    sent = await house.operator.change("POST", "/market/overrides", asked())
    await failed_with(sunny, "the copy can not be signed; the log says why")
    key.unlink()
    await house.operator.change("POST", "/receivers/North:%20main/replay")
    await failed_with(sunny, "HTTP 503")
    answer["status"] = 204
    await house.operator.change("POST", "/receivers/North:%20main/replay")
    for _ in range(1500):
        if taken:
            break
        await asyncio.sleep(0.02)
    headers, body = taken[0]
    assert is_signed(made["secret"], headers, body)
    # Whoever is shown a copy can check that it is the utility's, by its public key.
    keys = await sunny.get("/keys")
    assert message_signatures.is_signed(headers["webhook-jws"], body, keys)
    assert not message_signatures.is_signed(headers["webhook-jws"], body + b" ", keys)
    assert "d" not in keys["keys"][0], "no private part"
    said = json.loads(body)["data"]
    (message,) = [one for one in (await sunny.get("/messages"))["messages"] if one["kind"] == "override_notice"]
    assert (said, said["body"]["override"]) == (message, sent["id"])
    status, _, _ = await sunny.ask("DELETE", f"{BASE}/webhooks/main")
    assert status == 200
    assert (await house.operator.get("/receivers"))["items"] == []
