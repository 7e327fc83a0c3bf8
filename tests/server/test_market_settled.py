"""What a market is told afterwards: meters over mutual TLS, limits, an override and a dispatch, settled by the API."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sep2.rules.market.columns import times, values
from sep2.store.market.after_tables import evidence_pack, settle_run
from sep2.store.market.intervals import runs
from sep2.store.retention import forget
from tests.cli.conftest import REPOSITORY, say
from tests.server.meters import DER as GENERATOR
from tests.server.meters import W, mirror, post, read, reading_type
from tests.server.operator import operating
from tests.server.settlement import DAY, HOUR, QUARTER, START, profile_in, site
from tests.server.world import NOW


@pytest.fixture
async def desk(people, on_either, tmp_path):
    async with operating(people, on_either, tmp_path, market=profile_in(tmp_path)) as desk:
        yield desk


async def limit(operator, start: int, seconds: int, watts: int) -> None:
    control = {"start": start, "duration": seconds, "limits": {"export_w": watts}}
    await operator.change(
        "POST", "/connections/NMI1/controls", {"controls": [control], "reason": "test", "anyway": True}
    )


async def settled(operator, **query: str) -> list[dict[str, Any]]:
    span = {"start": str(START), "end": str(START + 2 * HOUR)}
    found = await operator.get("/market/settlements/VPP/intervals", **span, **query)
    return [one for one in found["items"] if one["der"]]


async def packed(operator, as_of: int | None) -> bytes:
    """The bytes of the pack of the settled hours as of a time."""
    body = {"aggregation": "VPP", "start": START, "end": START + 2 * HOUR, "as_of": as_of}
    made = await operator.change("POST", "/market/evidence", body)
    shown = await operator.get(f"/market/evidence/{made['id']}")
    return base64.b64decode(shown["content"])


async def forgotten(world) -> None:
    """Nothing that devices posted or were told is left."""
    async with world.state.db.write() as db:
        ages = dict.fromkeys(("responses", "controls", "readings", "log_events"), world.state.clock.now())
        while await forget(db, **ages):
            pass


def verified_and_refused(octets: bytes, folder: Path) -> None:
    """A pack is good for the command and for the script of the examples; with an octet changed it names the file."""
    good, bad = folder / "good.zip", folder / "bad.zip"
    good.write_bytes(octets)
    at = octets.index(b'"want_w"') + 11
    bad.write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :])
    for file, status in ((good, 0), (bad, 1)):
        assert say("evidence", "verify", str(file)).status == status
    assert "intervals.json was changed" in say("evidence", "verify", str(bad)).out
    script = [sys.executable, str(REPOSITORY / "examples" / "verify_evidence.py")]
    assert subprocess.run([*script, str(good)], check=False).returncode == 0
    assert subprocess.run([*script, str(bad)], check=False).returncode == 1


def columns_say(octets: bytes, listed: list[dict[str, Any]]) -> None:
    """The file of intervals holds what the API lists."""
    with zipfile.ZipFile(io.BytesIO(octets)) as pack:
        whole, one = json.loads(pack.read("intervals.json"))
    assert (whole["component_der_id"], one["rows"]) == (None, len(listed))
    found = {name: list(values(column)) for name, column in one["columns"].items() if name != "start"}
    assert list(times(one["columns"]["start"])) == [each["start"] for each in listed]
    for name in ("instructed_w", "want_w", "state", "override_mrid", *LOST[3:]):
        assert found[name] == [each[name] for each in listed]
    assert found["measured_w"][:3] == [380_000, 550_000, 690_000]


async def as_an_earlier_server_made_it(world, octets: bytes) -> bytes:
    """The pack with the form of an earlier release in its manifest, kept in place of it."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(octets)) as pack, zipfile.ZipFile(made, "w") as older:
        for info in pack.infolist():
            older.writestr(info, pack.read(info).replace(b"sep2-evidence-2", b"sep2-evidence-1"))
    async with world.state.db.write() as db:
        await db.run(update(evidence_pack).where(evidence_pack.c.bytes == octets).values(bytes=made.getvalue()))
    return made.getvalue()


