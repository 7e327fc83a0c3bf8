"""What clients ask for most is found in indexes, and long lists in the order of an index, on both databases."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Engine, event, text

from sep2.store.database import Database
from sep2.store.postgres import PostgresDatabase
from sep2.store.sqlite import SqliteDatabase
from tests.raw import Raw
from tests.server.walk import walk
from tests.server.world import World

OF_CLIENTS = re.compile(
    r"\b(end_device|member|control|device_group|default_control|served_default|control_edition|curve|response|log_event"
    r"|subscription|mirror_usage_point|mirror_meter_reading|reading|reading_set|der_document)\b"
)
"""Tables that grow with devices; those of the server's own work are looked at by it alone."""
Said = dict[str, Any]


@contextmanager
def heard(db: Database) -> Iterator[Said]:
    """The statements that read tables which grow with devices, each with values with which it was run."""
    said: Said = {}

    def note(_: Any, __: Any, statement: str, values: Any, *more: Any) -> None:
        if statement.lstrip().startswith("SELECT") and OF_CLIENTS.search(statement):
            said.setdefault(statement, values)

    event.listen(Engine, "before_cursor_execute", note)
    db.preparing.is_off = True
    try:
        yield said
    finally:
        db.preparing.is_off = False
        event.remove(Engine, "before_cursor_execute", note)


async def asked(world: World, client: Raw, *paths: str) -> Said:
    """The statements by which these paths are answered."""
    with heard(world.state.db) as said:
        for path in paths:
            reply = await client.get(path)
            assert reply.status == 200, path
    return said


async def plans(world: World, said: Said) -> list[list[str]]:
    """The steps of each statement's plan, indented as they lie within each other."""
    db = world.state.db
    if isinstance(db, SqliteDatabase):
        async with db.write() as writer:
            core = writer.core
            return [_steps(core.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", said[one]).all()) for one in said]
    assert isinstance(db, PostgresDatabase)
    async with db._engine.connect() as core:
        # Over so few rows it would rather read and sort them all; so it only does where no index serves.
        for way in ("seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"):
            await core.execute(text(f"SET enable_{way} = off"))
        raw = (await core.get_raw_connection()).driver_connection
        assert isinstance(raw, asyncpg.Connection)
        return [_lines(await raw.fetchval(f"EXPLAIN (FORMAT JSON) {one}", *said[one])) for one in said]


def _steps(rows: Any) -> list[str]:
    depth = {0: 0}
    for number, parent, *_ in rows:
        depth[number] = depth[parent] + 1
    return ["  " * (depth[number] - 1) + step for number, _, _, step in rows]


def _lines(found: Any) -> list[str]:
    lines: list[str] = []

    def note(plan: Any, depth: int) -> None:
        lines.append("  " * depth + f"{plan['Node Type']} {plan.get('Relation Name', '')}".strip())
        for inner in plan.get("Plans", ()):
            note(inner, depth + 1)

    note((json.loads(found) if isinstance(found, str) else found)[0]["Plan"], 0)
    return lines


def test_what_a_plan_that_scans_looks_like_is_known():
    assert _scanned(["SCAN end_device"]) == ["SCAN end_device"]
    assert _scanned(["SCAN end_device USING INDEX i", "SCAN keys LEFT-JOIN"]) == ["SCAN end_device USING INDEX i"]
    assert _scanned(["Limit", "  Seq Scan member"]) == ["Seq Scan member"]


def _scanned(plan: list[str]) -> list[str]:
    """Steps that read a whole table or a whole index."""
    return [
        step.strip()
        for step in plan
        if re.match(r"SCAN|Seq Scan", step.strip()) and OF_CLIENTS.search(step.split(maxsplit=1)[1])
    ]


async def test_nothing_that_a_client_can_reach_is_looked_for_in_a_whole_table(either_world):
    client = await either_world.as_("sunny")
    paths = [path for path, reply in (await walk(client)).items() if reply.status == 200]
    said = await asked(either_world, client, *(f"{path}?l=7" for path in paths))
    assert len(paths) > 20
    assert len(said) > 10
    for statement, plan in zip(said, await plans(either_world, said), strict=True):
        assert not _scanned(plan), (statement, plan)


async def test_a_list_as_long_as_a_fleet_is_read_in_the_order_of_an_index(either_world):
    client = await either_world.as_("sunny")
    for path in ("/edev?l=2", "/edev?s=1&l=2", "/edev?a=5&l=2", "/mup?l=2", "/upt?l=2"):
        said = await asked(either_world, client, path)
        (listing,) = [one for one in said if "page_total" in one]
        (plan,) = await plans(either_world, {listing: said[listing]})
        depths = {step.strip(): len(step) - len(step.lstrip()) for step in plan}
        # Only the rows of the page are put in order once more, as a join promises none.
        assert depths.get("USE TEMP B-TREE FOR ORDER BY", 0) == 0, (path, plan)
        limits = [depth for step, depth in depths.items() if step == "Limit"]
        assert all(depth < min(limits) for step, depth in depths.items() if step == "Sort"), (path, plan)
