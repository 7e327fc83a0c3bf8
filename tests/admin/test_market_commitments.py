"""The ledger of commitments by the operator API: conflicts before they are made, cut-off, blocks, and moves."""

import asyncio
from typing import Any

import pytest

from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, make_approved
from tests.admin.published import publish
from tests.admin.test_market_plans import plan, verdict_on

HOUR = 3600
FROM, TO = NOW + 4 * HOUR, NOW + 8 * HOUR
LOCAL = {"service": "local_energy", "holder": "local", "program": "Evening"}


async def energy(operator: Operator, *, hold: bool = True) -> Any:
    """D1, committed to the wholesale energy of VPP for four hours."""
    body = {"der": "D1", "service": "energy", "aggregation": "VPP", "start": FROM, "end": TO, "hold": hold}
    return await operator.change("POST", "/market/commitments", body)


async def move(operator: Operator, number: int, start: int = FROM, end: int = TO) -> tuple[int, Any]:
    return await operator.ask("POST", f"/market/commitments/{number}/move", {**LOCAL, "start": start, "end": end})


async def states(operator: Operator) -> list[tuple[str, str, int, int]]:
    found = (await operator.get("/market/commitments"))["items"]
    return sorted((one["service"], one["state"], one["start"] - NOW, one["end"] - NOW) for one in found)


async def test_a_commitment_is_moved_whole_or_in_part_and_what_excludes_another_is_seen_before(operator: Operator):
    await make_approved(operator)
    held = await energy(operator)
    assert (held["state"], held["conflicts"]) == ("held", [])
    asked = {"der": "D1", **LOCAL, "start": FROM + HOUR, "end": FROM + 2 * HOUR, "profile": "pjm"}
    tried = await operator.change("POST", "/market/commitments", asked, dry_run="true")
    clash = {"commitment": held["id"], "service": "energy", "holder": "wholesale"}
    assert tried["conflicts"] == [{**clash, "start": FROM + HOUR, "end": FROM + 2 * HOUR}]
    status, refused = await operator.ask("POST", "/market/commitments", {**asked, "hold": True})
    assert (status, refused["code"]) == (409, "committed")
    status, moved = await move(operator, held["id"], FROM + HOUR, FROM + 2 * HOUR)
    assert (status, moved["state"], moved["origin"]) == (200, "held", held["id"])
    assert await states(operator) == [
        ("energy", "held", 4 * HOUR, 5 * HOUR),
        ("energy", "held", 6 * HOUR, 8 * HOUR),
        ("local_energy", "held", 5 * HOUR, 6 * HOUR),
    ]
    known = await operator.get("/market/commitments", known_at=str(NOW - 1))
    assert known["total"] == 0
    # The first hour alone goes back to nobody, and what it was is still on record.
    freed = await operator.change("POST", f"/market/commitments/{held['id']}/release", {})
    assert freed["commitment"]["state"] == "released"
    assert [one["state"] for one in freed["commitment"]["versions"]] == ["requested", "held", "held", "released"]


@pytest.mark.parametrize("gets", ["move", "hold"])
async def test_of_ten_who_want_the_same_hours_at_once_exactly_one_gets_them(operator: Operator, gets: str):
    await make_approved(operator)
    if gets == "move":
        number = (await energy(operator))["id"]
        answers = await asyncio.gather(*(move(operator, number) for _ in range(10)))
    else:
        body = {"der": "D1", **LOCAL, "start": FROM, "end": TO, "hold": True}
        answers = await asyncio.gather(*(operator.ask("POST", "/market/commitments", body) for _ in range(10)))
    assert sorted(status for status, _ in answers) == [200, *[409] * 9]
    found = await operator.get("/market/commitments", state="held")
    assert [one["service"] for one in found["items"]] == ["local_energy"]


@BY_RULES
async def test_what_is_too_late_too_short_or_already_used_is_not_moved(operator: Operator):
    await make_approved(operator)
    number = (await energy(operator))["id"]
    status, short = await move(operator, number, TO - 900, TO)
    assert (status, short["code"]) == (422, "min_block")
    status, rest = await move(operator, number, FROM, TO - 900)
    assert (status, rest["code"], rest["faults"][0]["path"]) == (422, "min_block", "rest")
    status, uneven = await move(operator, number, FROM + 7, TO + 7)
    assert (status, uneven["code"]) == (422, "whole_steps")
    status, outside = await move(operator, number, FROM, TO + HOUR)
    assert (status, outside["code"]) == (409, "not_held")
    operator.advance(FROM - 1800)
    status, late = await move(operator, number)
    assert (status, late["code"]) == (409, "cut_off")
    assert await states(operator) == [("energy", "held", 4 * HOUR, 8 * HOUR)]


@BY_RULES
async def test_only_a_member_serves_an_aggregation_and_only_what_it_offers(operator: Operator):
    await make_approved(operator)
    body = {"der": "D1", "service": "energy", "start": FROM, "end": TO}
    wrong = [
        ({}, "missing"),
        ({"aggregation": "VPP", "service": "capacity"}, "not_offered"),
        ({"aggregation": "VPP", "start": NOW - HOUR}, "not_member"),
        ({"holder": "retail"}, "missing"),
    ]
    for said, code in wrong:
        status, answer = await operator.ask("POST", "/market/commitments", {**body, **said})
        assert (status, answer["code"]) == (422, code)
    status, answer = await operator.ask("GET", "/market/commitments/99999")
    assert (status, answer["code"]) == (404, "unknown_commitment")


@BY_RULES
async def test_a_request_is_denied_with_its_reason_and_then_stays_so(operator: Operator):
    await make_approved(operator)
    asked = await energy(operator, hold=False)
    assert asked["state"] == "requested"
    denied = await operator.change("POST", f"/market/commitments/{asked['id']}/deny", {"reason": "retail program"})
    assert (denied["state"], denied["reason"]) == ("denied", "retail program")
    status, answer = await operator.ask("POST", f"/market/commitments/{asked['id']}/hold")
    assert (status, answer["code"]) == (409, "commitment_state")


async def test_what_an_accepted_plan_uses_moves_only_once_a_newer_version_frees_it(operator: Operator):
    await make_approved(operator)
    number = (await energy(operator))["id"]
    await publish(operator, {"C1": 4000, "C2": 5000})
    made = await verdict_on(operator, plan(*[2000.0] * 4, node="DER D1", start=FROM + HOUR))
    assert made["state"] == "ok"
    status, answer = await move(operator, number, FROM + HOUR, FROM + 2 * HOUR)
    assert (status, answer["code"]) == (409, "planned")
    assert f"plan {made['id']} version 1" in answer["message"]
    assert (await move(operator, number, FROM, FROM + HOUR))[0] == 200
    rest = next(one["id"] for one in (await operator.get("/market/commitments"))["items"] if one["service"] == "energy")
    await verdict_on(operator, plan(0, 0, *[2000.0] * 2, node="DER D1", start=FROM + HOUR))
    assert (await move(operator, rest, FROM + HOUR, FROM + 2 * HOUR))[0] == 200
