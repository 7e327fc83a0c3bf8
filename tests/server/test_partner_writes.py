"""What aggregators hand in by the market API: DERs, aggregations, commitments, outages, disputes."""

import asyncio
import base64
import io
import json
import zipfile
from typing import Any

from sep2.partner.table import BASE
from tests.admin.conftest import NOW
from tests.admin.market import der
from tests.server.market import House, Partner

HOUR = 3600
EVEN = NOW - NOW % HOUR + 2 * HOUR


def said(number: int, **facts: Any) -> dict[str, Any]:
    """A DER as an aggregator says it."""
    whole = der("x", number, **facts)
    return {**whole["facts"], "consent": whole["consent"]}


async def put(partner: Partner, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    status, answer, _ = await partner.ask("PUT", BASE + path, body, **headers)
    return status, answer


async def post(partner: Partner, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    status, answer, _ = await partner.ask("POST", BASE + path, body, **headers)
    return status, answer


async def test_an_aggregation_is_registered_handed_in_and_disputed_by_its_aggregator(either_house: House):
    sunny, gale = either_house.as_("sunny"), either_house.as_("gale")
    status, answer = await put(gale, "/ders/S1", said(3))
    assert (status, answer["created"], answer["name"]) == (201, True, "S1")
    tag = (await gale.ask("GET", f"{BASE}/ders/S1"))[2]["ETag"]
    status, answer = await put(gale, "/ders/S1", said(3, max_gen_w=50_000), If_Match=tag)
    assert (status, answer["created"], answer["facts"]["max_gen_w"], answer["reviews"]) == (200, False, 50_000, [])
    assert (await put(gale, "/ders/S1", said(3), If_Match=tag))[0] == 412
    assert (await put(gale, "/ders/D1", said(1)))[1]["code"] == "unknown_der"
    tried = await put(gale, "/ders/S9?dry_run=true", said(4))
    assert (tried[0], [one["name"] for one in (await gale.get("/ders"))["items"]]) == (200, ["S1"])
    # Two energy aggregations of one DER, shares beyond the whole, and sizes that the market does not take.
    status, answer = await put(gale, "/aggregations/G", {"profile": "pjm", "iso_nodes": ["N1"], "services": ["energy"],
                                                         "inject_w": 99_999})  # fmt: skip
    assert (status, answer["code"], answer["faults"][0]["value"]) == (422, "size", "99999")
    big = {"profile": "pjm", "model": "multi", "iso_nodes": ["N1", "N2"], "services": ["energy"]}
    status, answer = await put(gale, "/aggregations/G", {**big, "inject_w": 167_000_001})
    assert (status, answer["code"]) == (422, "size")
    new = {"profile": "pjm", "iso_nodes": ["N1"], "services": ["energy"], "inject_w": 100_000, "iso_resource_id": "X"}
    for name in ("G", "H"):
        status, answer = await put(gale, f"/aggregations/{name}", new)
        assert (status, answer["created"], answer["status"], answer["iso_resource_id"]) == (201, True, "proposed", "")
    add = {"add": [{"der": "S1", "valid_to": NOW + 10 * HOUR}]}
    status, answer = await post(gale, "/aggregations/G/changes", add)
    assert (status, [one["der"] for one in answer["members"]], answer["review"]) == (200, ["S1"], None)
    over = {**add, "valid_from": NOW + 10 * HOUR - 1, "add": [{"der": "S1"}]}
    status, answer = await post(gale, "/aggregations/H/changes", over)
    assert (status, answer["code"]) == (409, "double_counting")
    assert "to 2027-01-15 18:00:00Z" in answer["message"]
    status, answer = await post(gale, "/aggregations/H/changes", {**over, "valid_from": NOW + 10 * HOUR})
    assert status == 200, "what only touches passes"
    await put(gale, "/ders/S2", said(4))
    half = {"add": [{"der": "S2", "share_ppm": 600_000}]}
    assert (await post(gale, "/aggregations/G/changes", half))[0] == 200
    status, answer = await post(gale, "/aggregations/H/changes", {"add": [{"der": "S2", "share_ppm": 400_001}]})
    assert (status, answer["code"]) == (422, "share_sum")
    status, answer = await post(gale, "/aggregations/H/changes", {"add": [{"der": "D1"}]})
    assert (status, answer["code"]) == (404, "unknown_der"), "a DER of somebody else"
    # Handed in: the clock runs; what was handed in does not grow by itself.
    status, answer = await post(gale, "/aggregations/G/submit")
    assert (status, answer["state"], answer["aggregation"]) == (200, "in_review", "G")
    status, answer = await put(gale, "/aggregations/G", {**new, "inject_w": 200_000})
    assert (status, answer["code"]) == (409, "needs_review")
    # A decided review is disputed by who is party to it, and nobody else.
    objection = {"about": "the limit of D1", "basis": "the interconnection study"}
    assert (await post(gale, "/reviews/1/dispute", objection))[1]["code"] == "unknown_review"
    status, answer = await post(sunny, "/reviews/1/dispute", objection)
    assert (status, answer["state"]) == (201, "disputed")
    (dispute,) = (await either_house.operator.get("/market/reviews/1"))["disputes"]
    assert (dispute["raised_by"], dispute["about"]) == ("North", "the limit of D1")
    status, answer = await post(sunny, "/aggregations/VPP/withdraw", {"reason": "we stop"})
    assert (status, answer["status"]) == (200, "retiring")
    kinds = [one["kind"] for one in (await sunny.get("/messages"))["messages"]]
    assert kinds == ["review_decided"]


async def test_an_aggregator_declares_the_factors_of_its_own_nodes(house: House):
    gale = house.as_("gale")
    said = {"profile": "pjm", "model": "multi", "iso_nodes": ["N1", "N2"], "services": ["energy"], "inject_w": 100_000}
    wrong = {**said, "declared_factors_ppm": {"N1": 400_000, "N3": 500_000}}
    status, answer = await put(gale, "/aggregations/G", wrong)
    assert status == 422
    assert [(one["path"], one["code"], one["value"]) for one in answer["faults"]] == [
        ("declared_factors_ppm.N3", "unknown_node", "N3"),
        ("declared_factors_ppm", "factor_sum", "900000"),
    ]
    right = {"N1": 400_000, "N2": 600_000}
    status, answer = await put(gale, "/aggregations/G", {**said, "declared_factors_ppm": right})
    assert (status, answer["declared_factors_ppm"]) == (201, right)
    assert (await house.operator.get("/market/aggregations/G"))["declared_factors_ppm"] == right
    status, answer = await put(gale, "/aggregations/G", said)
    assert (status, answer["declared_factors_ppm"]) == (200, {}), "an entry is as it is put"
    assert (await put(house.as_("sunny"), "/aggregations/G", said))[0] == 404


async def test_a_batch_is_taken_whole_or_refused_with_everything_that_is_wrong(house: House):
    gale, count = house.as_("gale"), 60
    names = [[f"K{n}"] for n in range(count)]
    await house.operator.change("POST", "/import", {"connections": {"columns": ["connection_id"], "rows": names}})

    def row(n: int, **more: Any) -> dict[str, Any]:
        return {"der": f"B{n}", **said(100 + n, **{"connection": f"K{n}", **more})}

    rows = [row(n) for n in range(count)]
    rows[7] = row(7, meter_id="meter 108", serial="serial 108")
    rows[20] = row(20, max_gen_w=5, export_agreement_w=5000)
    rows[31] = row(31, connection="nowhere")
    status, answer = await post(gale, "/ders:batch", {"ders": rows})
    assert status == 422
    found = {(one["path"], one["code"], one["value"]) for one in answer["faults"]}
    assert found == {
        ("row 9: meter_id", "duplicate", "meter 108"),
        ("row 21: max_gen_w", "unit_suspect", "5"),
        ("row 32: connection", "unknown_connection", "nowhere"),
    }
    assert (await gale.get("/ders"))["items"] == []
    for bad, path, code in (
        ({"max_gen_w": "5 kW"}, "row 1: max_gen_w", "bad_value"),
        ({"colour": "red"}, "row 1: colour", "unknown_field"),
        ({"der": 5}, "row 1: der", "missing"),
    ):
        status, answer = await post(gale, "/ders:batch", {"ders": [{**row(1), **bad}]})
        assert (status, answer["faults"][0]["path"], answer["faults"][0]["code"]) == (422, path, code)
    rows = [row(n) for n in range(count)]
    first = await post(gale, "/ders:batch", {"ders": rows}, Idempotency_Key="batch")
    assert first == (201, {"added": count})
    assert await post(gale, "/ders:batch", {"ders": rows}, Idempotency_Key="batch") == first
    status, answer = await post(gale, "/ders:batch", {"ders": rows[:1]}, Idempotency_Key="batch")
    assert (status, answer["code"]) == (422, "idempotency_key_reused")
    assert len((await gale.get("/ders?limit=500"))["items"]) == count
    sheet = (
        "der,edc_account,connection,meter_id,device_type,max_gen_w,max_load_w,import_agreement_w,export_agreement_w\n"
    )
    line = "C9,account 9,C4,meter 9,battery,{},5,5,5\n"
    status, answer = await post(gale, "/ders:batch", {"csv": sheet + line.format("x")})
    assert (status, answer["faults"][0]["path"]) == (422, "line 2: max_gen_w")
    assert await post(gale, "/ders:batch", {"csv": sheet + line.format("5")}) == (201, {"added": 1})
    status, answer = await post(gale, "/ders:batch", {"csv": "der,party\nx,North\n"})
    assert (status, answer["code"]) == (422, "unknown_column"), "a sheet is of who hands it in"
    audit = json.dumps(await house.operator.get("/audit"))
    assert "account 9" not in audit, "neither of what was taken nor of what was refused"


async def test_two_posts_of_one_key_at_once_are_one_and_a_der_moves_once(either_house: House):
    sunny, gale = either_house.as_("sunny"), either_house.as_("gale")
    one = {"der": "D1", "service": "energy", "aggregation": "VPP", "start": EVEN, "end": EVEN + 4 * HOUR, "hold": True}
    both = await asyncio.gather(*(post(sunny, "/commitments", one, Idempotency_Key="once") for _ in range(2)))
    assert {status for status, _ in both} <= {201, 409}
    assert len((await sunny.get("/commitments"))["items"]) == 1
    number = (await sunny.get("/commitments"))["items"][0]["id"]
    status, answer = await post(gale, "/commitments", {**one, "aggregation": None, "holder": "local", "program": "p"})
    assert (status, answer["code"]) == (404, "unknown_der")
    move = {"commitment": number, "service": "local_energy", "holder": "local", "program": "Evening"}
    assert (await post(gale, "/commitments:move", move))[1]["code"] == "unknown_commitment"
    status, answer = await post(sunny, "/commitments:move", {**move, "start": EVEN + 600, "end": EVEN + 1500})
    assert (status, answer["code"]) == (422, "min_block")
    several = await asyncio.gather(*(post(sunny, "/commitments:move", {**move, "basis": f"{n}"}) for n in range(10)))
    assert sorted(status for status, _ in several) == [201] + [409] * 9
    either_house.operator.advance(EVEN - 1800)
    held = next(answer for status, answer in several if status == 201)
    back = {"commitment": held["id"], "service": "energy", "holder": "wholesale", "aggregation": "VPP"}
    status, answer = await post(sunny, "/commitments:move", back)
    assert (status, answer["code"]) == (409, "cut_off")
    assert (await gale.get("/commitments"))["items"] == []


async def test_an_outage_is_what_was_available_and_evidence_is_the_same_each_time(house: House):
    sunny, gale, operator = house.as_("sunny"), house.as_("gale"), house.operator
    outage = {"aggregation": "VPP", "start": EVEN, "end": EVEN + HOUR, "available_w": 30_000, "cause": "repair"}
    assert (await post(gale, "/outages", outage))[1]["code"] == "unknown_aggregation"
    assert (await post(gale, "/outages", {**outage, "aggregation": None, "der": "D1"}))[1]["code"] == "unknown_der"
    assert (await post(sunny, "/outages", {**outage, "der": "D1"}))[1]["code"] == "two_subjects"
    assert (await post(sunny, "/outages", {**outage, "end": EVEN}))[1]["code"] == "bad_span"
    status, answer = await post(sunny, "/outages", outage)
    assert (status, answer["available_w"]) == (201, 30_000)
    assert [one["party"] for one in (await operator.get("/market/outages"))["items"]] == ["North"]
    assert (await gale.get("/outages"))["items"] == []
    dispatch = {"iso_dispatch_id": "I1", "iso_resource_id": "R1", "issued_at": NOW, "kind": "dispatch"}
    told = {**dispatch, "start": EVEN, "end": EVEN + HOUR, "target_w": 100_000}
    await operator.change("POST", "/market/dispatches", {"dispatches": [told]})
    day = await sunny.ask("GET", f"{BASE}/evidence/VPP/2027-01-15")
    assert (day[0], day[1]["code"]) == (404, "not_settled")
    operator.advance(EVEN + 2 * HOUR)
    await operator.change("POST", "/market/settle", {"aggregation": "VPP", "start": EVEN, "end": EVEN + HOUR})
    rows = (await operator.get("/market/settlements/VPP/intervals", start=str(EVEN), end=str(EVEN + HOUR)))["items"]
    assert {(one["available_w"], one["want_w"]) for one in rows if one["der"] == "D1"} == {(15_000, 15_000)}
    first = (await sunny.ask("GET", f"{BASE}/evidence/VPP/2027-01-15"))[1]
    assert first == (await sunny.ask("GET", f"{BASE}/evidence/VPP/2027-01-15"))[1]
    files = zipfile.ZipFile(io.BytesIO(base64.b64decode(first["content"]))).namelist()
    assert {"manifest.json", "outages.json"} <= set(files)
    assert "overrides.json" not in files
    assert (await gale.ask("GET", f"{BASE}/evidence/VPP/2027-01-15"))[1]["code"] == "unknown_aggregation"
    assert (await sunny.ask("GET", f"{BASE}/evidence/VPP/today"))[1]["code"] == "bad_day"
    rules = await sunny.get("/profile?aggregation=VPP")
    assert (rules["name"], rules["rules"]["override"]["repeat_s"]) == ("pjm", 60)
    assert (await gale.ask("GET", f"{BASE}/profile?aggregation=VPP"))[1]["code"] == "unknown_aggregation"
    assert (await gale.ask("GET", f"{BASE}/profile?name=nowhere"))[0] in (404, 400)
