"""What an aggregation can do by the operator API: sums of published limits, as of a time, and why it is not known."""

import pytest

from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, add_aggregation, der, make_approved, make_parties, with_devices
from tests.admin.published import STEP_S, end_round, publish

PATH = "/market/aggregations/VPP/deliverable"
FIRST = -(-NOW // STEP_S) * STEP_S


async def test_it_is_the_sum_of_published_limits_and_names_what_binds_and_the_run(operator: Operator):
    await make_approved(operator)
    await publish(operator, {"C1": 40_000, "C2": 70_000, "C3": 1})
    found = await operator.get(PATH)
    assert (found["aggregation"], found["run_ids"], found["step_s"], found["start"]) == ("VPP", ["run-1"], 1800, FIRST)
    (node,) = found["nodes"]
    (span,) = node["spans"]
    assert (node["node"], node["members"]) == ("all", 2)
    # D2 can do no more than it is rated for and may by its agreement, 60 kW, whatever its limit is.
    assert (span["max_w"], span["min_w"]) == (100_000, -100_000)
    assert (span["firm_max_w"], span["firm_min_w"]) == (2000, -2000)
    assert (span["binding_max"], span["cause"]) == ("over-voltage at node n12", "")
    by_der = await operator.get(PATH, level="der")
    assert {one["node"]: one["spans"][0]["max_w"] for one in by_der["nodes"]} == {"D1": 40_000, "D2": 60_000}
    by_iso = await operator.get(PATH, level="iso_node", start=str(FIRST), end=str(FIRST + 900), step_s="300")
    assert [(one["node"], one["spans"][0]["end"]) for one in by_iso["nodes"]] == [("N17", FIRST + 900)]
    assert (await operator.get(PATH, level="transformer"))["nodes"] == []


async def test_it_is_summed_by_places_and_a_later_run_leaves_the_earlier_known(operator: Operator):
    await make_approved(operator)
    sheet = {"columns": ["place", "kind", "parent"], "rows": [["FD", "feeder", ""], ["T1", "transformer", "FD"]]}
    await operator.change("POST", "/import", {"places": sheet})
    rows = [["C1", "T1"], ["C2", "FD"]]
    await operator.change("POST", "/import", {"connections": {"columns": ["connection_id", "place"], "rows": rows}})
    await publish(operator, {"C1": 40_000, "C2": 50_000})
    operator.advance(NOW + 60)
    await publish(operator, {"C1": 10_000, "C2": 50_000}, run="run-2")
    by_feeder = await operator.get(PATH, level="feeder")
    assert [(one["node"], one["spans"][0]["max_w"]) for one in by_feeder["nodes"]] == [("FD", 60_000)]
    by_transformer = await operator.get(PATH, level="transformer")
    assert [(one["node"], one["spans"][0]["max_w"]) for one in by_transformer["nodes"]] == [("T1", 10_000)]
    before = await operator.get(PATH, known_at=str(NOW + 30))
    assert (before["run_ids"], before["nodes"][0]["spans"][0]["max_w"]) == (["run-1"], 90_000)


@BY_RULES
@pytest.mark.parametrize(
    ("ended", "why", "late", "cause"),
    [
        ("failed", "envelope-plan.npz: no such file", [], "engine_failed"),
        ("static", "topology: switch S3 is open", [], "static_limits"),
        ("no clients", "", [], "no_clients"),
        ("published", "", ["readings are 3 h old"], "inputs_late"),
    ],
)
async def test_why_it_is_not_known_is_said(operator: Operator, ended: str, why: str, late: list[str], cause: str):
    await make_approved(operator)
    (node,) = (await operator.get(PATH))["nodes"]
    assert [(one["cause"], one["max_w"]) for one in node["spans"]] == [("no_engine", None)]
    await publish(operator, {"C1": 40_000, "C2": 70_000})
    await end_round(operator, ended, why, late)
    found = await operator.get(PATH)
    assert {one["cause"] for one in found["nodes"][0]["spans"]} == {cause}
    assert found["details"][cause] == (why or "; ".join(late))
    await end_round(operator, "published")
    if ended != "static":
        assert (await operator.get(PATH))["nodes"][0]["spans"][0]["max_w"] == 100_000
    await publish(operator, {"C1": 40_000, "C2": 70_000}, run="run-2", left_out=["C2"])
    assert {one["cause"] for one in (await operator.get(PATH))["nodes"][0]["spans"]} == {"left_out"}


@BY_RULES
async def test_a_round_that_is_late_and_a_horizon_that_ends_are_not_known(operator: Operator):
    await make_approved(operator)
    await publish(operator, {"C1": 40_000, "C2": 70_000}, steps=4)
    late = await operator.get(PATH, start=str(FIRST), end=str(FIRST + 5 * STEP_S))
    assert [one["cause"] for one in late["nodes"][0]["spans"]] == ["", "beyond_horizon"]
    operator.advance(NOW + 3600)
    found = await operator.get(PATH)
    assert {one["cause"] for one in found["nodes"][0]["spans"]} == {"engine_late"}
    for query in ({"start": str(FIRST), "end": str(FIRST)}, {"end": str(FIRST + 90 * 86_400), "step_s": "60"}):
        status, answer = await operator.ask("GET", PATH, params=query)
        assert (status, answer["field"]) == (422, "end")
    assert (await operator.ask("GET", "/market/aggregations/none/deliverable"))[0] == 404


async def test_what_overrides_leave_counts_as_long_as_they_hold(operator: Operator):
    await with_devices(operator)
    await publish(operator, {"C1": 40_000, "C2": 70_000})
    new = {"aggregation": "VPP", "notice": "emergency", "limits": {"export_w": 40_000}, "duration": 2 * STEP_S}
    sent = await operator.change("POST", "/market/overrides", {**new, "reason": "overload", "binding": "line L4"})
    ahead = {"start": str(FIRST), "end": str(FIRST + 4 * STEP_S)}
    first, last = (await operator.get(PATH, **ahead))["nodes"][0]["spans"]
    assert (first["max_w"], first["binding_max"], first["min_w"]) == (40_000, f"override {sent['id']}", -100_000)
    assert (first["envelope_max_w"], first["firm_max_w"], first["end"]) == (100_000, 2000, FIRST + 2 * STEP_S)
    assert (last["max_w"], last["binding_max"]) == (100_000, "over-voltage at node n12")
    by_der = (await operator.get(PATH, level="der", **ahead))["nodes"]
    assert {one["node"]: one["spans"][0]["max_w"] for one in by_der} == {"D1": 20_000, "D2": 20_000}
    # One of the desk for a place counts as well, and the tighter of two is what is left; released, neither does.
    place = {"scope": "connection", "subject": "C1", "duration": 4 * STEP_S, "reason": "overload"}
    other = await operator.change("POST", "/overrides", {**place, "limits": {"gen_w": 5000}})
    assert (await operator.get(PATH, **ahead))["nodes"][0]["spans"][0]["max_w"] == 25_000
    operator.advance(NOW + 60)
    for number in (sent["id"], other["id"]):
        await operator.change("POST", f"/overrides/{number}/release", {"reason": "the line is back"})
    before, after = (await operator.get(PATH, **ahead))["nodes"][0]["spans"]
    assert (before["end"], before["max_w"], after["max_w"]) == (FIRST + STEP_S, 25_000, 100_000)
    then = await operator.get(PATH, known_at=str(NOW + 30), **ahead)
    assert then["nodes"][0]["spans"][0]["max_w"] == 25_000, "what was known before stays readable"


@BY_RULES
async def test_an_aggregation_without_members_is_told_so_with_the_reason(operator: Operator):
    await make_parties(operator)
    await add_aggregation(operator, "VPP")
    found = await operator.get(PATH)
    (node,) = found["nodes"]
    assert (node["members"], {one["cause"] for one in node["spans"]}) == (0, {"no_member"})
    assert found["none_because"] == "VPP has no members in that time"
    await propose_member(operator)
    found = await operator.get(PATH)
    assert "1 of its members" in found["none_because"]
    assert (await operator.get(PATH, level="der"))["nodes"] == []


async def propose_member(operator: Operator) -> None:
    """Have D1 be a proposed member of VPP."""
    await operator.change("POST", "/market/ders", der("D1", 1))
    await operator.change("POST", "/market/aggregations/VPP/members", {"ders": ["D1"]})
