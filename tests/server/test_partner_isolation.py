"""No party reads, changes or learns of anything that is another's, on any route of the market API."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from sep2.partner.access import ISO
from sep2.partner.table import BASE, TABLE
from sep2.rest.types import Nothing
from tests.admin.conftest import NOW
from tests.admin.market import der
from tests.server.conftest import Settled
from tests.server.market import House, Partner, house_of
from tests.server.world import People

HOUR = 3600
EVEN = NOW - NOW % HOUR + 2 * HOUR
NAMES = {
    "der": "D1",
    "aggregation": "VPP",
    "review": "1",
    "plan": "1",
    "override": "1",
    "commitment": "1",
    "webhook": "hers",
    "day": "2027-01-15",
}
"""What North has of everything that a path can name."""
OWN = [route for route in TABLE if not route.path.startswith(f"{ISO}/")]
"""Routes of aggregators, and those of every party."""
NONE = {**dict.fromkeys(NAMES, "none"), "day": NAMES["day"]}
MARKS = ('"D1"', '"D2"', "VPP", "North", "today", "hers", '"R1"', "account 1", "line L4")
"""What stands in North's entries, and in nobody else's."""
SPAN = {"start": EVEN, "end": EVEN + HOUR}
STEPS = [{"start": EVEN, "low_w": 0, "plan_w": 1, "high_w": 2}]
BODIES: dict[str, dict[str, Any]] = {
    "put_der": der("x", 1)["facts"],
    "add_ders": {"ders": [{"der": "D1", **der("x", 1)["facts"]}]},
    "put_aggregation": {"profile": "pjm", "iso_nodes": ["N17"], "services": ["energy"], "inject_w": 100_000},
    "change_members": {"add": [{"der": "D1"}], "end": [{"der": "D2"}]},
    "withdraw_aggregation": {"reason": "x"},
    "submit_plan": {"step_s": 1800, "name": "today", "nodes": [{"node": "N17", "steps": STEPS}]},
    "dispute_review": {"about": "x", "basis": "x"},
    "request_commitment": {"der": "D1", "service": "energy", "aggregation": "VPP", **SPAN},
    "move_commitment": {"commitment": 1, "service": "local_energy", "holder": "local", "program": "p"},
    "say_outage": {"der": "D1", "cause": "x", **SPAN},
    "answer_override": {"answer": "ack"},
    "set_webhook": {"url": "https://partner.example/"},
}
OTHERS: dict[str, list[dict[str, Any]]] = {
    "say_outage": [{"aggregation": "VPP", "cause": "x", **SPAN}],
    "request_commitment": [{"der": "S1", "service": "energy", "aggregation": "VPP", **SPAN}],
}
"""More bodies that name something of North's."""
CREATES = {"put_der": "der", "put_aggregation": "aggregation", "set_webhook": "webhook"}
"""Routes that make what is not there yet, by its name."""


