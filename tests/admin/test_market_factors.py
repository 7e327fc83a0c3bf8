"""Distribution factors that aggregators declare: dated, checked, and what a dispatch is spread by."""

from typing import Any

from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, add_aggregation, der, grant_local, make_parties

START, END = NOW + 3600, NOW + 7200
COLUMNS = ["aggregation", "iso_node", "factor_ppm"]


async def over_two_nodes(operator: Operator) -> None:
    """VPP of D1 and D2 (60 kW each) at N17 and D3 (60 kW) at N18, active as R1."""
    await make_parties(operator)
    await grant_local(operator, "reviewer")
    for n in (1, 2, 3):
        await operator.change("POST", "/market/ders", der(f"D{n}", n))
    await add_aggregation(operator, "VPP", model="multi", iso_nodes=["N17", "N18"])
    for names, node in ((["D1", "D2"], "N17"), (["D3"], "N18")):
        await operator.change("POST", "/market/aggregations/VPP/members", {"ders": names, "iso_node": node})
    review = await operator.change("POST", "/market/aggregations/VPP/submit")
    decided = [{"der": f"D{n}", "outcome": "ok", "evidence": ["telemetry: test"]} for n in (1, 2, 3)]
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", {"ders": decided})
    await operator.change("PUT", "/market/aggregations/VPP", {"iso_resource_id": "R1"})


async def dispatched(operator: Operator, name: str, **more: Any) -> Any:
    """What a dispatch of 100 001 W is shown as."""
    one = {"iso_dispatch_id": name, "iso_resource_id": "R1", "issued_at": NOW, "start": START, "end": END}
    body = {"dispatches": [{**one, "target_w": 100_001, **more}]}
    (added,) = (await operator.change("POST", "/market/dispatches", body))["added"]
    return await operator.get(f"/market/dispatches/{added['id']}")


def watts(shown: Any) -> list[int]:
    return [part["target_w"] for part in shown["parts"]]


async def declare(operator: Operator, **said: Any) -> Any:
    return await operator.change("PUT", "/market/aggregations/VPP", said)


async def test_a_dispatch_is_spread_by_what_is_declared_of_its_start(operator: Operator):
    await over_two_nodes(operator)
    by_ratings = await dispatched(operator, "I1")
    assert (watts(by_ratings), by_ratings["split_by"]) == ([33_334, 33_334, 33_333], "rating")
    found = await declare(operator, declared_factors_ppm={"N17": 400_000, "N18": 600_000})
    assert (found["factors_ppm"], found["factors_by"]) == ({"N17": 400_000, "N18": 600_000}, "declared")
    assert found["factors_by_rating_ppm"] == {"N17": 666_667, "N18": 333_333}
    assert found["factors_far_off"] == ["N17", "N18"]
    declared = await dispatched(operator, "I2")
    assert (watts(declared), declared["split_by"]) == ([20_000, 20_000, 60_001], "declared")
    assert {part["split_by"] for part in declared["parts"]} == {"declared"}
    assert (declared["parts"][2]["cause"], declared["deliverable_w"]) == ("agreement", 100_000)
    assert watts(await dispatched(operator, "I3", target_w=-100_001)) == [-20_000, -20_000, -60_001]
    # The one from before is looked at anew; what holds only from later on leaves it as it is.
    await operator.house.dispatch_watch.once()
    assert watts(await operator.get(f"/market/dispatches/{by_ratings['id']}")) == [20_000, 20_000, 60_001]
    await declare(operator, declared_factors_ppm={"N17": 1_000_000}, valid_from=END)
    await operator.house.dispatch_watch.once()
    assert watts(await operator.get(f"/market/dispatches/{declared['id']}")) == [20_000, 20_000, 60_001]
    later = await dispatched(operator, "I4", start=END, end=END + 300)
    assert (watts(later), later["split_by"]) == ([50_001, 50_000, 0], "declared")
    back = await declare(operator, declared_factors_ppm={}, valid_from=END)
    assert (back["factors_by"], back["factors_far_off"]) == ("rating", [])
    assert (await dispatched(operator, "I5", start=END, end=END + 300))["split_by"] == "rating"


