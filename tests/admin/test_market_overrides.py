"""Overrides of aggregations by the operator API: spread like for like, seconded, announced, repeated, ended, told."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sep2.operations.market import override_joining
from sep2.server.ladder_watch import LadderWatch
from sep2.settings import Settings
from sep2.store.market import overrides
from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, CONTACT, add_aggregation, der, grant, with_devices
from tests.admin.published import publish

HOUR, DAY = 3600, 86_400
PATH = "/market/overrides"


def asked(**more: Any) -> dict[str, Any]:
    said = {"aggregation": "VPP", "notice": "emergency", "limits": {"export_w": 40_000}, "duration": HOUR}
    return {**said, "reason": "overload", "binding": "line L4", **more}


def replaced(settings: Settings, outbox: Path) -> Settings:
    return replace(settings, market=replace(settings.market, outbox=outbox))


async def messages(operator: Operator, party: str, kind: str = "override_notice") -> list[Any]:
    found = (await operator.get("/market/messages", party=party))["items"]
    assert [one["sequence"] for one in found] == list(range(len(found), 0, -1)), "gapless"
    return [one for one in reversed(found) if one["kind"] == kind]


async def look(operator: Operator, to: int) -> None:
    operator.advance(to)
    await operator.house.ladder_watch.once()


async def test_an_emergency_lands_on_the_desk_and_silence_becomes_a_call(operator: Operator):
    await with_devices(operator)
    sheet = await operator.change("POST", PATH, asked(), dry_run="true")
    assert [(one["der"], one["export_before_w"], one["export_after_w"]) for one in sheet["effect"]["ders"]] == [
        ("D1", None, 20_000),
        ("D2", None, 20_000),
    ]
    assert await messages(operator, "North") == []
    sent = await operator.change("POST", PATH, asked(digest=sheet["digest"]))
    assert (sent["scope"], sent["subject"], sent["needs_second"]) == ("aggregation", "VPP", "")
    assert {one["place"]: one["parts"][0]["limits"]["export_w"] for one in sent["places"]} == {
        "connection C1": 20_000,
        "connection C2": 20_000,
    }
    on_desk = await operator.get(f"/overrides/{sent['id']}")
    assert (on_desk["state"], len(on_desk["controls"])) == ("active", 2)
    (first,) = await messages(operator, "North")
    body = first["body"]
    assert (body["override"], body["answer_by"], body["ders"][0]["export_after_w"]) == (sent["id"], NOW + 60, 20_000)
    (copy,) = await messages(operator, "ISO")
    assert (copy["body"]["limits"], "ders" in copy["body"]) == ({"export_w": 40_000}, False)
    # Nobody answers: again after each 60 s, and after the third silence a person has to call.
    for after, count in ((59, 1), (60, 2), (119, 2), (120, 3), (179, 3), (180, 3), (600, 3)):
        await look(operator, NOW + after)
        assert len(await messages(operator, "North")) == count, after
        stands = [one for one in (await operator.get("/alarms"))["items"] if one["code"] == "override_unanswered"]
        assert len(stands) == (after >= 180)
    assert "Ada +15550100" in stands[0]["detail"]
    assert len(await messages(operator, "ISO")) == 1
    shown = await operator.change("POST", f"{PATH}/{sent['id']}/call", {"note": "Ada is on it"})
    assert shown["notices"][0]["called_by"] == "local"
    status, refused = await operator.ask("POST", f"{PATH}/{sent['id']}/call", {"note": "again"})
    assert (status, refused["code"]) == (409, "nobody_to_call")
    await look(operator, NOW + 700)
    assert "override_unanswered" not in {one["code"] for one in (await operator.get("/alarms"))["items"]}
    # Its reason is due within a day; its end is told to both.
    assert shown["reason_due"] == NOW + DAY
    await look(operator, NOW + DAY)
    assert "override_reason_due" in {one["code"] for one in (await operator.get("/alarms"))["items"]}
    await operator.change("POST", f"{PATH}/latest/reason", {"reason": "line L4 tripped"})
    status, refused = await operator.ask("POST", f"{PATH}/latest/reason", {"reason": "twice"})
    assert (status, refused["code"]) == (409, "reason_given")
    await look(operator, NOW + DAY + 1)
    assert "override_reason_due" not in {one["code"] for one in (await operator.get("/alarms"))["items"]}
    for party in ("North", "ISO"):
        assert len(await messages(operator, party, "override_ended")) == 1
        (why,) = await messages(operator, party, "override_reason")
        assert why["body"]["reason_text"] == "line L4 tripped"


async def test_members_that_join_while_it_stands_follow_it_and_its_limits_stay_those_of_all(operator: Operator):
    await with_devices(operator)
    only = await operator.change("POST", PATH, asked(ders=["D1"], limits={"import_w": 50_000}))
    sent = await operator.change("POST", PATH, asked())
    await join(operator, "D3", 3)
    operator.advance(NOW + 60)
    await operator.house.override_watch.once()
    shown = await operator.get(f"{PATH}/{sent['id']}")
    assert {one["der"]: one["export_after_w"] for one in shown["effect"]["ders"]} == dict.fromkeys(
        ("D1", "D2", "D3"), 13_333
    )
    (told,) = await messages(operator, "North", "override_joined")
    assert (told["body"]["override"], told["body"]["joined"]) == (sent["id"], ["D3"])
    assert [one["export_after_w"] for one in told["body"]["ders"]] == [13_333] * 3
    for place in ("C1", "C2", "C3"):
        assert await held_at(operator, place) == 13_333, place
    other = await operator.get(f"{PATH}/{only['id']}")
    assert [one["der"] for one in other["effect"]["ders"]] == ["D1"], "it is for D1 alone"
    # It is done once; released, nobody is held any more.
    await operator.house.override_watch.once()
    assert len(await messages(operator, "North", "override_joined")) == 1
    await operator.change("POST", f"/overrides/{sent['id']}/release", {"reason": "line L4 is back"})
    operator.advance(NOW + 60 + 700)  # devices go over to what holds then within ten minutes
    assert [await held_at(operator, place) for place in ("C1", "C2", "C3")] == [None, None, None]


async def test_who_is_sent_nothing_of_it_is_not_looked_at_each_time(operator: Operator):
    """A member whose device stands beside the holder of its connection's limits keeps no limit of export."""
    await with_devices(operator)
    await operator.change("POST", PATH, asked())
    await operator.change("POST", "/devices", {"client": "Sunny", "lfdi": "33" * 20, "connection_id": "C3"})
    await join(operator, "D3", 3, holds_net_limit=False)
    operator.advance(NOW + 60)
    async with operator.house.db.read() as db:
        (row,) = await overrides.standing(db, NOW + 60)
        assert await override_joining.look(db, row, NOW + 60) is None
    await operator.house.override_watch.once()
    assert await messages(operator, "North", "override_joined") == []


