"""The register of the market by the operator API: what is refused, what held when, and what was known when."""

import asyncio

from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, CONTACT, add_aggregation, der, make_aggregation, make_parties

DAY = 86_400


async def test_a_batch_with_three_wrong_lines_says_each_and_stores_none(operator: Operator):
    await make_parties(operator, connections=1000)
    sheet = _sheet(1000)
    wrong = {**sheet, "rows": [list(row) for row in sheet["rows"]]}
    column = sheet["columns"].index
    wrong["rows"][10][column("meter_id")] = wrong["rows"][9][column("meter_id")]
    wrong["rows"][10][column("serial")] = wrong["rows"][9][column("serial")]
    wrong["rows"][20][column("max_gen_w")] = "5"
    wrong["rows"][30][column("connection")] = "nowhere"
    status, answer = await operator.ask("POST", "/market/import/ders", {"sheet": wrong})
    assert status == 422
    found = {(one["path"], one["code"], one["value"]) for one in answer["faults"]}
    assert found == {
        ("line 12: meter_id", "duplicate", "meter 10"),
        ("line 22: max_gen_w", "unit_suspect", "5"),
        ("line 32: connection", "unknown_connection", "nowhere"),
    }
    assert (await operator.get("/market/ders"))["total"] == 0
    # The same rating is taken where somebody says that it is meant so, and the rest once it is corrected.
    sheet["rows"][20][column("max_gen_w")] = "5"
    sheet["rows"][20].append("true")
    sheet["columns"].append("confirmed")
    headers = {"Idempotency-Key": "batch-1"}
    status, first = await operator.ask("POST", "/market/import/ders", {"sheet": sheet}, headers=headers)
    assert (status, first["added"]) == (200, 1000)
    status, again = await operator.ask("POST", "/market/import/ders", {"sheet": sheet}, headers=headers)
    assert (status, again) == (200, first)
    other = {"sheet": sheet, "party": "South"}
    status, answer = await operator.ask("POST", "/market/import/ders", other, headers=headers)
    assert (status, answer["code"]) == (422, "idempotency_key_reused")
    assert (await operator.get("/market/ders"))["total"] == 1000
    exported = await operator.get("/market/export/ders", limit="500")
    assert len(exported["rows"]) == 500
    assert exported["next"]


def _sheet(number: int):
    facts = der("D", 1)["facts"]
    columns = ["der", "party", *facts, "consent_scopes", "consent_given_by"]
    rows = []
    for n in range(1, number + 1):
        said = der(f"D{n}", n)["facts"]
        rows.append([f"D{n}", "North", *map(str, said.values()), "registration telemetry", "the customer"])
    return {"columns": columns, "rows": rows}


@BY_RULES
async def test_an_export_is_imported_as_it_is(operator: Operator):
    await make_parties(operator)
    for number in (1, 2):
        await operator.change("POST", "/market/ders", der(f"D{number}", number, phases="A", nem=True))
    sheet = await operator.get("/market/export/ders")
    before = await operator.get("/market/ders/D1")
    for name in ("D1", "D2"):
        await operator.change("DELETE", f"/market/ders/{name}")
    del sheet["next"]
    await operator.change("POST", "/market/import/ders", {"sheet": sheet})
    after = await operator.get("/market/ders/D1")
    assert after["facts"] == before["facts"]
    assert after["consent"]["scopes"] == before["consent"]["scopes"]


async def test_a_der_in_two_energy_aggregations_is_refused_and_touching_intervals_pass(operator: Operator):
    await make_parties(operator)
    await operator.change("POST", "/market/ders", der("D1", 1))
    for name in ("A", "B"):
        await add_aggregation(operator, name)
    until = NOW + 100 * DAY
    await operator.change("POST", "/market/aggregations/A/members", {"ders": ["D1"], "valid_to": until})
    status, answer = await operator.ask(
        "POST", "/market/aggregations/B/members", {"ders": ["D1"], "valid_from": until - 1}
    )
    assert (status, answer["code"]) == (409, "double_counting")
    assert "from 2027-04-25 07:59:59Z to 2027-04-25 08:00:00Z" in answer["message"]
    await operator.change("POST", "/market/aggregations/B/members", {"ders": ["D1"], "valid_from": until})


