"""The result of verifying medium and low voltage as one network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from envelope.verification import VerificationReport
from envelope.verification.acceptance import WORSE_PERCENT, WORSE_V


class Part(NamedTuple):
    """One state of taps, capacitors and source, in the intervals in which it may be."""

    report: VerificationReport
    excused: tuple[float, float, float]
    """V over, V under and percent by which the firm minimum exceeds limits somewhere in its head's band"""

    @property
    def inside(self) -> bool:
        """Whether nothing is worse than that."""
        tolerance = (WORSE_V, WORSE_V, WORSE_PERCENT)
        pairs = zip(self.report.worst, self.excused, tolerance, strict=True)
        return self.report.diverged == 0 and all(w <= (e + more if e > 0.0 else 0.0) for w, e, more in pairs)


@dataclass(frozen=True, eq=False)
class JointReport:
    """Worst corners of the joined network, tap position by tap position."""

    parts: tuple[Part, ...]

    @property
    def over_v(self) -> float:
        """Worst over-voltage at any customer, V; negative: inside."""
        return max(part.report.over_v for part in self.parts)

    @property
    def under_v(self) -> float:
        """Worst under-voltage, V."""
        return max(part.report.under_v for part in self.parts)

    @property
    def overload_percent(self) -> float:
        """Worst overload of any branch, medium voltage included, or of an operator's sum."""
        return max(part.report.overload_percent for part in self.parts)

    @property
    def excused(self) -> tuple[float, float, float]:
        """V over, V under and percent that base loads and contracts alone reach."""
        over, under, load = (max(part.excused[k] for part in self.parts) for k in range(3))
        return over, under, load

    @property
    def inside(self) -> bool:
        """Whether every corner is inside every limit, or no worse than the firm minimum."""
        return all(part.inside for part in self.parts)

    def sentence(self) -> str:
        """The result in one line."""
        corners, solver = sum(part.report.scenarios for part in self.parts), self.parts[0].report.solver
        worst = f"{self.over_v:+.3f} V over, {self.under_v:+.3f} V under, {self.overload_percent:+.2f} % load"
        beside = f"; what is granted in any case exceeds them by {max(self.excused):.2f}" if any(self.excused) else ""
        verdict = "inside" if self.inside else "BEYOND"
        return f"{corners} corners of the joined network, judged by {solver}: {verdict} the limits ({worst}){beside}"