async def held_at(operator: Operator, place: str) -> int | None:
    """The export limit of overrides that holds at a connection now."""
    now = operator.house.clock.now()
    runs = (await operator.get(f"/connections/{place}/limits", **{"from": str(now), "until": str(now + 60)}))["runs"]
    return next((one["watts"] for one in runs if (one["direction"], one["source"]) == ("export", "override")), None)


async def join(operator: Operator, name: str, number: int, **more: Any) -> None:
    """Have a new DER with a device be a member of VPP; more: how that is registered."""
    await operator.change("POST", "/market/ders", der(name, number, lfdi=f"{number:02d}" * 20))
    body = {"client": "Sunny", "lfdi": f"{number:02d}" * 20, "connection_id": f"C{number}"}
    await operator.change("POST", "/devices", body | more)
    await operator.change("POST", "/market/aggregations/VPP/members", {"ders": [name]})
    review = await operator.change("POST", "/market/aggregations/VPP/submit")
    decided = [{"der": name, "outcome": "ok", "evidence": ["telemetry: commissioning test"]}]
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", {"ders": decided})


@BY_RULES
async def test_what_is_planned_needs_another_person_and_is_announced_three_times(operator: Operator):
    await with_devices(operator)
    other = await grant(operator, "Grace", role="operator")
    start = NOW + 8 * DAY
    new = asked(notice="planned", start=start, reason="network_access")
    status, waits = await operator.ask("POST", PATH, new)
    assert (status, waits["state"]) == (202, "waiting")
    assert "second person" in waits["why"]
    path = f"/approvals/{waits['approval']}/approve"
    status, refused = await operator.ask("POST", path)
    assert (status, refused["code"]) == (403, "second_person")
    assert await messages(operator, "North") == []
    done = (await operator.change("POST", path, token=other))["answer"]
    assert (done["operator"], done["second"]) == ("local", "Grace")
    dues = [one["due"] for one in done["notices"] if one["party"] == "North"]
    assert dues == [start - 7 * DAY, start - DAY, start - HOUR]
    assert (await messages(operator, "North"), len(await messages(operator, "ISO"))) == ([], 1)
    for due, count in zip(dues, (1, 2, 3), strict=True):
        await look(operator, due - 1)
        assert {one["body"]["notice"] for one in await messages(operator, "North")} == set(range(1, count))
        await look(operator, due)
        assert {one["body"]["notice"] for one in await messages(operator, "North")} == set(range(1, count + 1))
    last = (await messages(operator, "North"))[-1]
    assert (last["body"]["notice"], last["body"]["answer_by"]) == (3, dues[2] + 900)
    # Too soon for a plan, an element that is not named, and less than contracts grant.
    for wrong, code in (
        ({"notice": "planned", "start": operator.house.clock.now() + 600}, "too_soon_for_planned"),
        ({"notice": "forecast", "binding": ""}, "missing"),
        ({"ders": ["D9"]}, "not_member"),
        ({"node": "nowhere"}, "unknown_node"),
    ):
        status, refused = await operator.ask("POST", PATH, asked(**wrong))
        assert (status, refused["code"]) == (422, code), refused


