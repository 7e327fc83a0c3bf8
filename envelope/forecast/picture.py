"""Picture of a forecast: its band, median and some of its paths."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envelope.forecast.joint_paths import Forecast

DRAWN = 12
"""paths that are drawn"""


def forecast_picture(made: Forecast, path: Path) -> Path:
    """Draw the net import of the first place of a forecast; returns the path."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 5.0), layout="constrained")
    axis = figure.subplots()
    at = made.start / 86_400.0
    low, quarter, middle, three, high = made.quantiles((0.05, 0.25, 0.5, 0.75, 0.95))[:, :, 0]
    axis.fill_between(at, low, high, step="post", color="#aed6f1", label="5 to 95 %")
    axis.fill_between(at, quarter, three, step="post", color="#5dade2", label="25 to 75 %")
    for one in made.path_w[-DRAWN:, :, 0]:
        axis.step(at, one, where="post", color="#7f8c8d", linewidth=0.5)
    axis.step(at, middle, where="post", color="#1b4f72", linewidth=1.6, label="median")
    if made.solar_w is not None and made.solar_w[:, :, 0].any():
        axis.step(at, -made.solar_w[:, :, 0].mean(axis=0), where="post", color="#d68910", label="solar within, mean")
    axis.axhline(0.0, color="black", linewidth=0.6)
    axis.set_ylabel("net import, W")
    axis.set_xlabel("UTC")
    locator: Any = AutoDateLocator()  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", fontsize="small", ncols=4)
    when = datetime.fromtimestamp(made.made_at, UTC)
    axis.set_title(
        f"{made.places[0]}: {len(made.path_w)} joint paths by {made.model}, made at {when:%Y-%m-%d %H:%M} UTC"
    )
    figure.savefig(path, dpi=110)
    return path
