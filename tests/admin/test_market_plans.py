"""Aggregators' plans by the operator API: all that is wrong at once, versions, verdicts, and why there is none."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sep2.rules.market.clocks import day_bounds
from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, make_approved
from tests.admin.published import end_round, publish

NEW_YORK = ZoneInfo("America/New_York")
HALF_HOUR = 1800
START = NOW + HALF_HOUR


def text(at: int, zone: Any = NEW_YORK) -> str:
    return datetime.fromtimestamp(at, zone).isoformat()


def steps(*high_w: float, start: int = START, step_s: int = HALF_HOUR) -> list[dict[str, Any]]:
    """Bands from 0 to these powers, one after the other."""
    return [
        {"start": text(start + n * step_s), "low_w": 0, "plan_w": high / 2, "high_w": high}
        for n, high in enumerate(high_w)
    ]


def plan(*high_w: float, node: str = "N17", start: int = START, **more: Any) -> dict[str, Any]:
    nodes = [{"node": node, "steps": steps(*high_w, start=start)}]
    return {"aggregation": "VPP", "step_s": HALF_HOUR, "name": "today", "nodes": nodes, **more}


def of_day(day: date, number: int | None = None, **more: Any) -> dict[str, Any]:
    """A plan of the quarter-hours of a local day, or of so many from its midnight on."""
    begin, end = day_bounds(day, NEW_YORK)
    count = (end - begin) // 900 if number is None else number
    nodes = [{"node": "N17", "steps": steps(*[0.0] * count, start=begin, step_s=900)}]
    return {"aggregation": "VPP", "step_s": 900, "day": day.isoformat(), "nodes": nodes, **more}


async def refused(operator: Operator, body: dict[str, Any]) -> list[tuple[str, str]]:
    status, answer = await operator.ask("POST", "/market/plans", body)
    assert status == 422, answer
    return [(one["code"], one["path"]) for one in answer["faults"]]


async def verdict_on(operator: Operator, body: dict[str, Any]) -> Any:
    """The plan as it is shown once the worker has looked."""
    made = await operator.change("POST", "/market/plans", body)
    assert made["state"] == "checking"
    await operator.house.plan_verdicts.once()
    return await operator.get(f"/market/plans/{made['id']}")


async def ready(operator: Operator, *, c1: int = 4000, c2: int = 5000, ders: int = 2) -> None:
    """VPP whose members may do 9 kW together."""
    await make_approved(operator, ders=ders)
    await publish(operator, {"C1": c1, "C2": c2})


async def test_a_plan_inside_is_ok_and_one_beyond_is_told_the_limit_and_what_binds(operator: Operator):
    await ready(operator)
    inside = await verdict_on(operator, plan(8500, 8500))
    assert (inside["state"], inside["version"], inside["stands"]) == ("ok", 1, True)
    assert [(one["state"], one["max_w"], one["min_w"]) for one in inside["nodes"][0]["steps"]] == [
        ("ok", 9000, -9000)
    ] * 2
    beyond = await verdict_on(operator, plan(8500, 9400))
    assert (beyond["state"], beyond["version"], beyond["id"]) == ("limit", 2, inside["id"])
    first, second = beyond["nodes"][0]["steps"]
    assert (first["state"], second["state"], second["max_w"]) == ("ok", "limit", 9000)
    assert second["binding"] == "over-voltage at node n12"
    assert [(one["version"], one["stands"], one["state"]) for one in beyond["versions"]] == [
        (1, False, "ok"),
        (2, True, "limit"),
    ]
    assert beyond["verdicts"][0]["run_ids"] == ["run-1"]
    listed = await operator.get("/market/plans", aggregation="VPP")
    assert [(one["version"], one["state"]) for one in listed["items"]] == [(2, "limit")]
    assert (await operator.get("/market/plans", every="true"))["total"] == 2
    assert (await operator.get(f"/market/plans/{inside['id']}", version="1"))["state"] == "ok"
    status, answer = await operator.ask("GET", f"/market/plans/{inside['id']}?version=9")
    assert (status, answer["code"]) == (404, "unknown_plan")
    # Drawing more than the members may is a limit, too.
    drawing = plan(0)
    drawing["nodes"][0]["steps"][0] |= {"low_w": -9001.0, "plan_w": -9001.0}
    assert (await verdict_on(operator, drawing))["nodes"][0]["steps"][0]["state"] == "limit"


@BY_RULES
async def test_a_plan_with_mistakes_is_refused_with_all_of_them(operator: Operator):
    await make_approved(operator)
    cases: list[tuple[Sequence[dict[str, Any]], int, set[str]]] = [
        (
            [*steps(1), *steps(1, start=START + 3600), *steps(1, start=START + HALF_HOUR)],
            HALF_HOUR,
            {"gap", "unsorted"},
        ),
        ([*steps(1), *steps(1)], HALF_HOUR, {"overlap"}),
        ([*steps(1), *steps(1, start=START + 3600)], HALF_HOUR, {"gap"}),
        ([{**steps(1)[0], "low_w": 2}], HALF_HOUR, {"band"}),
        (steps(1), 600, {"step"}),
        (steps(1e12), HALF_HOUR, {"beyond_members"}),
        (steps(1, start=NOW - HALF_HOUR), HALF_HOUR, {"past"}),
        (steps(1, start=NOW + 500 * 86_400), HALF_HOUR, {"too_far"}),
        ([{**steps(1)[0], "start": "2027-01-15T04:00:00"}], HALF_HOUR, {"offset_missing"}),
        ([{**steps(1)[0], "start": "tomorrow"}], HALF_HOUR, {"bad_time"}),
        ([{**steps(1)[0], "start": 2**40}], HALF_HOUR, {"too_far"}),
    ]
    for said, step_s, codes in cases:
        found = await refused(operator, {**plan(), "step_s": step_s, "nodes": [{"node": "N17", "steps": list(said)}]})
        assert {code for code, _ in found} == codes
    assert await refused(operator, plan(1, node="N99")) == [("unknown_node", "nodes.N99")]
    assert await refused(operator, plan(1, service="capacity")) == [("not_offered", "service")]
    assert await refused(operator, plan(1, waive_firm=True)) == [
        ("consent", "nodes.DER D1"),
        ("consent", "nodes.DER D2"),
    ]
    nodes = [{"node": "N17", "steps": steps(1)}, {"der": "D2", "steps": steps(1)}, {"node": "N17", "steps": steps(1)}]
    assert {code for code, _ in await refused(operator, {**plan(), "nodes": nodes})} == {"planned_twice", "twice"}
    nodes = [{"steps": steps(1)}, {"node": "N17", "der": "D1", "steps": steps(1)}]
    assert [code for code, _ in await refused(operator, {**plan(), "nodes": nodes})] == ["no_node"] * 2 + ["empty"]
    assert [code for code, _ in await refused(operator, {**plan(), "nodes": []})] == ["empty"]
    # All of it at once, of several kinds.
    several = plan(1e12, 5, node="N17", service="reserve", day="2027-02-30")
    several["nodes"].append({"node": "N99", "steps": [{**steps(1)[0], "high_w": -1}]})
    assert {code for code, _ in await refused(operator, several)} == {
        *("beyond_members", "not_offered", "bad_day", "unknown_node", "band"),
    }
    many = {**plan(), "nodes": [], "csv": "node,start,plan_w\n" + "N17,1,1\n" * 20_001}
    assert [code for code, _ in await refused(operator, many)] == ["too_many_values"]
    assert (await operator.get("/market/plans"))["total"] == 0
    assert (await operator.ask("POST", "/market/plans", plan(1) | {"aggregation": "none"}))[0] == 404


@BY_RULES
async def test_a_sheet_is_read_line_by_line(operator: Operator):
    await ready(operator)
    lines = f"node,start,low_kw,plan_kw,high_kw\nN17,{text(START)},0,4,8.5\nN17,{text(START + HALF_HOUR)},,9.4,\n"
    body = {"aggregation": "VPP", "step_s": HALF_HOUR, "name": "today", "csv": lines}
    shown = await verdict_on(operator, body)
    assert [(one["low_w"], one["plan_w"], one["high_w"], one["state"]) for one in shown["nodes"][0]["steps"]] == [
        (0, 4000, 8500, "ok"),
        (9400, 9400, 9400, "limit"),
    ]
    first, later = text(START), text(START + HALF_HOUR)
    wrong = f"der,start,plan_w\nD1,{first},nan\nD1,{later},x\n,{first},1\nD2,2027-01-15T04:00,1"
    assert await refused(operator, {**body, "csv": wrong}) == [
        ("not_a_number", "line 3: plan_w"),
        ("no_node", "line 4: node"),
        ("offset_missing", "line 5: start"),
        ("not_a_number", "nodes.DER D1[0]"),
    ]
    for bad, code in (("start,plan_w\n", "missing_column"), ("node,start,plan_w,price\n", "unknown_column")):
        assert [found for found, _ in await refused(operator, {**body, "csv": bad})] == [code]
    assert [code for code, _ in await refused(operator, {**plan(1), "csv": lines})] == ["two_forms"]
    assert [code for code, _ in await refused(operator, {**body, "csv": "node,start,plan_w\n"})] == ["empty"]


@BY_RULES
async def test_a_local_day_has_as_many_quarters_as_its_clock_changes_leave(operator: Operator):
    await make_approved(operator)
    spring, autumn = date(2027, 3, 14), date(2027, 11, 7)
    status, answer = await operator.ask("POST", "/market/plans", of_day(spring, 96))
    assert status == 422
    assert [(one["code"], one["value"], one["bound"]) for one in answer["faults"]] == [("day_length", "96", "92")]
    made = await operator.change("POST", "/market/plans", of_day(spring, 92))
    assert (made["name"], made["late"]) == ("bid 2027-03-14", False)
    made = await operator.change("POST", "/market/plans", of_day(autumn, 100))
    shown = await operator.get(f"/market/plans/{made['id']}")
    starts = [one["start"] for one in shown["nodes"][0]["steps"]]
    at_one = [text(at) for at in starts if datetime.fromtimestamp(at, NEW_YORK).hour == 1]
    assert len(starts) == 100
    assert at_one[0] == "2027-11-07T01:00:00-04:00"
    assert at_one[4] == "2027-11-07T01:00:00-05:00"
    # The day that is said counts, not the one that the steps begin with.
    assert [code for code, _ in await refused(operator, of_day(spring) | {"day": "2027-03-15"})] == ["day_length"]


@BY_RULES
async def test_a_plan_after_its_time_is_taken_as_late_and_the_earlier_one_stands(operator: Operator):
    await make_approved(operator)
    tomorrow = date(2027, 1, 16)
    begin, _ = day_bounds(tomorrow, NEW_YORK)
    await publish(operator, {"C1": 4000, "C2": 5000})
    first = await verdict_on(operator, of_day(tomorrow))
    assert (first["late"], first["verdict_due"]) == (False, NOW + 900)
    by = begin - 86_400 + 9 * 3600 + 1800
    operator.advance(by)
    assert not (await operator.change("POST", "/market/plans", of_day(tomorrow)))["late"]
    operator.advance(by + 1)
    made = await operator.change("POST", "/market/plans", of_day(tomorrow))
    assert (made["late"], made["stands"], made["version"]) == (True, False, 3)
    await operator.house.plan_verdicts.once()
    shown = await operator.get(f"/market/plans/{made['id']}")
    assert (shown["version"], shown["stands"]) == (2, True)
    late = await operator.get(f"/market/plans/{made['id']}", version="3")
    assert (late["state"], late["cause"]) == ("cannot_tell", "too_late_for_day_ahead")
    # A plan of some steps of today has no such time, and a shorter clock for its verdict.
    today = await operator.change("POST", "/market/plans", plan(1, start=by + 3600 - by % HALF_HOUR))
    assert (today["late"], today["verdict_due"]) == (False, by + 61)


@BY_RULES
@pytest.mark.parametrize(
    ("ended", "late", "cause"),
    [("failed", [], "engine_failed"), ("static", [], "static_limits"), ("published", ["old"], "inputs_late")],
)
async def test_what_the_engine_lacks_is_the_cause_and_limits_that_are_published_stand(
    operator: Operator, ended: str, late: list[str], cause: str
):
    await ready(operator)
    assert (await verdict_on(operator, plan(8500)))["state"] == "ok"
    await end_round(operator, ended, "the cause in words", late)
    shown = await verdict_on(operator, plan(8500))
    assert (shown["state"], shown["cause"]) == ("cannot_tell", cause)
    assert shown["verdicts"][-1]["detail"] == ("the cause in words" if not late else "old")


async def test_a_new_run_brings_a_new_verdict_and_what_was_said_stays(operator: Operator):
    await ready(operator)
    await operator.change("POST", "/receivers", {"name": "R", "url": "https://r.example/", "topics": ["market"]})
    made = await verdict_on(operator, plan(8500, 8500))
    assert (await operator.get("/receivers/R"))["waiting"] == 1
    await operator.house.plan_verdicts.once()
    assert len((await operator.get(f"/market/plans/{made['id']}"))["verdicts"]) == 1
    operator.advance(START + 60)
    await publish(operator, {"C1": 100, "C2": 5000}, run="run-2", start=START + HALF_HOUR)
    await operator.house.plan_verdicts.once()
    shown = await operator.get(f"/market/plans/{made['id']}")
    # The step that has begun keeps its verdict: the new run says nothing of it any more.
    assert [(one["state"], one["max_w"]) for one in shown["nodes"][0]["steps"]] == [("ok", 9000), ("limit", 5100)]
    first, second = shown["verdicts"]
    assert (first["state"], first["superseded_at"], first["run_ids"]) == ("ok", START + 60, ["run-1"])
    assert (second["state"], second["superseded_at"], second["run_ids"]) == ("limit", None, ["run-2"])
    assert second["too_late"]
    assert (await operator.get("/receivers/R"))["waiting"] == 2
    operator.advance(START + HALF_HOUR + 60)
    await publish(operator, {"C1": 4000, "C2": 5000}, run="run-3", start=START + HALF_HOUR)
    operator.advance(START + 3 * HALF_HOUR)
    await operator.house.plan_verdicts.once()
    assert len((await operator.get(f"/market/plans/{made['id']}"))["verdicts"]) == 2, "a plan that is over stays"


@BY_RULES
async def test_from_when_a_member_leaves_the_verdict_can_not_tell(operator: Operator):
    await ready(operator)
    noon = START + HALF_HOUR
    await operator.change("DELETE", "/market/aggregations/VPP/members/D1", {"valid_to": noon})
    nodes = [{"der": name, "steps": steps(3000, 3000)} for name in ("D1", "D2")]
    shown = await verdict_on(operator, {**plan(), "nodes": nodes})
    found = {node["node"]: [(one["state"], one["cause"]) for one in node["steps"]] for node in shown["nodes"]}
    assert found == {"DER D1": [("ok", ""), ("cannot_tell", "member_left")], "DER D2": [("ok", "")] * 2}
    # Of a node that others stay at, what is left of it counts.
    shown = await verdict_on(operator, plan(6000, 6000))
    assert [(one["state"], one["max_w"]) for one in shown["nodes"][0]["steps"]] == [("ok", 9000), ("limit", 5000)]


@BY_RULES
async def test_a_verdict_that_is_overdue_is_an_alarm_until_it_is_there(operator: Operator, monkeypatch: Any):
    await ready(operator)

    async def codes() -> set[str]:
        return {one["code"] for one in (await operator.get("/alarms"))["items"]}

    made = await operator.change("POST", "/market/plans", plan(8500))
    operator.advance(made["verdict_due"] + 1)
    watch = operator.house.plan_verdicts
    broken = watch._find

    async def fails(*_: Any) -> None:
        raise RuntimeError("no thread")

    monkeypatch.setattr(watch, "_find", fails)
    with pytest.raises(RuntimeError):
        await watch.once()
    assert "verdict_late" in await codes()
    monkeypatch.setattr(watch, "_find", broken)
    await watch.once()
    assert "verdict_late" not in await codes()


@BY_RULES
async def test_only_an_aggregation_that_takes_part_plans(operator: Operator):
    await ready(operator)
    await operator.change("POST", "/market/aggregations/VPP/suspend", {"reason": "x"})
    status, answer = await operator.ask("POST", "/market/plans", plan(1))
    assert (status, answer["code"]) == (409, "wrong_status")


@BY_RULES
async def test_nodes_of_a_plan_are_places_nodes_of_the_market_and_ders(operator: Operator):
    await make_approved(operator)
    sheet = {"columns": ["place", "kind", "parent"], "rows": [["FD", "feeder", ""], ["T1", "transformer", "FD"]]}
    await operator.change("POST", "/import", {"places": sheet})
    rows = [["C1", "T1"], ["C2", "FD"]]
    await operator.change("POST", "/import", {"connections": {"columns": ["connection_id", "place"], "rows": rows}})
    await publish(operator, {"C1": 4000, "C2": 5000})
    assert (await verdict_on(operator, plan(9000, node="fd")))["state"] == "ok"
    assert (await verdict_on(operator, plan(4001, node="T1")))["nodes"][0]["steps"][0]["max_w"] == 4000
    nodes = [{"node": "T1", "steps": steps(4000)}, {"der": "d2", "steps": steps(5000)}]
    assert (await verdict_on(operator, {**plan(), "nodes": nodes}))["state"] == "ok"
    nodes = [{"node": "T1", "steps": steps(1)}, {"node": "FD", "steps": steps(1)}]
    assert [code for code, _ in await refused(operator, {**plan(), "nodes": nodes})] == ["planned_twice"]
