"""Copies of awards and dispatch by the operator API: spread over members, compared with limits before they happen."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.admin.conftest import NOW, Operator
from tests.admin.market import BY_RULES, make_approved

START, END = NOW + 3600, NOW + 7200
HEADER = "iso_dispatch_id,iso_resource_id,issued_at,start,end,target_kw,kind\n"


def said(**more: Any) -> dict[str, Any]:
    one = {"iso_dispatch_id": "I1", "iso_resource_id": "R1", "issued_at": NOW, "start": START, "end": END}
    return {**one, "target_w": 100_001, **more}


def text(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


async def alarms(operator: Operator) -> set[str]:
    return {one["code"] for one in (await operator.get("/alarms"))["items"] if one["subject"] == "VPP"}


async def with_devices(operator: Operator) -> None:
    """The aggregation VPP of D1 and D2, each with a device at its connection."""
    await make_approved(operator)
    await operator.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    for n in (1, 2):
        body = {"client": "Sunny", "lfdi": f"{n:02d}" * 20, "connection_id": f"C{n}"}
        await operator.change("POST", "/devices", body)


async def test_a_conflict_is_told_before_it_happens_and_is_over_when_the_limit_is(operator: Operator):
    await with_devices(operator)
    await operator.change("POST", "/receivers", {"name": "ISO", "url": "https://iso.example/", "topics": ["market"]})
    done = await operator.change("POST", "/market/dispatches", {"dispatches": [said()]})
    (one,) = done["added"]
    assert (one["beyond_limit"], one["deliverable_w"], one["is_late"]) == (0, 100_001, False)
    shown = await operator.get(f"/market/dispatches/{one['id']}")
    assert [(part["der"], part["target_w"], part["limit_w"]) for part in shown["parts"]] == [
        ("D1", 50_001, 60_000),
        ("D2", 50_000, 60_000),
    ]
    assert await alarms(operator) == set()
    # An override that begins within the hour of the dispatch is seen at the next look, not when it begins.
    override = {"scope": "connection", "subject": "C1", "limits": {"export_w": 20_000}, "reason": "overload"}
    sent = await operator.change("POST", "/overrides", {**override, "start": START + 600, "duration": 900})
    await operator.house.dispatch_watch.once()
    shown = await operator.get(f"/market/dispatches/{one['id']}")
    assert (shown["beyond_limit"], shown["deliverable_w"]) == (1, 70_000)
    first = shown["parts"][0]
    assert (first["der"], first["limit_w"], first["cause"]) == ("D1", 20_000, "override")
    assert "override of connection C1" in first["binding"]
    assert await alarms(operator) == {"dispatch_beyond_limit"}
    assert (await operator.get("/receivers/ISO"))["waiting"] == 2
    await operator.house.dispatch_watch.once()
    assert (await operator.get("/receivers/ISO"))["waiting"] == 2
    await operator.change("POST", f"/overrides/{sent['id']}/release", {"reason": "over"})
    await operator.house.dispatch_watch.once()
    assert await alarms(operator) == set()
    assert (await operator.get(f"/market/dispatches/{one['id']}"))["deliverable_w"] == 100_001


async def test_a_file_is_taken_whole_once_and_a_later_one_takes_its_place(operator: Operator):
    await make_approved(operator)
    line = f"I1,R1,{text(NOW - 31)},{text(START)},{text(END)},{{}},dispatch\n"
    file = {
        "form": "csv",
        "text": HEADER + line.format("100") + f"I2,R1,{text(NOW)},{text(END)},{text(END + 300)},5,award",
    }
    done = await operator.change("POST", "/market/import/dispatches", file)
    assert [(one["iso_dispatch_id"], one["target_w"]) for one in done["added"]] == [("I1", 100_000), ("I2", 5000)]
    assert done["added"][0]["is_late"]
    assert "dispatch_late" in await alarms(operator)
    again = await operator.change("POST", "/market/import/dispatches", file)
    assert (again["added"], again["known"]) == ([], 2)
    newer = {"form": "csv", "text": HEADER + line.format("80.5")}
    (one,) = (await operator.change("POST", "/market/import/dispatches", newer))["added"]
    assert (one["sequence"], one["target_w"]) == (2, 80_500)
    held = await operator.get("/market/dispatches", aggregation="VPP")
    assert [(row["iso_dispatch_id"], row["sequence"]) for row in held["items"]] == [("I2", 1), ("I1", 2)]
    assert (await operator.get("/market/dispatches", every="true"))["total"] == 3
    # The same as JSON.
    body = {"form": "json", "text": json.dumps([said(target_w=-5000, start=text(START), iso_dispatch_id="I3")])}
    (one,) = (await operator.change("POST", "/market/import/dispatches", body))["added"]
    assert (one["start"], one["target_w"], one["deliverable_w"]) == (START, -5000, -5000)


@BY_RULES
async def test_a_file_with_mistakes_says_each_and_keeps_nothing(operator: Operator):
    await make_approved(operator)
    wrong = [
        f"I1,R1,2027-01-15T10:00:00,{text(START)},{text(END)},1,dispatch",
        f"I2,R1,{text(NOW)},{text(END)},{text(START)},1,dispatch",
        f"I3,R1,{text(NOW)},{text(START)},{text(END)},nan,dispatch",
        f"I4,R1,{text(NOW)},{text(START)},{text(END)},1,bid",
        f"I5,R1,{text(NOW)},{text(START)},{text(END)},1e12,dispatch",
    ]
    body = {"form": "csv", "text": HEADER + "\n".join(wrong)}
    status, answer = await operator.ask("POST", "/market/import/dispatches", body)
    assert status == 422
    assert [(one["path"], one["code"]) for one in answer["faults"]] == [
        ("line 2: issued_at", "offset_missing"),
        ("line 3: end", "ends_before_start"),
        ("line 4: target_w", "bad_value"),
        ("line 5: kind", "bad_value"),
        ("line 6: target_w", "bad_value"),
    ]
    status, answer = await operator.ask("POST", "/market/import/dispatches", {"form": "csv", "text": "x\n1"})
    assert (status, answer["code"]) == (422, "missing_column")
    for form, bad in (("json", "{"), ("json", '[{"start": []}]'), ("json", "[1]")):
        status, _ = await operator.ask("POST", "/market/import/dispatches", {"form": form, "text": bad})
        assert status == 422
    status, answer = await operator.ask("POST", "/market/dispatches", {"dispatches": [said(iso_resource_id="R9")]})
    assert (status, answer["code"]) == (422, "unknown_resource")
    await operator.change("POST", "/market/dispatches", {"dispatches": [said(sequence=3)]})
    status, answer = await operator.ask("POST", "/market/dispatches", {"dispatches": [said(sequence=3, target_w=1)]})
    assert (status, answer["code"]) == (422, "contradicts")
    assert (await operator.get("/market/dispatches"))["total"] == 1


@BY_RULES
async def test_a_der_that_an_award_uses_is_not_moved_until_a_newer_one_frees_it(operator: Operator):
    await make_approved(operator)
    start, end = NOW + 4 * 3600, NOW + 8 * 3600
    body = {"der": "D1", "service": "energy", "aggregation": "VPP", "start": start, "end": end, "hold": True}
    number = (await operator.change("POST", "/market/commitments", body))["id"]
    award = {"dispatches": [said(kind="award", start=start, end=start + 3600)]}
    await operator.change("POST", "/market/dispatches", award)
    path = f"/market/commitments/{number}/move"
    local = {"service": "local_energy", "holder": "local", "program": "Evening"}
    status, answer = await operator.ask("POST", path, local)
    assert (status, answer["code"]) == (409, "planned")
    assert "award I1 sequence 1" in answer["message"]
    award["dispatches"][0]["target_w"] = 0
    await operator.change("POST", "/market/dispatches", award)
    assert (await operator.change("POST", path, local))["state"] == "held"


AEMO_COLUMNS = (
    "SETTLEMENTDATE,RUNNO,DUID,TRADETYPE,DISPATCHINTERVAL,INTERVENTION,CONNECTIONPOINTID,DISPATCHMODE,AGCSTATUS,"
    "INITIALMW,TOTALCLEARED,RAMPDOWNRATE,RAMPUPRATE,LOWER5MIN,LOWER60SEC,LOWER6SEC,RAISE5MIN,RAISE60SEC,RAISE6SEC,"
    "DOWNEPF,UPEPF,MARGINAL5MINVALUE,MARGINAL60SECVALUE,MARGINAL6SECVALUE,MARGINALVALUE,VIOLATION5MINDEGREE,"
    "VIOLATION60SECDEGREE,VIOLATION6SECDEGREE,VIOLATIONDEGREE,LASTCHANGED,LOWERREG,RAISEREG,AVAILABILITY"
)
"""The columns of AEMO's table DISPATCH, UNIT_SOLUTION up to its availability, in their published order."""


