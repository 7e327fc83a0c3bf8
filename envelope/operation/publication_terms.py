"""A publication: its schedule and options, and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from envelope.operation.clients import Sharing
from envelope.operation.lead_time import upcoming_intervals
from envelope.schedule import EnvelopeSchedule
from sep2.operations.controls import MOST_AHEAD
from sep2.rules.timeline import Interval

SOURCE = "envelope"
"""The source of controls that the engine issues."""


@dataclass(frozen=True)
class PublicationReport:
    """Result of a publication: counts over all connections."""

    connections: int = 0
    created: int = 0
    kept: int = 0
    superseded: int = 0
    defaults: int = 0
    parts: int = 0
    """Devices that received a part of their connection's limits."""
    missing: tuple[str, ...] = ()
    """Connections of the schedule that are not registered."""
    findings: tuple[str, ...] = ()
    """Findings for the operator, such as defaults that are looser than the published limits."""
    decided: tuple[Sequence[Any], Sequence[Any]] = field(default=((), ()), repr=False, compare=False)
    """What clients held before it (`ConnectionUpdate`), and what each group was to have (`GroupUpdate`)."""


def both(one: PublicationReport, other: PublicationReport) -> PublicationReport:
    """Return the result of two publications for different connections, the second of static limits."""
    counts = {
        name: getattr(one, name) + getattr(other, name)
        for name in ("connections", "created", "kept", "superseded", "defaults", "parts", "missing", "findings")
    }
    return PublicationReport(**counts)


@dataclass(frozen=True)
class PublicationTerms:
    """Options of a publication."""

    horizon_events: int = MOST_AHEAD
    """Most controls that a device may hold ahead."""
    hysteresis_w: int = 0
    """A standing control inside the new limits and at most this far below them stays."""
    randomize_relaxing_s: int = 0
    """Most random delay of a control that only relaxes what precedes it."""
    defaults: bool = True
    """Whether the schedule's DefaultDERControl is set too."""
    settle_rest: bool = False
    """Whether the default replaces controls beyond the schedule's end; otherwise they stay."""
    again: bool = False
    """Whether the schedule was published before, so that a looser default found now was set by an operator."""
    steps_ahead: int = 1
    """Steps for which a client may continue with an earlier limit, where nothing is published early."""
    rolls: bool = False
    """Whether the schedule's begin moves from round to round."""
    adoption_s: int = 0
    """Time within which a device adopts a new part of its connection's limits."""
    sharing: Sharing = field(default_factory=Sharing)
    """How the devices behind one connection share its limits."""
    left_out: frozenset[str] = frozenset()
    """Connections for which the schedule is not valid, and is not published."""


@dataclass(frozen=True)
class Publication:
    """A schedule that is published at a time on certain terms."""

    schedule: EnvelopeSchedule
    now: int
    terms: PublicationTerms

    def upcoming(self, column: int, *, most: int, of_device: bool) -> list[Interval]:
        """Return a connection's intervals ahead, at most `most`; of_device: limits of load and generation."""
        terms = self.terms
        return upcoming_intervals(
            self.schedule,
            column,
            self.now,
            most=most,
            steps_ahead=terms.steps_ahead,
            of_device=of_device,
            rolls=terms.rolls,
        )
