"""Publication as it is written down: what each call reports, reads, writes and changes, for a street of all kinds.

Run as a module to record it anew, where a change of what is published is meant.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from sqlalchemy import TextClause

from envelope.engine import calculate
from envelope.operation import publication
from envelope.operation.clients import Sharing
from envelope.operation.publication_terms import PublicationTerms
from envelope.schedule import EnvelopeSchedule
from gridmodel.model.devices import Device
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import NewControl, issue_controls, limits_of
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.documents import put_der_document
from sep2.rules.limits import Limits
from sep2.store import alarms, connections, controls, defaults, migrate, open_database, outbox
from sep2.store.connection import Connection
from sep2.store.database import Database
from tests.envelope.cases import START, STEP_S, street

RECORDED = Path(__file__).with_name("transcript.json")
STEPS, HOUSES = 6, 5
ROOF, BATTERY, CHARGER = (f"{k}A" * 20 for k in (1, 2, 3))
DEVICES = (
    Device("roof", "c1", "pv", max_gen_w=6_000.0, lfdi=ROOF),
    Device("battery", "c1", "storage", max_gen_w=3_000.0, max_load_w=5_000.0, lfdi=BATTERY),
)
WAYS = {
    "first": {},
    "the same again": {"again": True},
    "a little looser": {"hysteresis_w": 100},
    "a random start where it relaxes": {"randomize_relaxing_s": 300},
    "few events": {"horizon_events": 4},
    "no defaults": {"defaults": False},
    "what is left is settled": {"settle_rest": True, "hysteresis_w": 100},
    "early": {"adoption_s": 300},
    "two steps ahead": {"steps_ahead": 2},
}


def schedule() -> EnvelopeSchedule:
    """Limits of whole watts that no machine's arithmetic changes, for five connections; c5 sees only a device."""
    found = calculate(street(customers=HOUSES, steps=STEPS))
    rng = np.random.default_rng(3)
    shape = (STEPS, HOUSES)
    tables = {name: rng.integers(15, 90, shape) * 100 for name in ("import_limit_w", "export_limit_w")}
    tables |= {"load_limit_w": tables["import_limit_w"] - 700, "gen_limit_w": tables["export_limit_w"] + 300}
    tables |= {name: np.full(shape, 100) for name in ("import_least_w", "export_least_w")}
    tables |= {"import_reach_w": np.full(shape, 14_000.0), "export_reach_w": np.full(shape, 10_000.0)}
    bound = replace(found.import_binding, row=np.zeros_like(found.import_binding.row))
    return replace(
        found,
        **tables,
        import_binding=bound,
        export_binding=bound,
        default_import_w=np.full(HOUSES, 1200),
        default_export_w=np.full(HOUSES, 1000),
        control_point=("site", "site", "site", "site", "device"),
    )


async def settle(database: Database) -> None:
    """c1: a roof that holds the net limits, a battery and a csip charger beside it; c2 nobody; c3 two devices without a
    meter; c4 a device and an operator's control; c5 is not registered.
    """
    before = START - 60
    async with database.write() as db:
        for name in ("c1", "c2", "c3", "c4"):
            await add_connection(db, NewConnection(name), before)
        north, south = [
            await register_client(db, NewClient(name, lfdi * 20, "aggregator"), before)
            for name, lfdi in (("north", "CD"), ("south", "CE"))
        ]
        west = await register_client(db, NewClient("west", "CF" * 20, "aggregator", profile="csip"), before)
        await add_device(db, NewDevice(ROOF, north, "c1"), before)
        await add_device(db, NewDevice(BATTERY, south, "c1", holds_net_limit=False), before)
        charger = await add_device(db, NewDevice(CHARGER, west, "c1", holds_net_limit=False), before)
        await put_der_document(db, charger, "DERSettings", b"<x/>", now=before, reported={"set_max_w": 5_000})
        await add_device(db, NewDevice("4A" * 20, north, "c3", holds_net_limit=False), before)
        await add_device(db, NewDevice("5A" * 20, south, "c3", holds_net_limit=False), before)
        await add_device(db, NewDevice("6A" * 20, north, "c4"), before)
        group = (await connections.by_name(db, "c4")).device_group_id
        said = NewControl(start=START + STEP_S, duration=900, limits=Limits(export_w=500))
        await issue_controls(db, group, [said], before)