@BY_RULES
async def test_shares_beyond_the_whole_are_refused(operator: Operator):
    await make_parties(operator)
    await operator.change("POST", "/market/ders", der("D1", 1))
    for name in ("A", "B"):
        await add_aggregation(operator, name)
    await operator.change("POST", "/market/aggregations/A/members", {"ders": ["D1"], "share_ppm": 600_000})
    status, answer = await operator.ask(
        "POST", "/market/aggregations/B/members", {"ders": ["D1"], "share_ppm": 400_001}
    )
    assert (status, answer["code"]) == (422, "share_sum")
    await operator.change("POST", "/market/aggregations/B/members", {"ders": ["D1"], "share_ppm": 400_000})


async def test_two_who_take_the_same_share_at_once_are_not_both_served(operator: Operator):
    await make_parties(operator)
    await operator.change("POST", "/market/ders", der("D1", 1))
    for name in ("A", "B"):
        await add_aggregation(operator, name)
    asked = (operator.ask("POST", f"/market/aggregations/{name}/members", {"ders": ["D1"]}) for name in ("A", "B"))
    answers = await asyncio.gather(*asked)
    assert sorted(status for status, _ in answers) == [200, 409]


async def test_an_id_of_a_system_operator_is_of_one_aggregation_also_of_two_that_get_it_at_once(operator: Operator):
    await make_parties(operator)
    for name in ("A", "B"):
        await add_aggregation(operator, name)
    paths = {name: f"/market/aggregations/{name}" for name in ("A", "B")}
    said = {"iso_resource_id": "R-9"}
    answers = await asyncio.gather(*(operator.ask("PUT", path, said) for path in paths.values()))
    assert sorted(status for status, _ in answers) == [200, 409]
    has, other = ("A", "B") if answers[0][0] == 200 else ("B", "A")
    status, refused = await operator.ask("PUT", paths[other], said)
    assert (status, refused["code"]) == (409, "resource_taken")
    later = {"iso_resource_id": "R-10", "valid_from": NOW + 3600}
    await operator.change("PUT", paths[has], later)
    for taken in ("R-9", "R-10"):
        status, refused = await operator.ask("PUT", paths[other], {"iso_resource_id": taken})
        assert (status, refused["code"]) == (409, "resource_taken"), taken
    operator.advance(NOW + 3600)
    await operator.change("PUT", paths[other], said)
    await operator.change("DELETE", paths[has])
    await operator.change("PUT", paths[other], {"iso_resource_id": "R-10"})


@BY_RULES
async def test_an_aggregation_outside_the_sizes_of_its_market_is_refused(operator: Operator):
    await make_parties(operator)
    several = {"model": "multi", "iso_nodes": ["N17", "N18"]}
    for said in ({"inject_w": 99_999}, {"inject_w": 167_000_001, **several}):
        body = {"name": "VPP", "party": "North", "profile": "pjm", "iso_nodes": ["N17"], "services": ["energy"]}
        status, answer = await operator.ask("POST", "/market/aggregations", {**body, **said})
        assert (status, answer["code"]) == (422, "size")
        assert str(said["inject_w"]) in answer["message"]
        assert answer["faults"][0]["bound"]


async def test_what_held_and_what_was_known_can_be_asked_apart(operator: Operator):
    await make_parties(operator)
    await operator.change("POST", "/market/ders", der("D1", 1))
    operator.advance(NOW + 10 * DAY)
    # Told on day 10: it has had 50 kW since day 5, and will have 40 kW from day 20 on.
    await operator.change("PUT", "/market/ders/D1", {"max_gen_w": 50_000, "valid_from": NOW + 5 * DAY})
    await operator.change("PUT", "/market/ders/D1", {"max_gen_w": 40_000, "valid_from": NOW + 20 * DAY})

    async def watts(valid: int, known: int | None = None) -> int:
        query = {"valid_at": str(NOW + valid * DAY)} | ({} if known is None else {"known_at": str(NOW + known * DAY)})
        return (await operator.get("/market/ders/D1", **query))["facts"]["max_gen_w"]

    assert [await watts(day) for day in (1, 6, 19, 20, 300)] == [60_000, 50_000, 50_000, 40_000, 40_000]
    assert [await watts(day, known=9) for day in (1, 6, 20)] == [60_000, 60_000, 60_000]
    operator.advance(NOW + 30 * DAY)
    await operator.change("DELETE", "/market/ders/D1")
    status, answer = await operator.ask("GET", "/market/ders/D1")
    assert (status, answer["code"]) == (404, "unknown_der")
    assert await watts(20, known=29) == 40_000