async def reported(operator) -> None:
    found = await operator.get("/market/report", start=str(NOW), end=str(START + DAY))
    (one,) = found["by_aggregation"]
    assert (one["lost_override_wh"], one["lost_envelope_wh"], one["instructed_wh"]) == (112_500, 150_000, 750_000)
    assert one["lost_part"] == pytest.approx(0.35)
    assert (found["reviews"]["submitted"], found["reviews"]["outcomes"], found["dispatches"]) == (1, {"approved": 1}, 1)
    assert "D1" not in str(found)


LOST = ("lost_override_wh", "lost_envelope_wh", "own_shortfall_wh", "breach_wh")


async def test_the_worked_numbers_and_a_correction_from_late_meter_data(desk, tmp_path):
    world, operator = desk
    raw, path = await site(desk)
    world.advance(START - HOUR)
    await limit(operator, START, 3 * QUARTER, 700_000)
    await limit(operator, START + HOUR, 3 * QUARTER, 3000)
    told = {"iso_dispatch_id": "I1", "iso_resource_id": "R1", "issued_at": START - HOUR, "target_w": 1_000_000}
    told |= {"start": START, "end": START + 3 * QUARTER}
    await operator.change("POST", "/market/dispatches", {"dispatches": [told]})
    override = {
        "scope": "connection",
        "subject": "NMI1",
        "limits": {"export_w": 400_000},
        "reason": "overload",
        "anyway": True,
    }
    await operator.change("POST", "/overrides", {**override, "start": START, "duration": 2 * QUARTER})
    world.advance(START + 2 * HOUR)
    measured = [(0, 900, 380_000), (1, 900, 550_000), (2, 900, 690_000), (4, 900, 3080), (5, 900, 3180), (6, 600, 2000)]
    for quarter, seconds, watts in measured:
        await post(raw, path, "0C01", read(f"{quarter:02X}", START + QUARTER * quarter, [(seconds, -watts)]))
    able = {"der": "D1", "start": START, "end": START + 3 * QUARTER, "available_w": 900_000}
    body = {"aggregation": "VPP", "start": START, "end": START + 2 * HOUR, "available": [able]}
    first = await operator.change("POST", "/market/settle", body)
    rows = await settled(operator)
    assert [tuple(row[name] for name in LOST) for row in rows[:3]] == [
        (75_000, 50_000, 5000, 0),
        (37_500, 50_000, 0, 37_500),
        (0, 50_000, 2500, 0),
    ]
    assert [row["want_w"] for row in rows[:3]] == [900_000] * 3
    assert [(row["envelope_w"], row["limit_w"], bool(row["override_mrid"])) for row in rows[:3]] == [
        (700_000, 400_000, True),
        (700_000, 400_000, True),
        (700_000, 700_000, False),
    ]
    assert [(row["state"], row["breach_wh"], row["measured_wh"]) for row in rows[4:7]] == [
        ("ok", 0, 770),
        ("breach", 45, 795),
        ("unknown", None, None),
    ]
    assert (first["lost_override_wh"], first["lost_envelope_wh"], first["own_shortfall_wh"]) == (112_500, 150_000, 7500)
    assert first["delivered_share"] == pytest.approx((380 + 550 + 690) / 3000)
    assert (first["firm"]["ratio"], first["firm"]["events"], first["firm"]["needed"]) == (None, 1, 22)
    # On the tenth day the meter tells the rest: a new version, and what was known before stays as it was.
    day_two = world.state.clock.now()
    world.advance(START + 10 * DAY)
    await post(raw, path, "0C01", read("20", START + QUARTER * 6 + 600, [(300, -2000)]))
    again = await operator.change("POST", "/market/settle", {**body, "available": []})
    assert again["changed"] == 2
    late = (await settled(operator))[6]
    assert (late["version"], late["state"], late["measured_wh"]) == (2, "ok", 500)
    assert (await settled(operator, known_at=str(day_two)))[6]["state"] == "unknown"
    packs = [await packed(operator, as_of) for as_of in (day_two, day_two, None)]
    assert packs[0] == packs[1] != packs[2]
    columns_say(packs[0], await settled(operator, known_at=str(day_two)))
    # A customer who withdraws consent is shown from the next request on without what was measured.
    await operator.change("DELETE", "/market/ders/D1/consent")
    hidden = (await settled(operator))[0]
    assert (hidden["is_withheld"], hidden["measured_wh"], hidden["lost_override_wh"]) == (True, None, None)
    # Raw readings are forgotten and names change; what was signed is the same, octet by octet.
    world.advance(START + 100 * DAY)
    await forgotten(world)
    await operator.change("POST", "/market/ders/D1/rename", {"name": "other"})
    assert await packed(operator, day_two) == packs[0]
    verified_and_refused(packs[0], tmp_path)
    older = await as_an_earlier_server_made_it(world, packs[0])
    assert await packed(operator, day_two) == older
    await reported(operator)