async def test_a_node_without_members_has_a_dispatch_spread_by_ratings(operator: Operator):
    await over_two_nodes(operator)
    await declare(operator, declared_factors_ppm={"N17": 500_000, "N18": 500_000})
    await operator.change("DELETE", "/market/aggregations/VPP/members/D3", {"valid_to": None})
    shown = await operator.get("/market/aggregations/VPP")
    assert (shown["factors_ppm"], shown["factors_by"]) == ({"N17": 1_000_000}, "rating")
    assert shown["declared_factors_ppm"] == {"N17": 500_000, "N18": 500_000}
    found = await dispatched(operator, "I1")
    assert (watts(found), found["split_by"]) == ([50_001, 50_000], "rating")


@BY_RULES
async def test_what_is_no_declaration_is_refused_with_field_value_and_bound(operator: Operator):
    await over_two_nodes(operator)
    wrong = {"N17": 700_000, "N18": -1, "N19": 300_000}
    status, answer = await operator.ask("PUT", "/market/aggregations/VPP", {"declared_factors_ppm": wrong})
    assert status == 422
    assert [tuple(one[name] for name in ("path", "code", "value", "bound")) for one in answer["faults"]] == [
        ("declared_factors_ppm.N18", "factor", "-1", "0 to 1000000"),
        ("declared_factors_ppm.N19", "unknown_node", "N19", "one of N17, N18"),
        ("declared_factors_ppm", "factor_sum", "999999", "1000000 over all nodes"),
    ]
    assert (await operator.get("/market/aggregations/VPP"))["declared_factors_ppm"] == {}
    # A node with a declared factor is not left out unnoticed.
    await declare(operator, declared_factors_ppm={"N17": 500_000, "N18": 500_000})
    status, answer = await operator.ask("PUT", "/market/aggregations/VPP", {"iso_nodes": ["N17"]})
    assert (status, answer["faults"][0]["path"]) == (422, "declared_factors_ppm.N18")


async def test_a_sheet_is_taken_whole_or_refused_by_line(operator: Operator):
    await over_two_nodes(operator)
    await add_aggregation(operator, "Other")

    def sheet(*rows: list[str], columns: list[str] = COLUMNS) -> dict[str, Any]:
        return {"sheet": {"columns": columns, "rows": list(rows)}}

    half = [["VPP", "N17", "250000"], ["vpp", "N18", "750000"]]
    for rows, faults in (
        ([*half, ["Other", "N17", "999999"]], [("line 4: declared_factors_ppm", "factor_sum")]),
        ([*half, ["nobody", "N17", "1000000"]], [("line 4: aggregation", "unknown_aggregation")]),
        ([*half, ["VPP", "N17", "1.5"], ["", "N17", "1"]],
         [("line 4: factor_ppm", "factor"), ("line 5: aggregation", "missing")]),
        ([*half, half[0]], [("line 4: iso_node", "duplicate")]),
    ):  # fmt: skip
        status, answer = await operator.ask("POST", "/market/import/factors", sheet(*rows))
        assert (status, [(one["path"], one["code"]) for one in answer["faults"]]) == (422, faults)
    status, answer = await operator.ask("POST", "/market/import/factors", sheet(columns=["aggregation", "node"]))
    assert (status, len(answer["faults"])) == (422, 3)
    assert (await operator.get("/market/aggregations/VPP"))["declared_factors_ppm"] == {}
    done = await operator.change("POST", "/market/import/factors", sheet(*half, ["Other", "N17", "1000000"]))
    assert done == {"declared": 2, "names": ["VPP", "Other"]}
    assert (await operator.get("/market/aggregations/VPP"))["factors_ppm"] == {"N17": 250_000, "N18": 750_000}
    dated = [[*row, str(END)] for row in (["VPP", "N17", "500000"], ["VPP", "N18", "500000"])]
    await operator.change("POST", "/market/import/factors", sheet(*dated, columns=[*COLUMNS, "valid_from"]))
    for at, ppm in ((END - 1, 250_000), (END, 500_000)):
        found = await operator.get("/market/aggregations/VPP", valid_at=str(at))
        assert found["declared_factors_ppm"]["N17"] == ppm
