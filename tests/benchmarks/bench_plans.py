"""Verdicts on plans of 1,000 DERs.

An aggregation of 1,000 DERs at 1,000 connections of 36 feeders, 28 at each, for each of which a run of 288 steps of
five minutes is published (SQLite). A plan is handed in as JSON: one node of 288 steps, or every DER as a node of its
own with 20 steps. The verdict includes reading the published limits, the comparison, and keeping it; it calculates no
power flow. The machine was shared, at a load of 20. Goal set beforehand: a verdict within 60 s.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sep2.clock import SteppedClock
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.market import aggregations, ders, entries, parties, plans, published
from sep2.operations.plans import Round, note_round
from sep2.rules.market.deliverables import Side
from sep2.rules.market.plans import Series
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.register import AggregationFacts, DerFacts, PartyFacts
from sep2.server.plan_verdicts import PlanVerdicts
from sep2.settings import parse
from sep2.store import Database, migrate, open_database
from sep2.store.market import register
from sep2.store.market.facts import AsOf, Written
from tests.benchmarks.table import Row

NOW, STEP_S, STEPS, DERS, AT_FEEDER = 1_800_000_000, 300, 288, 1000, 28
WRITTEN = Written("bench", NOW - 60, NOW - 60)
NAMES = [f"C{n}" for n in range(DERS)]


def rows() -> list[Row]:
    """Seconds of a submission and of its verdict."""
    return asyncio.run(_measured())


async def _measured() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        url = f"sqlite:///{Path(home, 'sep2.db')}"
        await migrate(url)
        db = await open_database(url)
        try:
            await _prepare(db)
            whole = [Series("N17", _starts(STEPS), [0.0] * STEPS, [1e5] * STEPS, [2e6] * STEPS)]
            each = [Series(f"DER D{n}", _starts(20), [0.0] * 20, [1e3] * 20, [2e3] * 20) for n in range(DERS)]
            found = [*await _plan(db, "one node, 288 steps", whole), *await _plan(db, "1,000 nodes, 20 steps", each)]
        finally:
            await db.close()
    return found


def _starts(number: int) -> list[int]:
    return [NOW + STEP_S * (k + 1) for k in range(number)]


async def _prepare(db: Database) -> None:
    facts: dict[str, Any] = {"max_gen_w": 5000, "max_load_w": 5000, "export_agreement_w": 5000}
    async with db.write() as c:
        for name in NAMES:
            await add_connection(c, NewConnection(name), NOW - 60)
        party = await parties.add_party(c, "North", PartyFacts(), WRITTEN)
        new = [
            ders.NewDer(
                f"D{n}",
                party,
                DerFacts(
                    edc_account=name,
                    connection=name,
                    meter_id=name,
                    device_type="solar",
                    import_agreement_w=5000,
                    **facts,
                ),
                NOW - 60,
            )
            for n, name in enumerate(NAMES)
        ]
        numbers = await ders.add_ders(c, new, WRITTEN)
        row = await entries.find(c, "party", "North", AsOf(NOW))
        said = AggregationFacts(profile="custom", iso_nodes=["N17"], services=["energy"], inject_w=5_000_000)
        await aggregations.add_aggregation(c, "VPP", row, said, own=None, written=WRITTEN)
        vpp = await entries.find(c, "aggregation", "VPP", AsOf(NOW))
        members = [aggregations.NewMember(await entries.find(c, "der", one.name, AsOf(NOW))) for one in new]
        await aggregations.add_members(c, vpp, members, read_profile("custom"), written=WRITTEN)
        await aggregations.set_members(c, vpp, dict.fromkeys(numbers, register.EFFECTIVE), WRITTEN)
        await aggregations.set_status(c, vpp, aggregations.APPROVED, WRITTEN)
        for first in range(0, DERS, AT_FEEDER):
            feeder = f"feeder {first // AT_FEEDER}"
            await published.record(c, _run(feeder, NAMES[first : first + AT_FEEDER]), NOW)
            await note_round(c, feeder, Round(NOW, "published", STEP_S, NOW + 2 * 86_400, rolls=True))


def _run(feeder: str, connections: Sequence[str]) -> published.Run:
    rng = random.Random(feeder)

    def limits_of(_: str) -> tuple[Side, Side]:
        side = Side([rng.randrange(1000, 6000) for _ in range(STEPS + 1)], [5000] * (STEPS + 1), [1] * (STEPS + 1))
        return side, side

    starts = [NOW + STEP_S * k for k in range(STEPS + 1)]
    names = ["capacity", "over-voltage at node n12"]
    return published.Run(feeder, f"run of {feeder}", "two-sided", STEP_S, starts, names, connections, (), limits_of)


async def _plan(db: Database, name: str, series: Sequence[Series]) -> list[Row]:
    watch = PlanVerdicts(db, SteppedClock(NOW), parse({}))
    began = time.perf_counter()
    async with db.write() as c:
        vpp = await entries.find(c, "aggregation", "VPP", AsOf(NOW))
        new = plans.NewPlan("bid", "energy", STEP_S, series, name=name)
        await plans.submit(c, vpp, new, own=None, written=Written("bench", NOW, NOW))
    taken = time.perf_counter()
    await watch.once()
    answered, cpu = time.perf_counter(), time.process_time()
    await watch.once()
    return [
        Row(name=f"{name}: taken in", ours=taken - began, unit="s", better="less"),
        Row(name=f"{name}: verdict", ours=answered - taken, unit="s", better="less", goal=60),
        Row(name=f"{name}: looked at again", ours=time.process_time() - cpu, unit="s of CPU", better="less"),
    ]
