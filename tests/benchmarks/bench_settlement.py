"""Settlement and evidence of 1,000 DERs.

An aggregation of 1,000 DERs at 1,000 connections, each with a device, its meter (readings of five minutes) and controls
of half an hour, and a dispatch of one hour (SQLite). A day of it (288,288 intervals) is settled, settled again with
nothing new, and packed as evidence; then a month of settled days (8.6 million) is packed. Figures are processor time:
the machine was shared, at a load of 10. Goal set beforehand: evidence of a month in less than two minutes. Before
settlement went by set, a day took about 100 s, and a month of evidence would have come to 380 s and 5 GB.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert, literal, select

from sep2.operations.judging import Policy
from sep2.operations.market import aggregations, ders, entries, packing, parties
from sep2.operations.market.settling import Rules, calculated, keep, question
from sep2.operations.market.signing_keys import signer
from sep2.rules.market.packs import build, verify
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.register import AggregationFacts, DerFacts, PartyFacts
from sep2.store import Database, migrate, open_database
from sep2.store.market.after_tables import dispatch, dispatch_share, market_interval
from sep2.store.market.facts import AsOf, Written
from sep2.store.tables import mirror_meter_reading, mirror_usage_point, reading
from tests.benchmarks.seed import Size, fill
from tests.benchmarks.table import Row

DERS, DAYS = 1000, 30
DAY_S, STEP_S = 86_400, 300
START = 1_800_057_600
"""The first second of a day in UTC."""
WRITTEN = Written("bench", START - DAY_S, START - DAY_S)
LATER = START + 40 * DAY_S
PROFILE = read_profile("custom")


def rows() -> list[Row]:
    """CPU seconds of settlement and evidence."""
    return asyncio.run(measured(DERS, DAYS))


async def measured(number: int, days: int) -> list[Row]:
    """The figures of so many DERs and days."""
    with tempfile.TemporaryDirectory() as home:
        url = f"sqlite:///{Path(home, 'sep2.db')}"
        await migrate(url)
        db = await open_database(url)
        try:
            row = await _prepare(db, number)
            return [*await _settled(db, row), *await _packed(db, row, days, Path(home))]
        finally:
            await db.close()


async def _prepare(db: Database, number: int) -> Any:
    size = Size(number, 10, 20, 2, 48, 1, 10, 1, 10)
    await fill(db, size, START + 1800)
    for part in _readings(number):
        async with db.write() as c:
            await c.run(insert(part[0]), part[1])
    watts = dict.fromkeys(("max_gen_w", "max_load_w", "export_agreement_w", "import_agreement_w"), 5000)
    names = [f"NMI{n:07}" for n in range(1, number + 1)]
    async with db.write() as c:
        party = await parties.add_party(c, "North", PartyFacts(), WRITTEN)
        facts = [DerFacts(edc_account=n, connection=n, meter_id=n, device_type="solar", **watts) for n in names]
        new = [ders.NewDer(f"D {n}", party, one, WRITTEN.now) for n, one in zip(names, facts, strict=True)]
        numbers = await ders.add_ders(c, new, WRITTEN)
        row = await entries.find(c, "party", "North", AsOf(START))
        said = AggregationFacts(profile="custom", iso_nodes=["N17"], services=["energy"], inject_w=5_000_000)
        await aggregations.add_aggregation(c, "VPP", row, said, own=None, written=WRITTEN)
        vpp = await entries.find(c, "aggregation", "VPP", AsOf(START))
        members = [aggregations.NewMember(await entries.find(c, "der", one.name, AsOf(START))) for one in new]
        await aggregations.add_members(c, vpp, members, PROFILE, written=WRITTEN)
        await aggregations.set_members(c, vpp, dict.fromkeys(numbers, aggregations.EFFECTIVE), WRITTEN)
        await aggregations.set_status(c, vpp, aggregations.APPROVED, WRITTEN)
        identity = await entries.identity(c, "aggregation", "VPP")
    await _dispatched(db, identity.id, numbers)
    return identity


def _readings(number: int) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Rows of each device's meter: a mirror, a series, and its readings of a day."""
    numbers = range(1, number + 1)
    own: dict[str, Any] = {"role_flags": 3, "service_kind": 0, "status": 1, "reading_sign": "as-posted"}
    yield (
        mirror_usage_point,
        [
            {"id": n, "mrid": f"{n:032X}", "client_id": 1 + n % 10, "end_device_id": n, "changed": START, **own}
            for n in numbers
        ],
    )
    kind = {"reading_type": b"", "uom": 38, "multiplier": 0, "flow_direction": 1, "phase": 0, "data_qualifier": 2}
    yield (
        mirror_meter_reading,
        [{"id": n, "mirror_usage_point_id": n, "mrid": f"{n:032X}", "interval_s": STEP_S, **kind} for n in numbers],
    )
    for n in numbers:
        yield (
            reading,
            [
                {"mirror_meter_reading_id": n, "start": START + k * STEP_S, "duration": STEP_S, "local_id": 0,
                 "value": -(n * 7919 + k * 104_729) % 6000 + 4000, "received": START + (k + 1) * STEP_S}
                for k in range(DAY_S // STEP_S)
            ],
        )  # fmt: skip


async def _dispatched(db: Database, aggregation_id: int, der_ids: list[int]) -> None:
    """A dispatch from 17:00 to 18:00 of 3 kW from each DER."""
    fixed = {"sequence": 1, "kind": "dispatch", "ramp_s": 0, "is_late": False, "source": "", "recorded_by": "bench"}
    times = {"issued_at": START, "received_at": START, "start": START + 61_200, "end": START + 64_800}
    one = {"aggregation_id": aggregation_id, "iso_dispatch_id": "I1", "target_w": 3000 * len(der_ids), **fixed, **times}
    share = {"version": 1, "iso_node": "N17", "target_w": 3000, "cause": "", "binding": "", "recorded_at": START}
    async with db.write() as c:
        number = await c.add(insert(dispatch).values(one))
        await c.run(insert(dispatch_share), [{**share, "dispatch_id": number, "component_der_id": n} for n in der_ids])


async def _settled(db: Database, row: Any) -> list[Row]:
    rules = Rules(PROFILE, Policy(adoption_s=360), at_once=True)
    found = []
    for name, goal in (("a day is settled", None), ("it is settled again, nothing new", None)):
        cpu = time.process_time()
        async with db.read() as c:
            asked = await question(c, row, (START, START + DAY_S), rules, declared=[])
        made = await calculated(asked)
        async with db.write() as c:
            await keep(c, made, WRITTEN._replace(now=LATER))
        found.append(_row(name, cpu, goal))
    return found


def _row(name: str, cpu: float, goal: float | None = None) -> Row:
    return Row(name=name, ours=time.process_time() - cpu, unit="s of CPU", better="less", goal=goal)


async def _packed(db: Database, row: Any, days: int, folder: Path) -> list[Row]:
    found = []
    for name, length, goal in (("evidence of a day", 1, None), (f"evidence of {days} days", days, 120.0)):
        await _copied(db, length)
        signing = signer(folder / "evidence.pem", "Utility", "evidence", LATER)
        span = (START, START + length * DAY_S)
        cpu = time.process_time()
        async with db.read() as c:
            parts = await packing.parts_of(c, row, span, LATER)
        made = build(*parts, signing)
        async with db.write() as c:
            await packing.keep(c, packing.Built(row.id, span, LATER, made), WRITTEN._replace(now=LATER))
        found.append(_row(name, cpu, goal))
        found.append(Row(name=f"{name}: size", ours=len(made.octets) / 1e6, unit="MB", better="less"))
        cpu = time.process_time()
        assert not verify(made.octets).problems
        found.append(_row(f"{name}: verified", cpu))
    return found


async def _copied(db: Database, days: int) -> None:
    """Settled days like the first, up to so many."""
    columns = [column for column in market_interval.c if column.name not in ("id", "start")]
    names = ["start", *(column.name for column in columns)]
    for n in range(1, days):
        start = (market_interval.c.start + literal(n * DAY_S)).label("start")
        of_first = select(start, *columns).where(market_interval.c.start < START + DAY_S)
        async with db.write() as c:
            await c.run(insert(market_interval).from_select(names, of_first))
