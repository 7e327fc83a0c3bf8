"""Scores of forecasts: pinball loss, coverage of bands, mean absolute error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gridmodel.arrays import Mask, Real

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LEAD_S, NEAR_S = 4 * 3600, 2 * 3600
"""Time ahead at which hours beyond a rating count as foretold, and within which such hours are one event."""
FORETOLD_SHARE = 0.1
"""Share of the paths beyond a rating from which that is foretold."""
HIGHEST_SHARE = 0.05
"""of the steps, those of which the most import was forecast"""


@dataclass(frozen=True)
class Over:
    """Hours in which transformers were beyond their rating, and those that had been foretold at least 4 h ahead."""

    hours: float
    foretold_hours: float
    false_alarms: int
    """runs of steps that were foretold and in which none was beyond"""
    months: float
    """of 30 days, over all transformers"""

    @property
    def foretold_share(self) -> float:
        """Share of the hours; NaN where there were none."""
        return self.foretold_hours / self.hours if self.hours else float("nan")

    @property
    def false_alarms_a_month(self) -> float:
        """For each transformer and month."""
        return self.false_alarms / self.months

    def sentence(self, level: str) -> str:
        """Return it in words."""
        share = f", {self.foretold_share:.0%} of them foretold {LEAD_S // 3600} h ahead" if self.hours else ""
        rate = f"{self.false_alarms_a_month:.1f} false alarms per transformer and month"
        return f"{level}: {self.hours:g} h beyond the rating{share}, {rate}."


@dataclass(frozen=True)
class Score:
    """Scores at one level (connections, transformers, all together) by one model."""

    level: str
    model: str
    places: int
    values: int
    pinball_w: float
    """mean over the quantiles 5, 25, 50, 75 and 95 %"""
    mae_w: float
    """of the median"""
    persistence_mae_w: float
    coverage_90: float
    """share of values inside the band from 5 to 95 %"""
    coverage_90_highest: float
    """the same in the 5 % of steps of which the most import was forecast at each place

    They are chosen by the forecast's median: by what came, those outside of a band would be chosen for being there.
    """

    over: Over | None = None
    """hours beyond the rating, where ratings are known"""

    def fields(self) -> dict[str, Any]:
        """The score as plain values."""
        found = {name: value for name, value in asdict(self).items() if name != "over"}
        over = self.over
        return found | {
            "hours_over_rating": None if over is None else round(over.hours, 2),
            "foretold_share": None if over is None or not over.hours else round(over.foretold_share, 4),
            "false_alarms_a_month": None if over is None else round(over.false_alarms_a_month, 3),
        }


def pinball(came: Real, band: Real, levels: Sequence[float]) -> Real:
    """(Q, …) pinball loss of quantiles (Q, …) for what came (…), W; NaN where that is not known."""
    level = np.reshape(levels, (-1,) + (1,) * (band.ndim - 1))
    miss = came - band
    return np.asarray(np.maximum(level * miss, (level - 1.0) * miss))


@dataclass(frozen=True, eq=False)
class Compared:
    """Values that came, were forecast, and persistence, W."""

    came: Real
    """(O, H, C), NaN where it is not known"""
    band: Real
    """(Q, O, H, C) of QUANTILES"""
    persistence: Real
    """(O, H, C)"""


def over_rating(load_w: Real, share: Real, rating_w: Real, step_s: int) -> Over:
    """Hours beyond a rating of the days of one forecast each.

    load_w, share: (O, H, G) size of the load that came, and the share of paths beyond the rating; the days follow each
    other. rating_w: (G,)
    """
    count = load_w.shape[2]
    beyond, told = ((one.reshape(-1, count)) for one in (load_w > rating_w, share >= FORETOLD_SHARE))
    near = max(NEAR_S // step_s, 1)
    false = sum(_false_runs(told[:, k], beyond[:, k], near) for k in range(count))
    hours = step_s / 3600
    days = len(load_w) * count
    return Over(float(beyond.sum() * hours), float((beyond & told).sum() * hours), false, days / 30)


def _false_runs(told: Mask, beyond: Mask, near: int) -> int:
    """Number of runs that were foretold without a step beyond in them; runs that are nearly one are one."""
    at = np.flatnonzero(told)
    runs = np.split(at, np.flatnonzero(np.diff(at) > near) + 1) if len(at) else []
    return sum(not beyond[max(run[0] - near, 0) : run[-1] + near + 1].any() for run in runs)


def score(level: str, model: str, figures: Compared) -> Score:
    """Scores of forecasts at one level."""
    came, band, persistence = figures.came, figures.band, figures.persistence
    known = np.isfinite(came)
    inside = (came >= band[0]) & (came <= band[-1])
    median, hit = (one.reshape(-1, came.shape[-1]) for one in (band[2], inside))
    highest = (median >= np.quantile(median, 1.0 - HIGHEST_SHARE, axis=0)) & known.reshape(hit.shape)
    return Score(
        level,
        model,
        came.shape[-1],
        int(known.sum()),
        float(np.nanmean(pinball(came, band, QUANTILES))),
        float(np.nanmean(np.abs(came - band[2]))),
        float(np.nanmean(np.abs(came - persistence))),
        float(inside[known].mean()),
        float(hit[highest].mean()) if highest.any() else float("nan"),
    )