@BY_RULES
async def test_contracts_are_kept_unless_it_is_an_emergency_and_the_rest_share_like_for_like(operator: Operator):
    await with_devices(operator, firm_w=30_000)
    sheet = await operator.change("POST", PATH, asked(notice="forecast"), dry_run="true")
    after = {one["der"]: (one["export_after_w"], one["kept_by_contract"]) for one in sheet["effect"]["ders"]}
    assert after == {"D1": (30_000, True), "D2": (10_000, False)}
    assert (sheet["effect"]["fraction_ppm"], sheet["effect"]["like_for_like"]) == ({"export_w": 166_666}, False)
    less = asked(notice="forecast", limits={"export_w": 20_000})
    status, refused = await operator.ask("POST", PATH, less, params={"dry_run": "true"})
    assert (status, refused["code"], refused["faults"][0]["value"]) == (422, "below_contract", "20000")
    sheet = await operator.change("POST", PATH, {**less, "notice": "emergency"}, dry_run="true")
    assert {one["export_after_w"] for one in sheet["effect"]["ders"]} == {10_000}
    only = await operator.change("POST", PATH, asked(ders=["D2"]), dry_run="true")
    assert [(one["der"], one["export_after_w"]) for one in only["effect"]["ders"]] == [("D2", 40_000)]
    # Who else is at the element that binds is counted, and why they are spared has to be said.
    await operator.change("POST", "/places", {"name": "T1", "kind": "transformer"})
    await operator.change("POST", "/places/T1/connections", {"connections": ["C1", "C2", "C3"]})
    await operator.change("POST", "/market/ders", {**der("S1", 3), "party": "South"})
    status, refused = await operator.ask("POST", PATH, asked(binding="T1", ders=["D2"]), params={"dry_run": "true"})
    assert (status, refused["code"]) == (422, "non_discrimination_note")
    assert "2 other DERs at T1" in refused["message"]
    said = asked(binding="T1", ders=["D2"], fairness_note="the others have no device")
    sheet = await operator.change("POST", PATH, said, dry_run="true")
    assert (sheet["effect"]["alike"], sheet["effect"]["like_for_like"]) == (2, False)


@BY_RULES
async def test_a_release_is_told_with_its_reason_and_ends_all_notices(operator: Operator, tmp_path: Path):
    await with_devices(operator)
    sent = await operator.change("POST", PATH, asked())
    status, refused = await operator.ask("POST", f"/overrides/{sent['id']}/release", {})
    assert (status, refused["code"]) == (400, "release_without_reason")
    status, refused = await operator.ask("POST", f"/overrides/{sent['id']}/extend", {"duration": 600})
    assert (status, refused["code"]) == (400, "bad_override")
    outbox = tmp_path / "outbox"
    watch = LadderWatch(operator.house.db, operator.house.clock, replaced(operator.house.settings, outbox))
    await watch.once()
    await operator.change("POST", f"/overrides/{sent['id']}/release", {"reason": "L4 is back"})
    await look(operator, NOW + 300)
    for _ in range(2):
        await watch.once()
    files = sorted(outbox.iterdir())
    assert [one.name for one in files] == [f"override-{sent['id']}-{n}.csv" for n in (1, 2)]
    header, line = files[1].read_text().splitlines()
    assert dict(zip(header.split(","), line.split(","), strict=True)) == {
        **{"override_id": str(sent["id"]), "sequence": "2", "state": "released", "iso_resource_id": "R1"},
        **{"iso_node": "N17", "start": "2027-01-15T08:00:00+00:00", "end": "2027-01-15T08:00:00+00:00"},
        **{"direction": "export", "limit_kw": "40", "reason": "overload"},
    }
    assert len(await messages(operator, "North")) == 1
    for party in ("North", "ISO"):
        (over,) = await messages(operator, party, "override_released")
        assert (over["body"]["reason"], over["body"]["at"]) == ("L4 is back", NOW)
    assert (await operator.get(PATH))["items"] == []
    (one,) = (await operator.get(PATH, over="true"))["items"]
    assert (one["state"], one["answered"]) == ("released", "none")


