"""Whether a schedule keeps the limits: power flow at many corners of its box, by an independent solver."""

from envelope.verification.report import Effort, Finding, UnbalanceFinding, VerificationReport
from envelope.verification.verification import verify
from envelope.verification.wrong_phases import verify_wrong_phases

__all__ = [
    "Effort",
    "Finding",
    "UnbalanceFinding",
    "VerificationReport",
    "verify",
    "verify_wrong_phases",
]
