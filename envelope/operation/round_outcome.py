"""Outcome of a round, and the problem that it was calculated from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from envelope.operation.assumptions import ViolatedAssumption
from envelope.operation.clients import Controllability
from envelope.operation.publication_terms import PublicationReport
from envelope.operation.restrictions import Restrictions
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule

if TYPE_CHECKING:
    from envelope.verification import VerificationReport


@dataclass(frozen=True)
class Outcome:
    """Result of one round.

    failure: why it published nothing. violated: why it published static limits. withheld: why it kept its run back.
    """

    at: int
    schedule: EnvelopeSchedule | None = None
    report: VerificationReport | None = None
    published: PublicationReport | None = None
    failure: str = ""
    violated: tuple[ViolatedAssumption, ...] = ()
    withheld: str = ""


class Controllable(NamedTuple):
    """A problem as the plan states it, what can be limited and is followed there, and the problem with that."""

    stated: Problem
    controllability: Controllability
    follows: tuple[bool, ...] | None
    restrictions: Restrictions
    problem: Problem