@BY_RULES
async def test_what_holds_after_a_release_is_issued_anew_and_never_looser_meanwhile(operator: Operator):
    await with_devices(operator)
    new = {"controls": [{"start": NOW, "duration": 2 * HOUR, "limits": {"export_w": 50_000}}], "reason": "x"}
    issued = await operator.change("POST", "/groups/connection%20C1/controls", new)
    sent = await operator.change("POST", PATH, asked(limits={"export_w": 40_000}))
    done = await operator.change("POST", f"/overrides/{sent['id']}/release", {"reason": "over", "spread": 0})
    assert (done["cancelled"], done["reissued"]) == (2, 1)
    items = (await operator.get("/controls", group="connection C1"))["items"]
    live = [(one["mrid"], one["limits"]["export_w"], one["start"]) for one in items if one["status"] == 1]
    assert [one[1:] for one in live] == [(50_000, NOW)]
    assert live[0][0] not in str(issued)


async def test_a_party_that_only_rehearses_is_answered_as_any_other_and_nothing_of_it_reaches_a_device(
    operator: Operator,
):
    await with_devices(operator)
    await publish(operator, {"C1": 40_000, "C2": 50_000})
    agreement = {"ref": "drill", "signed": 1_700_000_000}
    said = {"name": "Drill", "status": "active", "contacts": [CONTACT], "agreement": agreement, "test": True}
    assert (await operator.change("POST", "/market/parties", said))["test"] is True
    # The same meters and connections as North's are entered once more.
    for n in (1, 2):
        await operator.change("POST", "/market/ders", {**der(f"X{n}", n), "party": "Drill"})
    await add_aggregation(operator, "REHEARSAL", party="Drill")
    await operator.change("POST", "/market/aggregations/REHEARSAL/members", {"ders": ["X1", "X2"]})
    review = await operator.change("POST", "/market/aggregations/REHEARSAL/submit")
    decided = [{"der": f"X{n}", "outcome": "ok", "evidence": ["telemetry: commissioning test"]} for n in (1, 2)]
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", {"ders": decided})
    await operator.change("PUT", "/market/aggregations/REHEARSAL", {"iso_resource_id": "R2"})
    path = "/market/aggregations/{}/deliverable"
    can = [(await operator.get(path.format(name)))["nodes"][0]["spans"][0]["max_w"] for name in ("VPP", "REHEARSAL")]
    assert can == [90_000, 90_000], "ratings of a rehearsal take no part of a connection"
    sent = await operator.change("POST", PATH, asked(aggregation="REHEARSAL", limits={"export_w": 0}))
    assert {one["export_after_w"] for one in sent["effect"]["ders"]} == {0}
    (notice,) = await messages(operator, "Drill")
    assert notice["body"]["override"] == sent["id"]
    assert await messages(operator, "ISO") == [], "a system operator hears of no rehearsal"
    on_desk = await operator.get(f"/overrides/{sent['id']}")
    assert (on_desk["state"], on_desk["controls"]) == ("active", [])
    assert [await held_at(operator, place) for place in ("C1", "C2")] == [None, None]
    await operator.house.override_watch.once()
    assert await messages(operator, "Drill", "override_joined") == []
    assert (await operator.get(path.format("VPP")))["nodes"][0]["spans"][0]["max_w"] == 90_000
    groups = [one["name"] for one in (await operator.get("/groups"))["items"]]
    assert "aggregation VPP" in groups
    assert "aggregation REHEARSAL" not in groups
    await operator.change("POST", f"/overrides/{sent['id']}/release", {"reason": "the drill is over"})
    assert len(await messages(operator, "Drill", "override_released")) == 1
    report = await operator.get("/market/report", start=str(NOW - DAY), end=str(NOW + DAY))
    assert [one["aggregation"] for one in report["by_aggregation"]] == ["VPP"]
    assert report["overrides"]["sent"] == 0