@pytest.fixture
async def house(people: People, on_sqlite: Settled, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(people, on_sqlite.url, tmp_path) as made:
        await fill(made)
        yield made


async def fill(house: House) -> None:
    """North has something of everything; South has one DER, S1."""
    sunny, operator = house.as_("sunny"), house.operator
    await operator.change("POST", "/clients", {"name": "Fleet", "lfdi": "F1" * 20})
    body = {"client": "Fleet", "lfdi": "01" * 20, "connection_id": "C1"}
    await operator.change("POST", "/devices", body)
    await operator.change("POST", "/market/ders", {**der("S1", 3), "party": "South"})
    for path, verb in (("aggregations/VPP/plans", "submit_plan"), ("commitments", "request_commitment")):
        assert (await sunny.ask("POST", f"{BASE}/{path}", BODIES[verb]))[0] == 201
    assert (await sunny.ask("POST", f"{BASE}/outages", BODIES["say_outage"]))[0] == 201
    assert (await sunny.ask("PUT", f"{BASE}/webhooks/hers", BODIES["set_webhook"]))[0] == 201
    override = {"aggregation": "VPP", "notice": "emergency", "limits": {"export_w": 1000}, "duration": HOUR}
    await operator.change("POST", "/market/overrides", {**override, "reason": "overload", "binding": "line L4"})
    settled = {"aggregation": "VPP", "start": NOW - 2 * HOUR, "end": NOW - HOUR}
    await operator.change("POST", "/market/settle", settled)


async def everything(partner: Partner) -> dict[str, bytes]:
    """What a party reads on every route that only reads, but what counts as time passes."""
    found = {}
    for route in OWN:
        if route.method == "GET" and "{override}" not in route.path:
            status, answer, _ = await partner.ask("GET", route.path.format(**NAMES))
            assert status == 200, (route.path, answer)
            found[route.path] = msgspec.json.encode(answer)
    return found


async def test_what_is_anothers_is_as_what_does_not_exist_on_every_route(house: House):
    sunny, gale = house.as_("sunny"), house.as_("gale")
    for _ in range(2000):  # until the plan has its verdict, which is told
        if (await sunny.get("/plans/1"))["state"] != "checking":
            break
        await asyncio.sleep(0.03)
    before = await everything(sunny)
    assert any(mark in body.decode() for body in before.values() for mark in MARKS)
    changing = {route.verb for route in OWN if route.changes and route.asked is not Nothing}
    assert changing == BODIES.keys(), "a new route needs a body here"
    for route in OWN:
        body = BODIES.get(route.verb)
        if "{" not in route.path:
            for said in [body, *OTHERS.get(route.verb, ())]:
                status, answer, _ = await gale.ask(route.method, route.path, said)
                assert not _tells(answer) or status in (404, 422), (route.path, answer)  # which say what was asked
                if route.verb in ("request_commitment", "move_commitment", "say_outage"):
                    assert status == 404, (route.path, answer)
                elif route.verb == "add_ders":
                    assert status == 422
            continue
        status, answer, _ = await gale.ask(route.method, route.path.format(**NAMES), body)
        if route.verb == "set_webhook":
            assert (status, answer["created"]) == (201, True), "names of receivers are each party's own"
            assert (await gale.ask("DELETE", route.path.format(**NAMES)))[0] == 200
            continue
        free = {**NONE, CREATES[route.verb]: "new"} if route.verb in CREATES else NONE
        missing = await gale.ask(route.method, route.path.format(**free), body)
        wanted = (404, f"unknown_{CREATES[route.verb]}") if route.verb in CREATES else (404, missing[1].get("code"))
        assert (status, answer["code"]) == wanted, route.path
        assert missing[0] in ((201, 422) if route.verb in CREATES else (404,)), route.path
    assert await everything(sunny) == before


def _tells(answer: Any) -> bool:
    said = msgspec.json.encode(answer).decode()
    return any(mark in said for mark in MARKS)


async def test_no_other_spelling_of_a_name_opens_what_is_anothers(house: House):
    gale, dice = house.as_("gale"), random.Random(7)
    tried = 0
    for route in OWN:
        if route.method != "GET" or "{" not in route.path:
            continue
        for _ in range(12):
            ids = {name: quote(_spelled(value, dice), safe="") for name, value in NAMES.items()}
            status, answer, _ = await gale.ask("GET", route.path.format(**ids))
            assert 400 <= status < 500, (route.path, ids, answer)
            tried += 1
    assert tried > 100
    for route in TABLE:
        if route not in OWN:
            status, answer, _ = await gale.ask(route.method, route.path.format(**NAMES))
            assert (status, answer["code"]) == (403, "not_for_this_party"), route.path
    for query in ("aggregation=VPP", "aggregation=vpp", "aggregation=%20VPP"):
        for path in ("plans", "profile"):
            status, answer, _ = await gale.ask("GET", f"{BASE}/{path}?{query}")
            assert (status, answer["code"]) == (404, "unknown_aggregation")
    # Who waits for news of the same path does not share its answer with another party.
    sunny = house.as_("sunny")
    tags = [(await one.ask("GET", f"{BASE}/aggregations"))[2]["ETag"] for one in (gale, sunny)]
    waits = [
        one.ask("GET", f"{BASE}/aggregations", If_None_Match=tag, Prefer="wait=1")
        for one, tag in zip((gale, sunny), tags, strict=True)
    ]
    assert [one[0] for one in await asyncio.gather(*waits)] == [304, 304]


def _spelled(name: str, dice: random.Random) -> str:
    """The same name as somebody might try it."""
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in name)
    ways = [
        name,
        name.lower(),
        name.upper(),
        f" {name}",
        f"{name} ",
        f"0{name}",
        f"+{name}",
        wide,
        f"{name}\u200b",
        "latest",
    ]
    return dice.choice(ways)
