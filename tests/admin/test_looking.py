"""Looking over everything by the operator API: network, calendar, reports, search, history."""

import pytest

from sep2.extension import load
from sep2.operations import diagrams
from sep2.operations.alarms import raise_alarm
from sep2.operations.diagrams import Branch, Expected, Model, Node, Reach
from tests.admin.conftest import NOW, Operator

STEP_S, STEPS = 1800, 48


async def modelled(
    street: Operator, loading: int = 1040, *, name: str = "street", high: int = 10_100, busy: int = 1, run: str = "7F3A"
) -> None:
    """A feeder with NMI1 and NMI2 at it, whose transformer is loaded most from the third step on, in `busy` steps."""
    nodes = [
        Node("source", 0, 0, 240, 0.9, 1.053, []),
        Node("bus", 1, 0, 240, 0.9, 1.053, ["NMI1"]),
        Node("end", 2, 0, 240, 0.9, 1.053, ["NMI2"]),
    ]
    branches = [Branch("T7", "transformer", 0, 1), Branch("L1", "line", 1, 2)]
    quiet = [300, 200]
    found = Expected(
        feeder=name,
        run=run,
        start=NOW - STEP_S,
        step_s=STEP_S,
        model=Model(nodes, branches),
        loading=[quiet, quiet, *[[loading, 250]] * busy, *[quiet] * (STEPS - 2 - busy)],
        low=[[10_000, 9_900, 9_800]] * STEPS,
        high=[[10_000, high, -1]] * STEPS,
        report="12 corners tried",
        reaches={
            "NMI1": [Reach("export", NOW - STEP_S, NOW + 40 * STEP_S, 4200, "over-voltage at node end, phase b")],
            "NMI2": [],
        },
    )
    async with street.house.db.write() as db:
        await diagrams.keep(db, found, NOW)


async def placed(street: Operator) -> None:
    for name, kind, parent in (("FD7", "feeder", None), ("TX1", "transformer", "FD7"), ("TX2", "transformer", "FD7")):
        await street.change("POST", "/places", {"name": name, "kind": kind, "parent": parent})
    await street.change("POST", "/places/TX1/connections", {"connections": ["NMI1", "NMI2"]})


async def test_a_place_shows_the_worst_that_is_expected_below_it(street: Operator) -> None:
    await modelled(street)
    found = (await street.get("/feeders"))["items"]
    assert [(one["feeder"], one["place"]) for one in found] == [("street", None)]
    await placed(street)
    (top,) = (await street.get("/network"))["below"]
    assert top["place"]["name"] == "FD7"
    assert top["loading"] == {
        "value": 1.04, "limit": 1.0, "at": NOW + STEP_S, "where": "transformer T7", "feeder": "street"
    }  # fmt: skip
    assert top["low"]["value"] == 0.98
    below = await street.get("/network", place="FD7")
    assert [(one["place"]["name"], one["loading"] is None) for one in below["below"]] == [("TX1", False), ("TX2", True)]
    assert (below["path"], below["feeders"]) == (["FD7"], [])
    assert (await street.get("/network", place="TX1"))["feeders"] == ["street"]
    # Half of it elsewhere: the feeder lies below what both have in common.
    await street.change("POST", "/places/TX2/connections", {"connections": ["NMI2"]})
    assert (await street.get("/network", place="TX1"))["around"] == ["street"]
    await street.change("DELETE", "/places/TX2", {"to": "FD7"})
    await street.change("DELETE", "/places/TX1", {"to": "FD7"})
    await street.change("DELETE", "/connections/NMI1/place")
    await street.change("DELETE", "/connections/NMI2/place")
    await street.change("DELETE", "/places/FD7")
    assert (await street.get("/feeders"))["items"][0]["place"] is None


