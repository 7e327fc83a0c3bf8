"""The result of verifying medium and low voltage as one network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from envelope.verification import VerificationReport
from envelope.verification.acceptance import WORSE_PERCENT, WORSE_V
from envelope.verification.report import Excess, exceeded_before


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
        tried = f"{corners} corners of the joined network, judged by {solver}"
        reports = [part.report for part in self.parts]
        if not any(self.excused) and not any(any(report.excused) for report in reports):
            verdict = "inside" if self.inside else "BEYOND"
            return f"{tried}: {verdict} the limits (worst against limit: {worst})"
        before = exceeded_before(worst_of(reports, "base_excess"), worst_of(reports, "firm_excess"), self.excused)
        verdict = "envelopes add nothing" if self.inside else "envelopes go BEYOND that"
        return f"{tried}: NOT inside the limits: {before}; {verdict} (worst against limit or that: {worst})"


def worst_of(reports: Sequence[VerificationReport], field: str) -> tuple[Excess, ...]:
    """The worst of each kind and voltage level over several reports, of `base_excess` or `firm_excess`."""
    found: dict[tuple[str, float], Excess] = {}
    for one in (one for report in reports for one in getattr(report, field)):
        key = one.unit, one.unit_v
        if key not in found or one.beyond > found[key].beyond:
            found[key] = one
    return tuple(found.values())
