"""Compliance by the utility's own records: delivered controls, responses, and measured power within the limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envelope.operation.publication_terms import SOURCE
from sep2.store import evidence, open_database

WATTS, FORWARD = 38, 1
"""UomType W and FlowDirectionType forward: net power of the site's meter, import positive."""
RECEIVED, STARTED, COMPLETED, CANCELLED, SUPERSEDED = 1, 2, 3, 6, 7
TOLERANCE_W = 5
"""Readings are whole watts."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A measured mean that exceeds the limit in force."""

    connection_id: str
    start: int
    beyond_w: int


@dataclass(frozen=True, slots=True)
class ComplianceReport:
    """Compliance over the day."""

    controls: int
    responses: int
    readings: int
    undelivered: tuple[str, ...]
    """Connections without a response of receipt to every control."""
    unanswered: tuple[str, ...]
    """Connections without a final response to every control."""
    unmeasured: tuple[str, ...]
    """Connections with an interval without readings."""
    breaches: tuple[Breach, ...]

    @property
    def disobeying(self) -> tuple[str, ...]:
        """Connections that were measured beyond their limits."""
        return tuple(sorted({breach.connection_id for breach in self.breaches}))

    @property
    def silent(self) -> tuple[str, ...]:
        """Connections that do not answer or are not measured."""
        return tuple(sorted({*self.undelivered, *self.unanswered, *self.unmeasured}))

    @property
    def complies(self) -> bool:
        """Whether every control was delivered, answered and obeyed."""
        return self.controls > 0 and not self.silent and not self.breaches


async def compliance_of(url: str, start: int, end: int, step_s: int) -> ComplianceReport:
    """Return the compliance from `start` to `end`, epoch seconds, by a server's database."""
    database = await open_database(url)
    try:
        async with database.read() as db:
            issued, answered = await evidence.asked(db, SOURCE), await evidence.answered(db, SOURCE)
            measured = await evidence.measured(db, start, end)
    finally:
        await database.close()
    statuses: dict[int, set[int]] = defaultdict(set)
    for row in answered:
        statuses[row.control_id].add(row.status)
    site = [row for row in measured if (row.uom, row.flow_direction) == (WATTS, FORWARD)]
    return ComplianceReport(
        controls=len(issued),
        responses=sum(len(found) for found in statuses.values()),
        readings=len(measured),
        undelivered=_names(row for row in issued if RECEIVED not in statuses[row.id]),
        unanswered=_names(row for row in issued if not _has_ended(statuses[row.id])),
        unmeasured=_unmeasured(issued, site, (start, end, step_s)),
        breaches=tuple(_breaches(issued, site)),
    )


def _names(rows: Any) -> tuple[str, ...]:
    return tuple(sorted({row.connection_id for row in rows}))


def _has_ended(statuses: set[int]) -> bool:
    """Return whether the responses to a control are final: completed, superseded or cancelled."""
    return {STARTED, COMPLETED} <= statuses or bool({SUPERSEDED, CANCELLED} & statuses)


def _unmeasured(issued: Sequence[Any], site: Sequence[Any], period: tuple[int, int, int]) -> tuple[str, ...]:
    """Return connections whose readings have a gap."""
    start, end, step_s = period
    covered: dict[str, int] = defaultdict(int)
    for row in site:
        covered[row.connection_id] += row.duration
    everyone = {row.connection_id for row in issued}
    return tuple(sorted(name for name in everyone if covered[name] < end - start - step_s))


def _breaches(issued: Sequence[Any], site: Sequence[Any]) -> list[Breach]:
    """Return readings beyond the loosest limit in force during their time."""
    by_connection: Mapping[str, list[Any]] = _grouped(issued)
    found = []
    for reading in site:
        active = _in_force(
            by_connection.get(reading.connection_id, []), reading.start, reading.start + reading.duration
        )
        if not active:
            continue
        drawn_w = reading.value * 10**reading.multiplier
        over_w = drawn_w - max(row.import_limit_w for row in active)
        over_w = max(over_w, -drawn_w - max(row.export_limit_w for row in active))
        if over_w > TOLERANCE_W:
            found.append(Breach(reading.connection_id, reading.start, round(over_w)))
    return found


def _grouped(rows: Sequence[Any]) -> Mapping[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.connection_id].append(row)
    return grouped


def _in_force(controls: Sequence[Any], start: int, end: int) -> list[Any]:
    """Return controls of one connection that were in force at any time of a period."""
    return [row for row in controls if row.start < end and start < _effective_end(row)]


def _effective_end(control: Any) -> int:
    """Return the end of a control, or the start of its successor if that is earlier."""
    end: int = control.start + control.duration
    return end if control.successor_start is None else min(end, control.successor_start)