async def firm_after(operator, start: int, events: int) -> dict[str, Any]:
    """What is firm once so many quarter hours are settled."""
    body = {"aggregation": "VPP", "start": start, "end": start + events * QUARTER}
    settlement = await operator.change("POST", "/market/settle", body)
    firm = await operator.get("/market/firm/VPP")
    assert settlement["firm"] == {name: firm[name] for name in settlement["firm"]}
    return firm


async def firm_by_events(operator, world, raw, path) -> None:
    """Dispatches of 1 MW, of which one delivers 620 kW, one 800 kW and the others all."""
    start = world.state.clock.now() + HOUR
    one = {"iso_resource_id": "R1", "issued_at": start - HOUR, "target_w": 1_000_000}
    spans = [(start + n * QUARTER, start + (n + 1) * QUARTER) for n in range(38)]
    told = [{**one, "iso_dispatch_id": f"F{n}", "start": begin, "end": end} for n, (begin, end) in enumerate(spans)]
    await operator.change("POST", "/market/dispatches", {"dispatches": told})
    world.advance(spans[-1][1])
    watts = [620_000, 1_000_000, 800_000, *[1_000_000] * 35]
    await post(raw, path, "0C01", read("F0", start, [(QUARTER, -each) for each in watts]))
    found = await firm_after(operator, start, 21)
    assert (found["ratio"], found["firm_w"], found["events"], found["needed"], found["rank"]) == (None, None, 21, 22, 0)
    assert [one["ratio"] for one in found["by_event"][20:22]] == [1.0, None]
    for events, rank, ratio, firm_w in ((22, 1, 0.62, 620_000), (38, 2, 0.80, 800_000)):
        found = await firm_after(operator, start, events)
        assert (found["rank"], found["ratio"], found["firm_w"]) == (rank, ratio, firm_w)
    first = found["by_event"][0]
    assert (first["dispatch"], first["ordered_w"], first["ratio"], first["missing"]) == ("F0", 1_000_000, 0.62, 0)


