"""Scores of forecasts: pinball loss, coverage of bands, mean absolute error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gridmodel.arrays import Real

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
HIGHEST_SHARE = 0.05
"""of the steps, those of which the most import was forecast"""


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

    def fields(self) -> dict[str, Any]:
        """The score as plain values."""
        return asdict(self)


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
