"""Operating envelopes: limits that customers can keep and a feeder can bear in any combination.

from envelope import Problem, calculate, verify
"""

import os
from typing import TYPE_CHECKING, Any

# The engine's matrices are small: a second BLAS thread costs more than it brings, and on a busy machine ten times more.
# Feeders are independent; processes are the way to more cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if TYPE_CHECKING:
    from envelope.engine import calculate
    from envelope.problem import Guarantee, OperatingLimits, Problem, ShareReference
    from envelope.schedule import EnvelopeSchedule, verified_box
    from envelope.verification import VerificationReport, verify

_HOMES = {
    "calculate": "engine",
    "OperatingLimits": "problem.limits",
    "Guarantee": "problem.policies",
    "Problem": "problem.problem",
    "ShareReference": "problem.policies",
    "EnvelopeSchedule": "schedule.schedule",
    "verified_box": "schedule.adoption",
    "VerificationReport": "verification.report",
    "verify": "verification.verification",
}

__all__ = [
    "EnvelopeSchedule",
    "Guarantee",
    "OperatingLimits",
    "Problem",
    "ShareReference",
    "VerificationReport",
    "calculate",
    "verified_box",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"envelope.{_HOMES[name]}"), name)
