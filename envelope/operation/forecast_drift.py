"""Whether what came still lies where an earlier forecast saw it: if not, habits or meters have changed."""

from __future__ import annotations

import numpy as np

from envelope.forecast.history import History
from envelope.forecast.joint_paths import Forecast
from gridmodel.meter_data.store import DAY_S

BAND = (0.05, 0.95)
LEAST_INSIDE = 0.75
"""Part of what a band should hold that it has to hold."""
FEWEST = 48
"""values by which a forecast is judged"""


def drift_of(earlier: Forecast | None, history: History) -> str:
    """Return how far what has arrived since lies outside of an earlier forecast, as a sentence; empty: it does not."""
    if earlier is None or earlier.step_s != history.question.step_s or earlier.places != history.places:
        return ""
    question = history.question
    position = (earlier.start - (question.at - question.days * DAY_S)) // question.step_s
    known = (position >= 0) & (position < len(history.net_w))
    came = history.net_w[position[known]]
    low, high = earlier.quantiles(BAND)[:, known]
    counted = np.isfinite(came)
    if counted.sum() < FEWEST:
        return ""
    inside = float(((came >= low) & (came <= high))[counted].mean())
    # Few paths reach no further than their extremes, between which (K - 1) / (K + 1) of what comes should lie.
    paths = len(earlier.path_w)
    meant = min(BAND[1] - BAND[0], (paths - 1) / (paths + 1))
    if inside >= LEAST_INSIDE * meant:
        return ""
    return f"{inside:.0%} of {int(counted.sum())} values lay in the band that was forecast for {meant:.0%} of them"