async def test_a_feeder_is_shown_step_by_step(street: Operator) -> None:
    await modelled(street)
    shown = await street.get("/feeders/street", at=str(NOW + STEP_S + 5))
    assert (shown["at"], shown["branches"][0]["loading"]) == (NOW + STEP_S, 1.04)
    assert [one["high"] for one in shown["nodes"]] == [1.0, 1.01, None]
    assert (shown["connections"], shown["measured_voltage"]) == (2, 0)
    assert len(shown["course"]) == STEPS
    (busiest, *_) = shown["hours"]
    assert max(busiest["loading"]) == max(one["loading"] for one in shown["course"])
    assert len(busiest["loading"]) == -(-STEPS * STEP_S // 3600)
    late = await street.get("/feeders/street", at=str(NOW + 10**6))
    assert late["at"] == NOW + (STEPS - 2) * STEP_S
    status, refused = await street.ask("GET", "/feeders/nowhere")
    assert (status, refused["code"]) == (404, "unknown_feeder")
    limits = await street.get("/connections/NMI1/limits")
    (reach,) = limits["reaches"]
    assert (reach["reach_w"], reach["binding"]) == (4200, "over-voltage at node end, phase b")
    assert not (await street.get("/connections/NMI2/limits"))["reaches"]


async def test_a_feeder_that_is_known_by_its_folder_is_called_by_the_folders_name(street: Operator) -> None:
    await modelled(street, name="/srv/feeders/north/street")
    assert (await street.get("/feeders/street"))["feeder"]["feeder"] == "/srv/feeders/north/street"
    async with street.house.db.write() as db:
        await raise_alarm(db, "plan_ending", "/srv/feeders/north/street", "1 h left", now=NOW)
    alarms = {one["code"]: one["name"] for one in (await street.get("/alarms"))["items"]}
    assert alarms["plan_ending"] == "street"
    await modelled(street, name="/srv/feeders/south/street")
    status, refused = await street.ask("GET", "/feeders/street")
    assert (status, refused["code"]) == (409, "ambiguous")
    assert "/srv/feeders/north/street, /srv/feeders/south/street" in refused["message"]
    assert (await street.ask("GET", "/feeders/treet"))[0] == 404


async def test_the_calendar_shows_what_was_issued_with_alike_entries_together(street: Operator) -> None:
    override = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "duration": 3600, "reason": "test"}
    sent = await street.change("POST", "/overrides", override)
    control = {"controls": [{"duration": 1800, "start": NOW + 900, "limits": {"export_w": 900}}], "reason": "noon"}
    for connection in ("NMI1", "NMI2"):
        await street.change("POST", f"/connections/{connection}/controls", control)
    found = await street.get("/calendar", **{"from": str(NOW), "until": str(NOW + 7200)})
    bars = {one["source"]: one for one in found["bars"]}
    assert (bars["override"]["subject"], bars["override"]["id"]) == ("connection NMI1", str(sent["id"]))
    assert (bars["schedule"]["count"], bars["schedule"]["reason"]) == (2, "noon")
    assert (bars["schedule"]["start"], bars["schedule"]["end"]) == (NOW + 900, NOW + 2700)
    await street.change("POST", f"/overrides/{sent['id']}/release", {"reason": "over"})
    assert {one["source"] for one in (await street.get("/calendar"))["bars"]} == {"schedule"}
    status, refused = await street.ask("GET", "/calendar", params={"from": str(NOW), "until": str(NOW)})
    assert (status, refused["code"]) == (400, "bad_period")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("nmi", [("connection", "NMI1"), ("connection", "NMI2")]),
        ("NMI2", [("connection", "NMI2")]),
        ("sun", [("client", "Sunny")]),
        ("d1d1", [("device", "D1" * 20)]),
        ("AAAA", [("client", "Sunny"), ("device", "A" * 40)]),
        ("gate", [("client", "gateway"), ("device", "D2" * 20)]),
        ("%", []),
        ("'; DROP", []),
    ],
)
async def test_search_finds_what_begins_so(street: Operator, said: str, found: list[tuple[str, str]]) -> None:
    hits = await street.get("/search", q=said)
    assert [(one["kind"], one["id"]) for one in hits] == found


async def test_the_history_of_a_thing_goes_through_its_names(street: Operator) -> None:
    await street.change("POST", "/connections/NMI1/rename", {"name": "NMI9"})
    await street.change("PUT", "/connections/NMI9", {"description": "corner house"})
    await street.change("PUT", "/connections/NMI2", {"description": "another"})
    found = await street.get("/history", noun="connection", of="NMI9")
    verbs = [one["verb"] for one in found["items"]]
    assert verbs == ["change_connection", "rename_connection", "add_connection"]
    await street.change("DELETE", "/connections/NMI2", {"with_devices": True})
    gone = await street.get("/history", noun="connection", of="NMI2")
    assert [one["verb"] for one in gone["items"]] == ["remove_connection", "change_connection", "add_connection"]


async def test_devices_have_a_make(street: Operator) -> None:
    await street.change("PUT", "/devices/" + "D1" * 20, {"make": "Helios 5"})
    (device,) = [one for one in (await street.get("/devices"))["items"] if one["lfdi"] == "D1" * 20]
    assert device["make"] == "Helios 5"
    report = await street.get("/reports/compliance", by="make")
    assert (report["total"], report["items"]) == (0, [])


async def test_the_engine_is_evaluated_and_operated_by_the_api(street: Operator) -> None:
    if not any(one.name == "envelope" for one in load()):
        pytest.skip("the engine is not installed")
    status = await street.get("/x/envelope/status")
    assert (status["mode"], status["plan"], status["published"]) == ("active", None, "nothing yet")
    effect = await street.get("/x/envelope/evaluate", mode="contract")
    assert isinstance(effect["connections"], list)
    body = {"mode": "contract", "reason": "a fault"}
    await street.change("POST", "/x/envelope/decide", body, dry_run="true")
    assert (await street.get("/x/envelope/status"))["mode"] == "active"
    await street.change("POST", "/x/envelope/decide", body)
    assert (await street.get("/x/envelope/status"))["mode"] == "contract"
    (entry,) = (await street.get("/audit", subject="/x/envelope"))["items"]
    assert entry["verb"] == "decide"
    status, refused = await street.ask("POST", "/x/envelope/decide", body)
    assert (status, refused["code"]) == (400, "nothing_changes")
    await street.change("POST", "/x/envelope/decide", {"mode": "active", "reason": "repaired"})
    assert (await street.get("/x/envelope/curtailed"))["items"] == []