async def test_baselines_and_firm_capacity_are_those_of_the_worked_examples_from_stored_readings(desk):
    world, operator = desk
    raw, path = await site(desk)
    # A Wednesday; 14:00 to 15:00 UTC, with the three hours before 13:00 as the adjustment.
    noon = next(
        day for n in range(20, 30) if (day := datetime.fromtimestamp(NOW, UTC) + timedelta(days=n)).weekday() == 2
    ).replace(hour=0, minute=0, second=0)
    before = [noon - timedelta(days=n) for n in (1, 2, 5, 6, 7)]
    world.advance(int(noon.timestamp()) + DAY)
    for number, (day, kilowatts) in enumerate(zip(before, (100, 120, 110, 90, 130), strict=True)):
        at = int(day.timestamp())
        hours = [(HOUR, 100_000)] * 3 + [(HOUR, 100_000), (HOUR, kilowatts * 1000)]
        await post(raw, path, "0C01", read(f"{number:02X}", at + 10 * HOUR, hours))
    today = int(noon.timestamp()) + 10 * HOUR
    await post(raw, path, "0C01", read("77", today, [(HOUR, 105_000)] * 3 + [(HOUR, 105_000), (HOUR, 80_000)]))
    query = {"day": f"{noon:%Y-%m-%d}", "first_hour": "14", "end_hour": "15", "profile": "quarters"}
    found = await operator.get("/market/baselines/D1", **query)
    assert found["hours"] == [{"hour": 14, "baseline_w": 120_000.0, "metered_w": 80_000.0}]
    assert (found["adjustment"], found["reduced_wh"], found["method"]) == (5000.0, 40_000.0, "high_4_of_5")
    assert f"{noon - timedelta(days=6):%Y-%m-%d}" not in found["days"]
    # By the hour before it: 105 kW drawn before, 80 kW in the event.
    found = await operator.get("/market/baselines/D1", **query, method="meter_before")
    assert (found["hours"][0]["baseline_w"], found["reduced_wh"]) == (105_000.0, 25_000.0)
    for method in ("average_10_of_10", "generation_meter"):
        status, answer = await operator.ask("GET", "/market/baselines/D1", params={**query, "method": method})
        assert (status, answer["code"]) == (400, "no_baseline")
    assert "is not known of the meter of its generation" in answer["message"]
    # A generator behind the meter serves 30 kW of the load in one hour; in the other 50 kW, and 20 kW are exported.
    mine = await mirror(raw, world.ids.lfdis["one"], "0A02", flags=GENERATOR, types={"0D01": reading_type(W)})
    await operator.change("PUT", f"/mirrors/{mine.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"})
    await post(raw, mine, "0D01", read("88", today + 4 * HOUR, [(HOUR, -30_000), (HOUR, -70_000)]))
    await post(raw, path, "0C01", read("78", today + 5 * HOUR, [(HOUR, -20_000)]))
    query |= {"end_hour": "16", "method": "generation_meter"}
    found = await operator.get("/market/baselines/D1", **query)
    assert found["hours"] == [
        {"hour": 14, "baseline_w": 110_000.0, "metered_w": 80_000.0},
        {"hour": 15, "baseline_w": 50_000.0, "metered_w": 0.0},
    ]
    assert found["reduced_wh"] == 80_000.0
    await firm_by_events(operator, world, raw, path)


async def test_a_day_is_settled_by_itself_once_it_is_due_and_again_for_late_meters(desk):
    world, operator = desk
    await site(desk)
    midnight = NOW - NOW % DAY + DAY
    span = {"start": str(midnight), "end": str(midnight + DAY)}

    async def kept(at: int) -> int:
        world.advance(at)
        await world.state.settle_watch.once()
        found = await operator.get("/market/settlements/VPP/intervals", **span, limit="500")
        return len([one for one in found["items"] if one["der"]])

    assert await kept(midnight + 2 * DAY - 1) == 0
    assert await kept(midnight + 2 * DAY + 60) == DAY // QUARTER
    path = "/market/settlements/VPP/intervals"
    every = await operator.get(path, **span, limit="500")
    first = await operator.get(path, **span, limit="150")
    rest = await operator.get(path, **span, limit="150", after=first["next"])
    assert first["items"] + rest["items"] == every["items"]
    assert (first["total"], rest["next"]) == (len(every["items"]), None)
    beyond = await operator.get(path, **span, after="9" * 18)
    assert (beyond["items"], beyond["next"]) == ([], None)
    async with world.state.db.read() as db:
        aggregation = (await db.one(select(settle_run.c.aggregation_id).limit(1))).aggregation_id
        before = await runs(db, aggregation, midnight)
    await kept(midnight + 2 * DAY + 120)
    async with world.state.db.read() as db:
        assert len(await runs(db, aggregation, midnight)) == len(before)
    await kept(midnight + 11 * DAY + 60)
    async with world.state.db.read() as db:
        assert len([one for one in await runs(db, aggregation, midnight) if one.start == midnight]) == 2