def aemo(*rows: tuple[str, int, float], end: int = START) -> str:
    """A report of AEMO: DUID, intervention and target in MW of each row, for the five minutes until `end`."""
    zone = timezone(timedelta(hours=10))
    until, issued = (f"{datetime.fromtimestamp(at, zone):%Y/%m/%d %H:%M:%S}" for at in (end, end - 295))
    blank = "," * 9
    lines = [f"C,NEMP.WORLD,DISPATCHIS,AEMO,NORTH,{issued.replace(' ', ',')},0000000288575627,DISPATCHIS,1"]
    lines += [f"I,DISPATCH,UNIT_SOLUTION,2,{AEMO_COLUMNS}"]
    lines += [
        f'D,DISPATCH,UNIT_SOLUTION,2,"{until}",1,{duid},0,20270115246,{run},C1,0,0,0,{mw},180,60,0,0,0,0,0,0'
        f'{blank},,"{issued}",0,0,1'
        for duid, run, mw in rows
    ]
    lines += ["I,DISPATCH,OFFERTRK,1,SETTLEMENTDATE,DUID", f'D,DISPATCH,OFFERTRK,1,"{until}",R1']
    return "\n".join([*lines, f'C,"END OF REPORT",{len(lines) + 1}']) + "\n"


@BY_RULES
async def test_a_report_of_aemo_is_read_as_it_publishes_them(operator: Operator):
    await make_approved(operator)
    report = aemo(("R1", 0, 0.05), ("OTHER1", 0, 300), ("R1", 1, -0.045))
    assert report.splitlines()[2].count(",") == report.splitlines()[1].count(",")

    async def take(text: str) -> tuple[int, Any]:
        return await operator.ask("POST", "/market/import/dispatches", {"form": "aemo", "text": text})

    status, done = await take(report)
    (one,) = done["added"]
    assert (status, one["iso_dispatch_id"], one["target_w"]) == (200, "R1 20270115246", -45_000)
    assert (one["start"], one["end"], one["issued_at"], one["ramp_s"]) == (START - 300, START, START - 295, 300)
    assert (await take(report))[1] == {"added": [], "known": 1}
    lines = report.splitlines()
    for wrong, code, path in (
        ("\n".join(lines[:-2]), "cut_off", "file"),
        ("\n".join([*lines[:3], *lines[4:]]), "cut_off", "file"),
        (report.replace("TOTALCLEARED", "CLEARED"), "missing_column", "TOTALCLEARED"),
        (report.replace("UNIT_SOLUTION", "PRICE"), "missing_table", "file"),
        (report.replace("-0.045", "much"), "bad_value", "line 5: target_w"),
        (aemo(("OTHER1", 0, 1)), "unknown_resource", "entry 1: iso_resource_id"),
        ("", "cut_off", "file"),
        (report.replace(lines[4], ",".join(lines[4].split(",")[:6])), "bad_value", "line 5: iso_resource_id"),
    ):
        status, refused = await take(wrong)
        assert (status, refused["code"], refused["faults"][0]["path"]) == (422, code, path), refused
