"""Who was reached, who answered and who obeyed, by what the utility itself has on record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envelope.operation.publication_terms import SOURCE
from sep2.store import evidence, open_database

WATTS, FORWARD = 38, 1
"""UomType W, and FlowDirectionType forward: what the site's meter counts, drawn from the network positive."""
RECEIVED, STARTED, COMPLETED, CANCELLED, SUPERSEDED = 1, 2, 3, 6, 7
TOLERANCE_W = 5
"""Readings are whole watts."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A measured mean beyond the limit that was in force."""

    connection_id: str
    start: int
    beyond_w: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the utility can prove of the day."""

    controls: int
    responses: int
    readings: int
    undelivered: tuple[str, ...]
    """connections that have not said of every control that they received it"""
    unanswered: tuple[str, ...]
    """connections that have not said of every control how it ended"""
    unmeasured: tuple[str, ...]
    """connections with an interval that nobody measured"""
    breaches: tuple[Breach, ...]

    @property
    def disobeying(self) -> tuple[str, ...]:
        """Connections that were measured beyond their limit."""
        return tuple(sorted({breach.connection_id for breach in self.breaches}))

    @property
    def silent(self) -> tuple[str, ...]:
        """Connections that do not answer or are not measured."""
        return tuple(sorted({*self.undelivered, *self.unanswered, *self.unmeasured}))

    @property
    def all_is_well(self) -> bool:
        """Whether everything published was delivered, answered and obeyed."""
        return self.controls > 0 and not self.silent and not self.breaches


async def judged(url: str, start: int, end: int, step_s: int) -> Verdict:
    """The verdict over the period from `start` to `end`, from a server's database."""
    database = await open_database(url)
    try:
        async with database.read() as db:
            asked, answered = await evidence.asked(db, SOURCE), await evidence.answered(db, SOURCE)
            measured = await evidence.measured(db, start, end)
    finally:
        await database.close()
    said: dict[int, set[int]] = defaultdict(set)
    for row in answered:
        said[row.control_id].add(row.status)
    site = [row for row in measured if (row.uom, row.flow_direction) == (WATTS, FORWARD)]
    return Verdict(
        controls=len(asked),
        responses=sum(len(statuses) for statuses in said.values()),
        readings=len(measured),
        undelivered=_names(row for row in asked if RECEIVED not in said[row.id]),
        unanswered=_names(row for row in asked if not _has_ended(said[row.id])),
        unmeasured=_unmeasured(asked, site, (start, end, step_s)),
        breaches=tuple(_breaches(asked, site)),
    )


def _names(rows: Any) -> tuple[str, ...]:
    return tuple(sorted({row.connection_id for row in rows}))


def _has_ended(said: set[int]) -> bool:
    """Whether a client has told how a control ended: run to its end, or given way before or while it ran."""
    return {STARTED, COMPLETED} <= said or bool({SUPERSEDED, CANCELLED} & said)


def _unmeasured(asked: Sequence[Any], site: Sequence[Any], period: tuple[int, int, int]) -> tuple[str, ...]:
    """Connections whose readings leave a gap."""
    start, end, step_s = period
    covered: dict[str, int] = defaultdict(int)
    for row in site:
        covered[row.connection_id] += row.duration
    everyone = {row.connection_id for row in asked}
    return tuple(sorted(name for name in everyone if covered[name] < end - start - step_s))


def _breaches(asked: Sequence[Any], site: Sequence[Any]) -> list[Breach]:
    """Readings beyond the loosest limit that was in force during their time."""
    by_connection: Mapping[str, list[Any]] = _grouped(asked)
    found = []
    for reading in site:
        held = _held(by_connection.get(reading.connection_id, []), reading.start, reading.start + reading.duration)
        if not held:
            continue
        drawn_w = reading.value * 10**reading.multiplier
        over_w = drawn_w - max(row.import_limit_w for row in held)
        over_w = max(over_w, -drawn_w - max(row.export_limit_w for row in held))
        if over_w > TOLERANCE_W:
            found.append(Breach(reading.connection_id, reading.start, round(over_w)))
    return found


def _grouped(rows: Sequence[Any]) -> Mapping[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.connection_id].append(row)
    return grouped


def _held(controls: Sequence[Any], start: int, end: int) -> list[Any]:
    """Controls of one connection that were in force at some moment of a period."""
    return [row for row in controls if row.start < end and start < _effective_end(row)]


def _effective_end(control: Any) -> int:
    """When a control stopped: at its end, or as its successor began."""
    end: int = control.start + control.duration
    return end if control.successor_start is None else min(end, control.successor_start)