@BY_RULES
async def test_a_removed_name_is_free_and_a_taken_one_is_refused(operator: Operator):
    await make_parties(operator)
    await operator.change("POST", "/market/ders", der("D1", 1))
    status, answer = await operator.ask("POST", "/market/ders", der("d1", 2))
    assert (status, answer["code"]) == (422, "name_taken")
    await operator.change("POST", "/market/ders/D1/rename", {"name": "Roof"})
    await operator.change("DELETE", "/market/ders/Roof")
    await operator.change("POST", "/market/ders", der("Roof", 1))


async def test_an_active_party_needs_somebody_at_any_hour_and_an_lfdi_is_of_one_party(operator: Operator):
    body = {"name": "East", "status": "active", "contacts": [{**CONTACT, "is_24x7": False}]}
    status, answer = await operator.ask("POST", "/market/parties", body)
    assert (status, answer["code"]) == (422, "no_24x7_contact")
    await make_parties(operator)
    await operator.change("POST", "/market/parties/North/certificates", {"lfdi": "AB" * 20})
    status, answer = await operator.ask("POST", "/market/parties/South/certificates", {"lfdi": "ab" * 20})
    assert (status, answer["code"]) == (409, "certificate_taken")
    await operator.change("DELETE", f"/market/parties/North/certificates/{'AB' * 20}")
    operator.advance(NOW + 1)
    party = await operator.change("POST", "/market/parties/South/certificates", {"lfdi": "ab" * 20})
    assert [one["lfdi"] for one in party["certificates"]] == ["AB" * 20]


async def test_what_is_in_use_is_not_removed(operator: Operator):
    await make_parties(operator)
    await make_aggregation(operator)
    for path, code in (("parties/North", "in_use"), ("ders/D1", "in_use")):
        status, answer = await operator.ask("DELETE", f"/market/{path}")
        assert (status, answer["code"]) == (409, code)
    await operator.change("DELETE", "/market/aggregations/VPP/members/D1", {})
    await operator.change("DELETE", "/market/ders/D1")
    await operator.change("DELETE", "/market/aggregations/VPP")


WRONG = (
    ("/market/ders", {"name": "D9", "party": "West", "facts": der("D9", 1)["facts"]}, "unknown_party"),
    ("/market/aggregations/nowhere/members", {"ders": ["D1"]}, "unknown_aggregation"),
    ("/market/parties", {"name": "\u202ename"}, "bad_name"),
    ("/market/ders", der("D9", 1, max_gen_w=-5), "wrong_body"),
    ("/market/ders", der("D9", 1, max_gen_w=10_000_000_001), "wrong_body"),
    ("/market/ders", der("D9", 1, max_gen_w=0, max_load_w=0), "no_power"),
    (
        "/market/aggregations",
        {"name": "A", "party": "North", "profile": "moon", "iso_nodes": ["N"], "services": ["x"], "inject_w": 100_000},
        "bad_profile",
    ),
    ("/market/import/ders", {"sheet": {"columns": ["der", "kW"], "rows": []}}, "unknown_column"),
)


@BY_RULES
async def test_wrong_entries_are_refused_with_a_stable_code(operator: Operator):
    await make_parties(operator)
    for path, body, code in WRONG:
        status, answer = await operator.ask("POST", path, body)
        assert 400 <= status < 500, answer
        assert answer["code"] == code, path
    assert (await operator.change("POST", "/market/import/ders", {"sheet": {"columns": [], "rows": []}}))["added"] == 0


async def test_the_ders_at_a_connection_that_is_renamed_name_it_so(operator: Operator):
    await make_parties(operator)
    await operator.change("POST", "/market/ders", {**der("D1", 1), "valid_from": NOW - DAY})
    await operator.change("PUT", "/market/ders/D1", {"phases": "A", "valid_from": NOW + DAY})
    operator.advance(NOW + 60)
    await operator.change("POST", "/connections/C1/rename", {"name": "NMI77"})
    at = {
        when: (await operator.get("/market/ders/D1", valid_at=str(when)))["facts"]["connection"]
        for when in (NOW - 60, NOW + 60, NOW + 2 * DAY)
    }
    assert set(at.values()) == {"NMI77"}
    assert (await operator.get("/market/ders/D1", valid_at=str(NOW + 2 * DAY)))["facts"]["phases"] == "A"
    before = await operator.get("/market/ders/D1", valid_at=str(NOW), known_at=str(NOW + 30))
    assert before["facts"]["connection"] == "C1"
    # Who takes the old name is another connection: the DER is not there.
    await operator.change("POST", "/connections", {"connection_id": "C1"})
    assert (await operator.get("/market/ders/D1"))["facts"]["connection"] == "NMI77"
    status, _ = await operator.ask("PUT", "/market/ders/D1", {"phases": "B"})
    assert status == 200
