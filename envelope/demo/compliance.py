"""Compliance by the utility's own records: delivered controls, responses, and limits as the server judges them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envelope.operation.publication_terms import SOURCE
from sep2.operations.compliance import Rollup, roll_up
from sep2.operations.judging import Policy, Window, judge_everybody
from sep2.store import evidence, open_database
from sep2.store.listing_compliance import Whose

RECEIVED, STARTED, COMPLETED, CANCELLED, SUPERSEDED = 1, 2, 3, 6, 7


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
    """Connections whose limits could not be judged for more than one interval."""
    breach_wh: dict[str, float]
    """Energy beyond the limits of the connections that did not keep them, Wh."""

    @property
    def disobeying(self) -> tuple[str, ...]:
        """Connections that were measured beyond their limits."""
        return tuple(sorted(self.breach_wh))

    @property
    def silent(self) -> tuple[str, ...]:
        """Connections that do not answer or are not measured."""
        return tuple(sorted({*self.undelivered, *self.unanswered, *self.unmeasured}))

    @property
    def complies(self) -> bool:
        """Whether every control was delivered, answered and obeyed."""
        return self.controls > 0 and not self.silent and not self.breach_wh


async def compliance_of(url: str, span: tuple[int, int], step_s: int, policy: Policy) -> ComplianceReport:
    """Return the compliance over a time, epoch seconds, by the database of a server that has stopped.

    The last intervals, which the server had no time to judge, are judged here as it would.
    """
    database = await open_database(url)
    try:
        await judge_everybody(database, Window(*span), policy)
        async with database.read() as db:
            # What begins later has neither run nor given way to another one yet.
            within = [row for row in await evidence.asked(db, SOURCE) if row.start < span[1]]
            issued = [row for row in within if row.start + row.duration > span[0]]
            answered = await evidence.answered(db, SOURCE)
            measured = await evidence.measured(db, *span)
            judged = await roll_up(db, Whose(), span, by="connection", local=policy.local)
    finally:
        await database.close()
    statuses: dict[int, set[int]] = defaultdict(set)
    for row in answered:
        statuses[row.control_id].add(row.status)
    return ComplianceReport(
        controls=len(issued),
        responses=sum(len(statuses[row.id]) for row in issued),
        readings=len(measured),
        undelivered=_names(row for row in issued if RECEIVED not in statuses[row.id]),
        unanswered=_names(row for row in issued if _is_over(row, span[1]) and not _has_ended(statuses[row.id])),
        unmeasured=_unmeasured(issued, judged, step_s),
        breach_wh={one.name: one.sums.breach_wh for one in judged if one.sums.late_s or one.sums.breach_s},
    )


def _names(rows: Any) -> tuple[str, ...]:
    return tuple(sorted({row.connection_id for row in rows}))


def _is_over(row: Any, now: int) -> bool:
    """Return whether a control has run to its end, or another one has taken its place."""
    ends = (row.start + row.duration, row.successor_start)
    return bool(min(end for end in ends if end is not None) <= now)


def _has_ended(statuses: set[int]) -> bool:
    """Return whether the responses to a control are final: completed, superseded or cancelled."""
    return {STARTED, COMPLETED} <= statuses or bool({SUPERSEDED, CANCELLED} & statuses)


def _unmeasured(issued: Sequence[Any], judged: Sequence[Rollup], step_s: int) -> tuple[str, ...]:
    """Return connections with limits that could not be judged for more than one interval of `step_s`."""
    unknown_s = {one.name: one.sums.unknown_s for one in judged}
    # Import and export are judged apart, by the same meter.
    return tuple(name for name in _names(issued) if unknown_s.get(name, 0) > 2 * step_s)
