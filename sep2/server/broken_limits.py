"""Who does not keep limits: told by alarms after each time that intervals were judged."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.operations import attention
from sep2.operations.alarms import LIMIT_BREACH, METERS_DISAGREE, OBEDIENCE_LOW, Wanted, differs, set_alarms
from sep2.operations.attention import note_disobeying
from sep2.rules.days import DAY_S, LocalTime, from_octets, mask
from sep2.rules.obedience import GRID_S, Sums
from sep2.rules.silence import named
from sep2.store import alarms, judged, listing_compliance
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.store.listing_compliance import Whose

FAR_SHARE, FAR_W = 1.2, 1000.0
"""One interval that is so far beyond its limit is enough for an alarm; else it takes two in a row."""
KEPT = 3
"""Intervals in a row after which an alarm is over."""
MANY = 10
"""Connections of one aggregator that are one alarm together."""
LOOKS_BACK_S = 6 * 3600
DISPUTED = 2
"""Intervals of a day in dispute after which it is told."""
LOW, LOW_ENDS = 0.9, 0.92
LEAST_BINDING = 100
"""Binding intervals of a day that are enough to judge an aggregator by."""


class BrokenLimits:
    """Raises and clears `limit_breach`, `obedience_low` and `meters_disagree`."""

    def __init__(self, db: Database, local: LocalTime) -> None:
        self._db = db
        self._local = local
        self._kept: list[str] | None = None

    async def look(self, until: int, now: int) -> None:
        """Have the alarms stand that follow from what was judged up to a time."""
        async with self._db.read() as db:
            disobeying = await self._disobeying(db, until)
            low = await self._low(db, until)
            disputed = await self._disputed(db, until)
            wanted = {LIMIT_BREACH: _breaches(disobeying), OBEDIENCE_LOW: low, METERS_DISAGREE: disputed}
            codes = [code for code, of_code in wanted.items() if await differs(db, code, of_code)]
        said = sorted(disobeying)
        if codes or said != self._kept:
            async with self._db.write() as db:
                for code in codes:
                    await set_alarms(db, code, wanted[code], now)
                await note_disobeying(db, said)
            self._kept = said

    async def _disobeying(self, db: Connection, until: int) -> dict[str, Row[Any]]:
        """The connections that are beyond a limit, each with the interval that is farthest beyond."""
        several: dict[tuple[str, int, str], list[Row[Any]]] = defaultdict(list)
        for row in await judged.breaches(db, until - LOOKS_BACK_S):
            several[row.place or row.lfdi, row.end_device_id, row.direction].append(row)
        standing = set(await attention.disobeying(db))
        unknown = await self._unknown(db, sorted({device for _, device, _ in several}), until)
        found: dict[str, Row[Any]] = {}
        for (name, device, direction), rows in several.items():
            present = [row for row in rows if row.start + row.duration_s > until - KEPT * GRID_S]
            goes_on = bool(present) or (device, direction) in unknown
            begins = bool(present) and (_is_far(present) or _twice(rows, present[-1]))
            if begins or (name in standing and goes_on):
                worst = max(rows, key=lambda row: row.breach_wh)
                if name not in found or worst.breach_wh > found[name].breach_wh:
                    found[name] = worst
        return found

    async def _unknown(self, db: Connection, ids: Sequence[int], until: int) -> set[tuple[int, str]]:
        """The devices and directions of which one of the last intervals is unknown."""
        since = until - KEPT * GRID_S
        rows = await judged.days(db, ids, self._local.day_of(since), self._local.day_of(until - 1))
        return {
            (row.end_device_id, row.direction)
            for row in rows
            if from_octets(bytes(row.unknown_bits)) & mask(row.day, since, until)
        }

    async def _disputed(self, db: Connection, until: int) -> dict[str, Wanted]:
        """By client the connections whose meters disagreed in at least two intervals of the last day."""
        since = until - DAY_S
        of_client: dict[str, set[str]] = defaultdict(set)
        for row in await judged.disputed(db, self._local.day_of(since)):
            bits = from_octets(bytes(row.unknown_bits)) & mask(row.day, since, until)
            if bits.bit_count() >= DISPUTED:
                of_client[row.client_lfdi].add(row.connection_name or row.lfdi)
        said = "two meters do not measure the same"
        return {
            lfdi: Wanted(f"at {named(names, 20)}: {said}", members=sorted(names)) for lfdi, names in of_client.items()
        }

    async def _low(self, db: Connection, until: int) -> dict[str, Wanted]:
        """Aggregators that keep too few of the limits that bound them on this day."""
        standing = {row.subject for row in await alarms.standing_of(db, OBEDIENCE_LOW)}
        day = self._local.day_of(until - 1)
        found = {}
        for row in await listing_compliance.sums(db, Whose(), "client", (day, day)):
            sums = Sums(binding_s=int(row.binding_s or 0), binding_ok_s=int(row.binding_ok_s or 0))
            share = sums.binding_ok_s / sums.binding_s if sums.binding_s else 1.0
            enough = sums.binding_s >= LEAST_BINDING * GRID_S
            if (enough and share < LOW) or (row.name in standing and share < LOW_ENDS):
                found[row.name] = Wanted(f"{100 * share:.0f} % of {sums.binding_s // GRID_S} binding intervals today")
        return found


def _breaches(disobeying: Mapping[str, Row[Any]]) -> dict[str, Wanted]:
    """One alarm for each connection; many of one aggregator are one."""
    of_client: dict[str, list[str]] = defaultdict(list)
    for name, row in disobeying.items():
        of_client[row.client_name or ""].append(name)
    found = {}
    for client, names in of_client.items():
        if client and len(names) >= MANY:
            detail = f"{len(names)} of its connections are beyond their limits: {named(names, 20)}"
            found[client] = Wanted(detail, members=names)
            continue
        for name in names:
            row = disobeying[name]
            found[name] = Wanted(
                f"{row.direction} {row.measured_w:.0f} W, {row.allowed_w:.0f} W allowed; through {client or 'nobody'}"
            )
    return found


def _is_far(rows: Sequence[Row[Any]]) -> bool:
    return any(
        row.measured_w > FAR_SHARE * row.allowed_w and row.measured_w - row.allowed_w > FAR_W
        for row in rows
        if row.measured_w is not None
    )


def _twice(rows: Sequence[Row[Any]], last: Row[Any]) -> bool:
    """Whether the interval before this one was beyond its limit, too."""
    return any(row.start + row.duration_s == last.start for row in rows)
