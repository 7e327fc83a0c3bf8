"""Knowledge and result of one round of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from envelope.operation.assumptions import ViolatedAssumption
from envelope.operation.clients import Controllability
from envelope.operation.measurements import Measured
from envelope.operation.publication_terms import PublicationReport
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule

if TYPE_CHECKING:
    from envelope.verification import VerificationReport


@dataclass(frozen=True)
class Outcome:
    """Result of one round.

    failure: why it published nothing. violated: why it published static limits.
    """

    at: int
    schedule: EnvelopeSchedule | None = None
    report: VerificationReport | None = None
    published: PublicationReport | None = None
    failure: str = ""
    violated: tuple[ViolatedAssumption, ...] = ()


class Known(NamedTuple):
    """State of the server before a round publishes a run."""

    run: str
    """The run that is published so far."""
    no_client: Sequence[str]
    """Findings about clients that are missing or do not follow."""
    measured: Sequence[Measured]
    violated: Sequence[ViolatedAssumption]
    """Assumptions that do not hold for some connections, which get static limits."""


class Controllable(NamedTuple):
    """A problem as the plan states it, what can be limited and is followed there, and the problem with that."""

    stated: Problem
    controllability: Controllability
    follows: tuple[bool, ...] | None
    problem: Problem
