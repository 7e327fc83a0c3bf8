"""Reviews of aggregations by the operator API: their clock, screens, decisions, letters and disputes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sep2.extension import Extension
from sep2.rules.market.screens import Result, ReviewAsked, ScreenResult
from sep2.server.reviews import ReviewWatch
from tests.admin.conftest import Operator
from tests.admin.market import BY_RULES, der, grant, grant_local, make_aggregation, make_parties

NEW_YORK = ZoneInfo("America/New_York")
DAY = 86_400
OK = {"others": "ok"}
ANSWERED = ["telemetry: readings were shown at the commissioning test"]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp())


SUBMITTED = at("2027-01-15T10:00")


async def submitted(operator: Operator, **said: Any) -> dict[str, Any]:
    """A review of an aggregation with two DERs, handed in on 2027-01-15."""
    await grant_local(operator, "reviewer")
    await make_parties(operator)
    await make_aggregation(operator, **said)
    operator.advance(SUBMITTED)
    return await operator.change("POST", "/market/aggregations/VPP/submit")


def ok(*names: str, **said: Any) -> dict[str, Any]:
    """A decision that these DERs are ok, with an answer to the screen that failed."""
    return {"ders": [{"der": name, "outcome": "ok", "evidence": ANSWERED, **said} for name in names]}


async def alarms(operator: Operator) -> set[str]:
    await operator.house.review_watch.once()
    return {one["code"] for one in (await operator.get("/alarms"))["items"]}


async def test_the_clock_turns_amber_red_and_alarm_and_overdue_approves_nothing(operator: Operator):
    review = await submitted(operator)
    assert review["state"] == "in_review"
    due = datetime.fromtimestamp(review["due_at"], NEW_YORK)
    assert due.isoformat() == "2027-03-16T23:59:59-04:00"
    turned: dict[str, int] = {}
    raised: dict[str, int] = {}
    for day in (27, 29, 30, 47, 48, 56, 57, 60, 61):
        noon = datetime.fromtimestamp(SUBMITTED, NEW_YORK) + timedelta(days=day)
        operator.advance(int(noon.timestamp()))
        shown = await operator.get(f"/market/reviews/{review['id']}")
        turned.setdefault(shown["clock"], shown["elapsed_days"])
        if day > 55:
            for code in await alarms(operator) & {"review_ending", "review_overdue"}:
                raised.setdefault(code, day)
    assert turned == {"green": 27, "amber": 30, "red": 48, "alarm": 57, "overdue": 60}
    assert raised == {"review_ending": 57, "review_overdue": 61}
    assert shown["state"] == "overdue"
    assert (await operator.get("/market/aggregations/VPP"))["status"] == "under_review"
    assert "review_ending" not in await alarms(operator)
    # It can still be decided, and the alarm is over.
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", ok("D1", "D2"))
    assert "review_overdue" not in await alarms(operator)


@BY_RULES
async def test_pauses_do_not_count_where_the_market_allows_them(operator: Operator):
    review = await submitted(operator, profile="custom")
    path = f"/market/reviews/{review['id']}"
    # The profile custom has days in UTC: the pause covers the noons of ten dates there, and of eleven in New York.
    operator.advance(int(datetime(2027, 2, 1, 9, tzinfo=UTC).timestamp()))
    paused = await operator.change("POST", f"{path}/pause", {"asked_for": "the study"})
    assert (paused["state"], paused["clock"], paused["due_at"]) == ("paused", "paused", None)
    status, answer = await operator.ask("POST", f"{path}/decide", OK)
    assert (status, answer["code"]) == (409, "wrong_state")
    assert "decide in state paused" in answer["message"]
    operator.advance(int(datetime(2027, 2, 11, 15, tzinfo=UTC).timestamp()))
    resumed = await operator.change("POST", f"{path}/resume", {"answer": "it came"})
    due = datetime.fromtimestamp(resumed["due_at"], UTC)
    assert due.date().isoformat() == "2027-03-27"
    assert [one["asked_for"] for one in resumed["pauses"]] == ["the study"]


@BY_RULES
async def test_business_days_leave_out_a_holiday_of_the_utilitys_own_profile(operator: Operator, tmp_path):
    own = 'extends = "caiso"\nname = "caiso"\nholidays = [2027-03-31]\n'
    (tmp_path / "caiso.toml").write_text(own)
    market = msgspec.structs.replace(operator.house.settings.market, profiles=tmp_path)
    operator.house.settings = msgspec.structs.replace(operator.house.settings, market=market)
    await grant_local(operator, "reviewer")
    await make_parties(operator)
    await make_aggregation(operator, profile="caiso", inject_w=500_000)
    zone = ZoneInfo("America/Los_Angeles")
    operator.advance(int(datetime(2027, 3, 1, 8, tzinfo=zone).timestamp()))
    review = await operator.change("POST", "/market/aggregations/VPP/submit")
    assert datetime.fromtimestamp(review["due_at"], zone).date().isoformat() == "2027-04-13"


@BY_RULES
async def test_a_submission_says_what_it_lacks_and_its_clock_begins_when_that_has_come(operator: Operator):
    await make_parties(operator)
    await operator.change("PUT", "/market/parties/North", {"status": "prospective"})
    await make_aggregation(operator)
    await operator.change("DELETE", "/market/ders/D2/consent")
    operator.advance(SUBMITTED)
    review = await operator.change("POST", "/market/aggregations/VPP/submit")
    assert (review["state"], review["due_at"]) == ("incomplete", None)
    assert [one.split(":")[0] for one in review["missing"]] == ["party is 'prospective'", "D2"]
    status, answer = await operator.ask("POST", "/market/aggregations/VPP/withdraw", {"reason": "x"})
    assert (status, answer["code"]) == (409, "wrong_status")
    operator.advance(SUBMITTED + 5 * DAY)
    await operator.change("PUT", "/market/parties/North", {"status": "active"})
    consent = {"scopes": ["registration"], "given_by": "the customer"}
    await operator.change("PUT", "/market/ders/D2/consent", consent)
    again = await operator.change("POST", "/market/aggregations/VPP/submit")
    assert (again["id"], again["state"]) == (review["id"], "in_review")
    assert datetime.fromtimestamp(again["due_at"], NEW_YORK).date().isoformat() == "2027-03-21"
    status, answer = await operator.ask("POST", "/market/aggregations/VPP/submit")
    assert (status, answer["code"]) == (409, "review_open")


@BY_RULES
async def test_without_an_engine_the_network_is_not_said_to_be_ok(operator: Operator):
    review = await submitted(operator)
    watch = ReviewWatch(operator.house.db, operator.house.clock, operator.house.settings, extensions=[])
    before = {(one["screen"], one["result"], one["cause"]) for one in review["screens"] if one["der"] == "D1"}
    assert ("hosting_node", "cannot_tell", "not_studied") in before
    await watch.once()
    shown = await operator.get(f"/market/reviews/{review['id']}")
    found = {one["screen"]: (one["result"], one["cause"]) for one in shown["screens"] if one["der"] == "D1"}
    assert found == {
        "capability": ("pass", ""),
        "identity": ("pass", ""),
        "double_counting": ("pass", ""),
        "telemetry": ("fail", "no_device"),
        "mapping": ("cannot_tell", "no_engine"),
        "hosting_node": ("cannot_tell", "no_engine"),
        "hosting_feeder": ("cannot_tell", "no_engine"),
    }


class FullTransformer:
    """An engine for which one phase is wrong and a transformer is full."""

    asked: ReviewAsked | None = None

    def review(self, settings: Any, asked: ReviewAsked) -> list[ScreenResult]:
        FullTransformer.asked = asked
        return [
            ScreenResult(
                screen="mapping", der="D2", result=Result.FAIL, cause="phase", detail="model: B, registered: A"
            ),
            ScreenResult(
                screen="hosting_node", der="D3", result=Result.FAIL, cause="overload", binding="TX-118", limit_w=31_000
            ),
            ScreenResult(screen="hosting_feeder", result=Result.PASS),
        ]


class Broken:
    """An engine that fails."""

    def review(self, settings: Any, asked: ReviewAsked) -> list[ScreenResult]:
        raise RuntimeError("the model is gone")


FULL, BROKEN = FullTransformer(), Broken()
HERE = "tests.admin.test_market_reviews"


async def test_three_ders_fail_three_screens_and_none_is_approved_over_them(operator: Operator):
    await grant_local(operator, "reviewer")
    await make_parties(operator)
    await operator.change("POST", "/market/ders", der("D1", 1, export_agreement_w=50_000))
    await operator.change("POST", "/market/ders", der("D2", 2, phases="A"))
    await operator.change("POST", "/market/ders", der("D3", 3))
    body = {"name": "VPP", "party": "North", "profile": "pjm", "iso_nodes": ["N17"], "services": ["energy"]}
    await operator.change("POST", "/market/aggregations", {**body, "inject_w": 150_000})
    await operator.change("POST", "/market/aggregations/VPP/members", {"ders": ["D1", "D2", "D3"]})
    operator.advance(SUBMITTED)
    review = await operator.change("POST", "/market/aggregations/VPP/submit")
    path = f"/market/reviews/{review['id']}"
    engine = Extension(name="engine", screens=f"{HERE}:FULL")
    await ReviewWatch(operator.house.db, operator.house.clock, operator.house.settings, [engine]).once()
    assert FullTransformer.asked is not None
    assert {one.connection for one in FullTransformer.asked.ders} == {"C1", "C2", "C3"}
    shown = await operator.get(path)
    failed = {(one["der"], one["screen"]): one for one in shown["screens"] if one["result"] == "fail"}
    assert {key for key in failed if key[1] != "telemetry"} == {
        ("D1", "capability"),
        ("D2", "mapping"),
        ("D3", "hosting_node"),
    }
    full = failed["D3", "hosting_node"]
    assert (full["binding"], full["limit_w"], failed["D1", "capability"]["limit_w"]) == ("TX-118", 31_000, 50_000)
    # What the engine left out is no pass.
    silent = {one["result"] for one in shown["screens"] if one["screen"] == "hosting_node" and one["der"] == "D1"}
    assert silent == {"cannot_tell"}
    status, answer = await operator.ask("POST", f"{path}/decide", ok("D1", "D2", "D3"))
    assert (status, answer["code"]) == (409, "screens_unanswered")
    assert all(said in answer["message"] for said in ("D1: capability", "D2: mapping", "D3: hosting_node"))
    answered = {
        "ders": [
            {"der": "D1", "outcome": "limited", "limit_w": 50_000, "reason": "interconnection_limit",
             "evidence": ["capability"]},
            {"der": "D2", "outcome": "ok", "evidence": ["mapping: a crew has seen phase A", *ANSWERED]},
            {"der": "D3", "outcome": "limited", "limit_w": 31_000, "reason": "network_limit",
             "evidence": ["hosting_node: TX-118"]},
        ]
    }  # fmt: skip
    decided = await operator.change("POST", f"{path}/decide", answered)
    assert (decided["state"], decided["outcome"]) == ("approved_limited", "approved_limited")
    assert (await operator.get("/market/ders/D3"))["limit_w"] == 31_000


@BY_RULES
async def test_an_engine_that_fails_loses_nothing_and_pjm_lets_no_review_be_paused(operator: Operator):
    review = await submitted(operator)
    pause = f"/market/reviews/{review['id']}/pause"
    status, answer = await operator.ask("POST", pause, {"asked_for": "the study"})
    assert (status, answer["code"]) == (409, "pauses_not_allowed")
    engine = Extension(name="engine", screens=f"{HERE}:BROKEN")
    await ReviewWatch(operator.house.db, operator.house.clock, operator.house.settings, [engine]).once()
    shown = await operator.get(f"/market/reviews/{review['id']}")
    causes = {one["cause"] for one in shown["screens"] if one["screen"] == "hosting_node"}
    assert causes == {"engine_failed"}


async def test_a_rejection_needs_evidence_a_reason_of_the_market_and_a_supervisor(operator: Operator):
    review = await submitted(operator)
    path = f"/market/reviews/{review['id']}/decide"
    rejected = {"der": "D1", "outcome": "rejected", "reason": "network_limit", "evidence": ["hosting_node"]}
    rest = ok("D2")["ders"]
    for wrong, code in (({"evidence": []}, "no_evidence"), ({"reason": "too_new"}, "reason_unknown")):
        status, answer = await operator.ask("POST", path, {"ders": [{**rejected, **wrong}, *rest]})
        assert (status, answer["code"]) == (422, code)
    status, answer = await operator.ask("POST", path, {"ders": [rejected]})
    assert (status, answer["code"]) == (422, "not_decided")
    status, waits = await operator.ask("POST", path, {"ders": [rejected, *rest]})
    assert status == 202
    assert (await operator.get(f"/market/reviews/{review['id']}"))["state"] == "in_review"
    engineer = await grant(operator, "Eve")
    supervisor = await grant(operator, "Sam", "supervisor")
    asked = await operator.get(f"/approvals/{waits['approval']}")
    agree = {"digest": asked["sheet"]["digest"]}
    number = waits["approval"]
    status, answer = await operator.ask("POST", f"/approvals/{number}/approve", agree, token=engineer)
    assert (status, answer["code"]) == (403, "not_granted")
    await operator.change("POST", f"/approvals/{number}/approve", agree, token=supervisor)
    shown = await operator.get(f"/market/reviews/{review['id']}")
    assert (shown["state"], shown["second"]) == ("approved_limited", "Sam")
    members = await operator.get("/market/aggregations/VPP/members")
    assert {one["der"]: one["state"] for one in members["items"]} == {"D1": "refused", "D2": "effective"}


@BY_RULES
async def test_only_a_reviewer_decides_a_review_that_is_there(operator: Operator):
    review = await submitted(operator)
    for number in ("999", "x", "9" * 20):
        status, answer = await operator.ask("GET", f"/market/reviews/{number}")
        assert (status, answer["code"]) == (404, "unknown_review")
    token = await grant(operator, "Olga", role="operator")
    status, answer = await operator.ask("POST", f"/market/reviews/{review['id']}/decide", OK, token=token)
    assert (status, answer["code"]) == (403, "not_granted")
    assert "reviewer" in answer["message"]


@BY_RULES
async def test_the_letter_is_the_same_bytes_and_names_each_der(operator: Operator):
    review = await submitted(operator)
    path = f"/market/reviews/{review['id']}"
    status, answer = await operator.ask("GET", f"{path}/letter")
    assert (status, answer["code"]) == (404, "no_letter")
    limited = {
        "der": "D1",
        "outcome": "limited",
        "limit_w": 40_000,
        "reason": "network_limit",
        "evidence": ["<b>TX</b>"],
    }
    decided = await operator.change("POST", f"{path}/decide", {"ders": [limited, *ok("D2")["ders"]]})
    first = await operator.get(f"{path}/letter")
    operator.advance(SUBMITTED + 20 * DAY)
    assert await operator.get(f"{path}/letter") == first
    assert first["sha256"] == decided["letter_sha256"]
    html = first["html"]
    assert all(said in html for said in ("D1", "D2", "40000 W", "network limit", "approved with limits", "2027-02-14"))
    assert "<b>TX</b>" not in html  # what somebody typed is text


async def test_approved_ders_join_the_group_of_their_aggregation_and_leave_it_with_their_time(operator: Operator):
    await operator.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    review = await submitted(operator)
    for number in (1, 2):
        device = {"client": "Sunny", "lfdi": f"D{number}" * 20, "connection_id": f"C{number}"}
        await operator.change("POST", "/devices", device)
    await operator.change("POST", f"/market/reviews/{review['id']}/screen")
    shown = await operator.get(f"/market/reviews/{review['id']}")
    telemetry = {one["der"]: one["cause"] for one in shown["screens"] if one["screen"] == "telemetry"}
    assert telemetry == {"D1": "nothing_received", "D2": "nothing_received"}
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", ok("D1", "D2"))
    group = await operator.get("/groups/aggregation VPP")
    assert (group["devices"], group["primacy"]) == (2, 90)
    assert (await operator.get("/market/aggregations/VPP"))["status"] == "approved"
    await operator.change("PUT", "/market/aggregations/VPP", {"iso_resource_id": "PJM-7"})
    assert (await operator.get("/market/aggregations/VPP"))["status"] == "active"
    leaves = SUBMITTED + 10 * DAY
    await operator.change("DELETE", "/market/aggregations/VPP/members/D2", {"valid_to": leaves})
    assert (await operator.get("/groups/aggregation VPP"))["devices"] == 2
    operator.advance(leaves)
    await operator.house.review_watch.once()
    assert (await operator.get("/groups/aggregation VPP"))["devices"] == 1


async def test_changes_are_notified_abbreviated_or_reviewed_in_full_as_the_market_says(operator: Operator):
    review = await submitted(operator)
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", ok("D1", "D2"))
    down = await operator.change("PUT", "/market/ders/D1", {"max_gen_w": 50_000})
    swap = await operator.change("PUT", "/market/ders/D1", {"meter_id": "new meter"})
    assert (down["reviews"], swap["reviews"]) == ([], [])
    up = await operator.change("PUT", "/market/ders/D1", {"max_gen_w": 60_000})
    (number,) = up["reviews"]
    full = await operator.get(f"/market/reviews/{number}")
    assert (full["kind"], full["changes"], full["days"]) == ("full", ["capability_up"], 60)
    await operator.change("POST", f"/market/reviews/{number}/decide", ok("D1"))
    await operator.change("POST", "/market/ders", der("D3", 3))
    await operator.change("POST", "/market/aggregations/VPP/members", {"ders": ["D3"]})
    short = await operator.change("POST", "/market/aggregations/VPP/submit")
    assert (short["kind"], short["changes"], short["days"]) == ("abbreviated", ["add_member"], 15)
    assert [one["der"] for one in short["per_der"]] == ["D3"]
    members = await operator.get("/market/aggregations/VPP/members")
    assert {one["der"]: one["state"] for one in members["items"]}["D3"] == "proposed"


async def test_a_decision_is_disputed_in_time_and_a_supervisor_closes_the_dispute(operator: Operator):
    review = await submitted(operator)
    path = f"/market/reviews/{review['id']}"
    objection = {"raised_by": "North", "about": "the limit of D1", "basis": "the study covers it", "stay": True}
    status, answer = await operator.ask("POST", f"{path}/dispute", objection)
    assert (status, answer["code"]) == (409, "wrong_state")
    await operator.change("POST", f"{path}/decide", ok("D1", "D2"))
    disputed = await operator.change("POST", f"{path}/dispute", objection)
    assert disputed["state"] == "disputed"
    status, answer = await operator.ask("POST", f"{path}/close-dispute", {"outcome": "stands"})
    assert (status, answer["code"]) == (403, "not_granted")
    await grant_local(operator, "reviewer", "supervisor")
    closed = await operator.change("POST", f"{path}/close-dispute", {"outcome": "stands"})
    assert (closed["state"], closed["disputes"][0]["outcome"]) == ("approved", "stands")
    operator.advance(SUBMITTED + 31 * DAY)
    status, answer = await operator.ask("POST", f"{path}/dispute", objection)
    assert (status, answer["code"]) == (409, "too_late")


@BY_RULES
async def test_suspending_reinstating_and_withdrawing_with_the_markets_notice(operator: Operator):
    review = await submitted(operator)
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", ok("D1", "D2"))
    path = "/market/aggregations/VPP"
    reason = {"reason": "the feeder is being rebuilt"}
    assert (await operator.change("POST", f"{path}/suspend", reason))["status"] == "suspended"
    assert (await operator.change("POST", f"{path}/reinstate", reason))["status"] == "approved"
    gone = await operator.change("POST", f"{path}/withdraw", reason)
    assert (gone["status"], gone["valid_to"]) == ("retiring", SUBMITTED + 7 * DAY)
    operator.advance(SUBMITTED + 7 * DAY)
    after = await operator.get(path)
    assert (after["status"], after["members"]) == ("retired", 0)
