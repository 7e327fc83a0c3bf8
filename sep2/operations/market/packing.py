"""Build evidence packs from what was settled, as it was known at a time, and sign them with a key of their own."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.errors import Conflict
from sep2.operations.market import override_accounts
from sep2.rules.market.columns import runs, steps
from sep2.rules.market.packs import FORMAT, File, Pack, format_of
from sep2.rules.market.shares import RATING
from sep2.store.connection import Connection
from sep2.store.market import commitments, dispatches, facts, intervals
from sep2.store.market import packs as stored
from sep2.store.market.facts import AsOf, Written
from sep2.store.market.register import members_of
from sep2.store.market.tables import aggregation_fact, component_der_fact

DAY_S = 86_400


class EvidenceDiffers(Conflict):
    """A pack of that time and knowledge was made before, and it would not be the same now."""


class Built(NamedTuple):
    """A pack of an aggregation and a time as it was known then."""

    aggregation_id: int
    span: tuple[int, int]
    as_of: int
    made: Pack


async def keep(db: Connection, new: Built, written: Written) -> int:
    """The number of a pack that is kept as it is; EvidenceDiffers where it was made before and was another one."""
    made = new.made
    before = await stored.same(db, new.aggregation_id, new.span, new.as_of)
    if before is not None:
        # An earlier version of this server may have made it, in another form: then that one stays.
        if before.bytes != made.octets and format_of(before.bytes) == FORMAT:
            raise EvidenceDiffers(f"pack {before.id}; it is kept as it was made")
        return int(before.id)
    return await stored.add(
        db,
        aggregation_id=new.aggregation_id,
        start=new.span[0],
        end=new.span[1],
        as_of=new.as_of,
        manifest_sha256=made.manifest_sha256,
        bytes=made.octets,
        made_at=written.now,
        made_by=written.by,
    )


async def parts_of(
    db: Connection, row: Row[Any], span: tuple[int, int], as_of: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a pack is about, and its files."""
    return await _about(db, row, span, as_of), await _entries(db, row, span, as_of)


async def _about(db: Connection, row: Row[Any], span: tuple[int, int], as_of: int) -> dict[str, Any]:
    runs = [
        {name: getattr(one, name) for name in ("start", "end", "recorded_at", "profile_sha256")}
        for one in await intervals.runs(db, row.id, 0)
        if one.start < span[1] and span[0] < one.end and one.recorded_at <= as_of
    ]
    return {"aggregation": row.id, "start": span[0], "end": span[1], "as_of": as_of, "settled": runs}


async def _entries(db: Connection, row: Row[Any], span: tuple[int, int], as_of: int) -> dict[str, Any]:
    """Every file of a pack. DERs and aggregations stand by number: their names may change, what is here may not."""
    told = await dispatches.every(db, dispatches.Which(row.id, *span, every=True, received_by=as_of))
    parts = await dispatches.shares(db, [one.id for one in told], as_of)
    members = [one for one in await members_of(db, [row.id], AsOf(span[0], as_of)) if one.valid_from < span[1]]
    rated = await facts.of(db, component_der_fact, {one.component_der_id for one in members}, as_of)
    held = commitments.Which(aggregation_id=row.id, start=span[0], end=span[1], known_at=as_of)
    return {
        "aggregation.json": _facts(await facts.of(db, aggregation_fact, [row.id], as_of), span),
        "members.json": _plain(members, ("superseded_at", "der_name", "aggregation_name")),
        "ders.json": _facts(rated, span),
        "dispatches.json": _plain(told, ("aggregation_name",)),
        "dispatch_parts.json": _parts(parts),
        "commitments.json": _plain(await commitments.every(db, held), ("der_name", "aggregation_name")),
        **await _intervals(db, row.id, span, as_of),
        **await override_accounts.files(db, row, span, as_of, der_ids={one.component_der_id for one in members}),
    }


def _parts(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Members' parts; what they were spread by is said where it was not ratings, the only way there was once."""
    found = _plain(rows, ("superseded_at", "der_name"))
    return [
        {name: value for name, value in one.items() if name != "split_by" or value != RATING} for one in found
    ]  # fmt: skip


def _facts(rows: Sequence[Row[Any]], span: tuple[int, int]) -> list[dict[str, Any]]:
    there = [one for one in rows if one.valid_from < span[1] and (one.valid_to is None or span[0] < one.valid_to)]
    return _plain(there, ("superseded_at",))


async def _intervals(db: Connection, number: int, span: tuple[int, int], as_of: int) -> dict[str, File]:
    """The settled intervals, a file for each 24 hours of the time."""
    starts = range(*span, DAY_S)
    found = {}
    for n, start in enumerate(starts, 1):
        rows = await intervals.plain(db, number, start, min(start + DAY_S, span[1]), known_at=as_of)
        path = "intervals.json" if len(starts) == 1 else f"intervals-{n:03}.json"
        found[path] = await asyncio.to_thread(_by_column, rows)
    return found


def _by_column(rows: Sequence[Row[Any]]) -> File:
    """Intervals as columns (see `rules.market.columns`), those of each DER together, those of the whole without one."""
    said = []
    for (der,), mine in groupby(rows, key=itemgetter(slice(0, 1))):
        columns = dict(zip(intervals.PLAIN, zip(*mine, strict=True), strict=True))
        del columns["component_der_id"]
        bodies = [msgspec.json.decode(one) for one in columns.pop("body")]
        columns |= {name: tuple(one[name] for one in bodies) for name in bodies[0]}
        coded = {name: steps(one) if name == "start" else runs(one) for name, one in sorted(columns.items())}
        said.append({"columns": coded, "component_der_id": der, "rows": len(bodies)})
    return File(msgspec.json.encode(said) + b"\n", len(rows))


def _plain(rows: Sequence[Row[Any]], left_out: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as objects; a text that holds JSON as what it holds."""
    found = []
    for row in rows:
        said = {name: value for name, value in row._mapping.items() if name not in left_out}
        if "body" in said:
            said["body"] = msgspec.json.decode(said["body"])
        found.append(said)
    return sorted(found, key=lambda one: one["id"])