class Counting:
    """Counts the statements of a connection, but for those by which transactions take turns on PostgreSQL."""

    def __init__(self, db: Connection) -> None:
        self.statements, self._execute = 0, db.execute
        db.execute = self.execute  # type: ignore[method-assign]

    async def execute(self, statement, values):
        self.statements += not isinstance(statement, TextClause)
        return await self._execute(statement, values)


async def written(db: Connection, now: int) -> dict[str, object]:
    """What stands for each group at the connections, its default, notifications that are due, and alarms."""
    groups = {}
    for number in range(1, 40):
        row = await defaults.of_group(db, number)
        if row is not None:
            rows = await controls.standing(db, number, now)
            said = [[row.start - START, row.duration, row.randomize_start, row.source, limits_of(row)] for row in rows]
            groups[str(number)] = [limits_of(row), row.changed - START, said]
    changes = [[one.kind, one.stored_ids] for one in await outbox.oldest(db, 10_000)]
    raised = sorted([row.code, row.subject, row.detail] for row in await alarms.standing(db))
    return {"groups": groups, "changes": changes, "alarms": raised}


async def transcript(database: Database) -> tuple[dict[str, object], dict[str, int]]:
    """What is written in each way of publishing, one after the other, and how many statements each took."""
    await settle(database)
    plan, found, counts = schedule(), {}, {}
    for k, (name, terms) in enumerate(WAYS.items()):
        now = START + 400 * k
        day = plan
        if name == "a little looser":
            day = replace(plan, import_limit_w=plan.import_limit_w + 60, load_limit_w=plan.load_limit_w + 60)
        if name == "few events":
            day = replace(plan, import_limit_w=plan.import_limit_w + 900, load_limit_w=plan.load_limit_w + 900)
        if name == "what is left is settled":
            day = shortened(plan, 4)
        if name == "early":
            day = replace(plan, gen_limit_w=plan.gen_limit_w[::-1], early_s=300)
        async with database.write() as db:
            if name == "the same again":
                group = (await connections.by_name(db, "c4")).device_group_id
                await set_default(db, group, Limits(5000, 9000), now=now)
            count = Counting(db)
            done = await publication.publish(db, day, now, PublicationTerms(sharing=Sharing(devices=DEVICES), **terms))
            counts[name] = count.statements
            report = asdict(replace(done, decided=((), ())))
            report.pop("decided")
            found[name] = {"report": report, **await written(db, now)}
            await outbox.remove(db, [one.id for one in await outbox.oldest(db, 10_000)])
    return json.loads(json.dumps(found)), counts


def shortened(plan: EnvelopeSchedule, steps: int) -> EnvelopeSchedule:
    """The schedule without its last steps."""
    names = ("step_start", "import_limit_w", "export_limit_w", "load_limit_w", "gen_limit_w", "import_least_w",
             "export_least_w", "import_reach_w", "export_reach_w")  # fmt: skip
    bound = replace(plan.import_binding, row=plan.import_binding.row[:steps])
    short = {name: getattr(plan, name)[:steps] for name in names}
    return replace(plan, **short, import_binding=bound, export_binding=bound)


async def record() -> None:
    """Write down what is found now."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/sep2.sqlite"
        await migrate(url)
        database = await open_database(url)
        found, counts = await transcript(database)
        # On PostgreSQL one more says to other processes which tables were written.
        counts = {name: count + 1 for name, count in counts.items()}
        await database.close()
    RECORDED.write_text(json.dumps({"statements": counts, "transcript": found}, indent=None) + "\n")


if __name__ == "__main__":
    asyncio.run(record())
