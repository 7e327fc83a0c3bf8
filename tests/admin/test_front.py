"""What every route has in common: token, audit log, errors, and its description."""

import asyncio
import io
import re
from typing import Any

import msgspec
from msgspec.structs import replace

from sep2.admin.table import routes
from sep2.rest.front import LARGEST_BODY
from sep2.rest.types import Nothing
from tests.admin.bodies import BODIES, CONTROL, SHEET
from tests.admin.conftest import NOW, TOKEN, Operator

NASTY: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    2**200,
    1e308,
    0.5,
    "",
    "\0",
    "\x1b",
    "é" * 33,
    "x" * 10_000,
    [],
    {},
]
EPOCH = re.compile(r"\b1[78]\d{8}\b")
"""A moment about NOW in epoch seconds, which nobody reads."""
NASTY_IDS = ["%00", "%0a", "%", "_", "%2e%2e", "x" * 3000, "%F0%9D%9F%98", "-1", "9" * 30, "null", "%ff%fe"]


async def test_nobody_gets_in_without_the_token(operator: Operator) -> None:
    for shown in ("", "Bearer", f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer \xe9"):
        for path in ("/status", "/openapi.json", "/nothing-here"):
            status, refused = await operator.ask("GET", path, headers={"Authorization": shown})
            assert (status, refused["code"]) == (401, "unauthorized"), shown


async def test_refusals_are_json(operator: Operator) -> None:
    assert (await operator.ask("GET", "/nothing-here"))[0] == 404
    status, refused = await operator.ask("PATCH", "/status")
    assert (status, refused["code"]) == (405, "method_not_allowed")
    status, refused = await operator.ask("POST", "/clients", {"name": "x", "lfdi": "short"})
    assert (status, refused["code"], refused["field"]) == (400, "wrong_body", "lfdi")
    assert refused["message"].endswith("lfdi: Expected 40 hexadecimal digits")
    for field, value in (
        ("lfdi", "A" * 40 + "\n"),
        ("name", "x\n"),
        ("receiver_hosts", ["h\n"]),
        ("connections", ["\n"]),
    ):
        status, refused = await operator.ask("POST", "/clients", {"name": "x", "lfdi": "A" * 40} | {field: value})
        assert (status, refused["code"]) == (400, "wrong_body"), field
        assert "regex" not in refused["message"]
    status, refused = await operator.ask("POST", "/clients", {"name": "x", "lfdi": "A" * 40, "colour": "red"})
    assert (status, refused["code"]) == (400, "wrong_body")
    assert "colour" in refused["message"]
    status, refused = await operator.ask("POST", "/clients", data=b"{")
    assert (status, refused["code"]) == (400, "wrong_body")
    status, refused = await operator.ask("POST", "/clients", data=io.BytesIO(b"x" * (LARGEST_BODY + 1)))
    assert status == 413
    # Sheets may be longer.
    assert (await operator.ask("POST", "/import", data=io.BytesIO(b"x" * 9_000_000)))[0] == 400
    assert (await operator.ask("POST", "/import", data=io.BytesIO(b"x" * 34_000_000)))[0] == 413


async def test_every_change_and_refusal_is_audited_with_who_was_let_in(operator: Operator) -> None:
    body = {"name": "Sunny", "lfdi": "A" * 40, "pin": 111115}
    assert (await operator.ask("POST", "/clients", body, headers={"X-Operator": "maria\t"}))[0] == 200
    assert (await operator.ask("POST", "/clients", body))[0] == 409
    assert (await operator.ask("POST", "/clients?dry_run=true", body))[0] == 409
    refused, entry = (await operator.get("/audit"))["items"]
    assert (refused["verb"], refused["outcome"]) == ("register_client", "refused: client_taken")
    assert (entry["at"], entry["operator"], entry["verb"]) == (NOW, "local", "register_client")
    assert (entry["label"], entry["via"], entry["address"]) == ("maria", "token local", "127.0.0.1")
    assert (entry["outcome"], len(entry["request"])) == ("done", 16)
    assert entry["detail"]["asked"]["pin"] == "(hidden)"
    assert (entry["detail"]["asked"]["name"], entry["detail"]["answered"]["lfdi"]) == ("Sunny", "A" * 40)
    assert await operator.house.db.wait_for_changes(0.001)


def test_every_change_has_a_body_here() -> None:
    assert {route.verb for route in routes() if route.changes and route.asked is not Nothing} == BODIES.keys()


def test_a_change_of_what_can_be_shown_is_audited_with_what_it_was() -> None:
    shown = {route.path: route.handler for route in routes() if route.method == "GET" and not route.is_list}
    for route in routes():
        thing, _, step = route.path.rpartition("/")
        if route.method in ("PUT", "DELETE"):
            thing = route.path
        elif step not in ("rename", "cancel", "release", "extend", "review", "approve", "send", "refuse"):
            continue
        if thing in shown:
            show = shown[thing].__name__
            assert route.before is not None, (route.method, route.path)
            assert route.before.__name__ in (show, show.replace("show_", "before_")), (route.method, route.path)


async def test_no_bad_body_is_the_servers_fault(street: Operator) -> None:
    await street.change("POST", "/places", {"name": "FD1", "kind": "feeder"})
    for path, verb in (("parties", "add_party"), ("ders", "add_der"), ("aggregations", "add_aggregation")):
        await street.change("POST", f"/market/{path}", BODIES[verb])
    await street.change("POST", "/market/aggregations/South/members", BODIES["add_members"])
    await street.change("POST", "/market/aggregations/South/submit")
    tried = 0
    for method, path, good in _changes():
        for bad in _spoilt(good):
            status, said = await street.ask(method, path, data=msgspec.json.encode(bad))
            assert status < 500, (method, path, bad, said)
            assert status < 400 or not EPOCH.search(said["message"]), (method, path, bad, said)
            tried += 1
    assert tried > 500


def _changes() -> list[tuple[str, str, dict[str, Any]]]:
    ids = {"{client}": "Sunny", "{device}": "D1D1", "{group}": "connection%20NMI1", "{control}": "latest"}
    ids |= {
        "{connection}": "NMI1",
        "{override}": "latest",
        "{resource}": "Time",
        "{subscription}": "1",
        "{alarm}": "1",
        "{mirror}": "1",
        "{place}": "FD1",
        "{curve}": "c",
        "{operator}": "local",
        "{receiver}": "x",
        "{approval}": "latest",
        "{entry}": "latest",
        "{party}": "North",
        "{der}": "cell",
        "{aggregation}": "South",
        "{review}": "1",
    }
    found = []
    for route in routes():
        path = route.path
        for name, value in ids.items():
            path = path.replace(name, value)
        if route.verb in BODIES:
            found.append((route.method, path, BODIES[route.verb]))
    # What takes away the things that the others are asked about comes last.
    return sorted(found, key=lambda one: (one[0] == "DELETE", one[1].endswith(("/rename", "/replace-certificate"))))


def _spoilt(good: dict[str, Any]) -> list[dict[str, Any]]:
    bad = [good | {name: value} for name in good for value in NASTY]
    if "controls" in good:
        bad += [good | {"controls": [CONTROL | {name: value}]} for name in CONTROL for value in NASTY]
        bad += [good | {"controls": [CONTROL | {"modes": {"opModConnect": value}}]} for value in NASTY]
    if "places" in good:
        bad += [good | {"places": SHEET | {name: value}} for name in SHEET for value in NASTY]
        bad += [good | {"places": SHEET | {"rows": [[value, value, value]]}} for value in NASTY]
    return bad


async def test_times_in_refusals_are_local(street: Operator) -> None:
    utility = replace(street.house.settings.utility, zone="Australia/Adelaide")
    street.house.settings = replace(street.house.settings, utility=utility)
    ends = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "end": NOW - 1, "reason": "test"}
    _, refused = await street.ask("POST", "/overrides", ends)
    assert refused["message"].endswith("end: 2027-01-15 18:29:59+10:30 is not after 2027-01-15 18:30:00+10:30")


