"""What an aggregation can do by the operator API: sums of published limits, as of a time, and why it is not known."""

import pytest

from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, make_approved
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