async def test_no_bad_id_is_the_servers_fault(street: Operator) -> None:
    for route in routes():
        if "{" not in route.path:
            continue
        for nasty in NASTY_IDS:
            path = "/".join(nasty if part.startswith("{") else part for part in route.path.split("/"))
            body = msgspec.json.encode(BODIES[route.verb]) if route.verb in BODIES else None
            status, said = await street.ask(route.method, path, data=body)
            assert 400 <= status < 500, (route.method, path, said)


async def test_a_query_that_is_not_understood_is_refused(operator: Operator) -> None:
    for query in ("limit=x", "limit=-1", "limit=501", "total=all", "start=1", "colour=red", "over=maybe"):
        status, refused = await operator.ask("GET", f"/controls?{query}")
        assert (status, refused["code"]) == (400, "wrong_body"), query


async def test_the_description_names_every_route_and_every_type_it_uses(operator: Operator) -> None:
    said = await operator.get("/openapi.json")
    described = {(method.upper(), path) for path, methods in said["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in routes()}
    text = msgspec.json.encode(said).decode()
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= said["components"]["schemas"].keys()
    assert said["paths"]["/clients"]["post"]["operationId"] == "register_client"


async def test_a_change_under_a_key_is_made_once(operator: Operator) -> None:
    body, key = {"name": "Sunny", "lfdi": "A" * 40}, {"Idempotency-Key": "first"}
    made = await operator.ask("POST", "/clients", body, headers=key)
    assert made[0] == 200
    assert await operator.ask("POST", "/clients", body, headers=key) == made
    assert (await operator.get("/audit"))["total"] == 1
    status, refused = await operator.ask("POST", "/clients", body | {"name": "Gale"}, headers=key)
    assert (status, refused["code"]) == (422, "idempotency_key_reused")
    for bad in ("", "x" * 256, "\xe9"):
        status, refused = await operator.ask("POST", "/clients", body, headers={"Idempotency-Key": bad})
        assert (status, refused["code"]) == (400, "bad_idempotency_key"), bad
    operator.advance(NOW + 30 * 86_400)
    assert await operator.ask("POST", "/clients", body, headers=key) == made, "for thirty days"
    operator.advance(NOW + 30 * 86_400 + 1)
    assert (await operator.ask("POST", "/clients", body, headers=key))[0] == 409


async def test_a_refused_or_tried_change_does_not_use_its_key_up(operator: Operator) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"name": "Sunny", "lfdi": "A" * 40}
    assert (await operator.ask("POST", "/connections", {"connection_id": "é"}, headers=key))[0] == 400
    assert (await operator.ask("POST", "/clients?dry_run=true", body, headers=key))[0] == 200
    assert (await operator.ask("POST", "/clients", body, headers=key))[0] == 200


ROUNDS = 20
"""Each is a chance that the second looks just as the first is done."""


async def test_the_same_key_sent_at_once_makes_one_change(operator: Operator) -> None:
    for number in range(1, ROUNDS + 1):
        body, key = {"connection_id": f"NMI{number}"}, {"Idempotency-Key": f"k{number}"}
        asked = [operator.ask("POST", "/connections", body, headers=key) for _ in range(8)]
        answers = await asyncio.gather(*asked)
        assert [status for status, _ in answers] == [200] * 8, answers
    assert (await operator.get("/audit"))["total"] == ROUNDS


LISTS = [
    route.path
    for route in routes()
    if not route.changes and route.is_list and route.path != "/history" and "{" not in route.path
]


async def test_every_list_is_walked_to_its_end_without_a_gap(street: Operator) -> None:
    for number in range(3):
        limits = {"start": NOW, "duration": 60, "limits": {"export_w": number}}
        await street.change("POST", "/connections/NMI1/controls", {"controls": [limits], "anyway": True})
        await street.change("POST", "/groups", {"name": f"g{number}", "primacy": 9, "level": "NT"})
    assert len(LISTS) > 8
    for path in LISTS:
        every = "&over=true" if path == "/controls" else ""
        rows = "rows" if path.startswith("/export/") else "items"
        whole = (await street.get(f"{path}?limit=500{every}"))[rows]
        walked, after = list[Any](), ""
        while True:
            part = await street.get(f"{path}?limit=1{every}{after}")
            walked += part[rows]
            if part["next"] is None:
                break
            after = f"&after={part['next']}"
        assert walked == whole, path


async def test_a_cursor_of_another_list_or_of_nobody_is_refused(street: Operator) -> None:
    of_devices = (await street.get("/devices", limit="1"))["next"]
    cursors = (of_devices, "", "x", "W10", "WzFd", "WyJhIl0", "WzFlNV0", "W251bGxd", "Wy0xLHRydWVd", "é", "W" * 999)
    for path in LISTS:
        for cursor in cursors:
            status, said = await street.ask("GET", path, params={"after": cursor})
            assert status in (200, 400), (path, cursor, said)
            assert status == 200 or said["code"] in ("bad_cursor", "wrong_body"), (path, cursor, said)
    assert (await street.ask("GET", "/groups", params={"after": of_devices}))[0] == 400


async def test_a_value_that_is_none_of_a_list_is_refused_with_the_list(operator: Operator) -> None:
    _, refused = await operator.ask("GET", "/compliance?by=colour")
    assert refused["field"] == "by"
    assert "by: 'colour' is none of client, connection, day, device, direction, " in refused["message"]
    _, refused = await operator.ask("POST", "/overrides", {"scope": "street"})
    assert (refused["field"], "'street' is none of aggregation, aggregator, " in refused["message"]) == ("scope", True)
