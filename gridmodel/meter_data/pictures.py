"""Pictures of measurements: one place over a time, and the coverage of many."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Real
from gridmodel.meter_data.coverage import Coverage
from gridmodel.meter_data.quantities import SI_UNIT, Quality, Quantity
from gridmodel.meter_data.reading import MeasuredTable

COLOURS = {
    Quantity.IMPORT: "#5d6d7e",
    Quantity.EXPORT: "#239b56",
    Quantity.NET: "#1f618d",
    Quantity.VOLTAGE: "#7d3c98",
    Quantity.LOWEST_VOLTAGE: "#2471a3",
    Quantity.HIGHEST_VOLTAGE: "#c0392b",
}
DOUBTFUL, GAP = "#d68910", "#fadbd8"
TITLE = {"W": "power, W", "var": "reactive power, var", "V": "voltage, V", "A": "current, A"}
ROWS = 2_000
"""places that are drawn apart; of more, neighbours share a row"""


def place_picture(name: str, tables: Mapping[Quantity, MeasuredTable], path: Path) -> Path:
    """One place's quantities over time, one panel per dimension; gaps are shaded, doubtful values marked."""
    from gridmodel.meter_data.quantities import DIMENSION

    panels: dict[str, list[Quantity]] = {}
    for quantity in tables:
        panels.setdefault(DIMENSION[quantity], []).append(quantity)
    figure = _figure((12.0, 1.2 + 2.8 * len(panels)))
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (dimension, quantities) in zip(axes, panels.items(), strict=True):
        for quantity in quantities:
            _draw(axis, quantity, tables[quantity])
        _shade_gaps(axis, [tables[quantity] for quantity in quantities])
        axis.set_ylabel(TITLE.get(dimension, f"{dimension}, {SI_UNIT.get(dimension, '')}"))
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", fontsize="small", ncols=4)
    _dates(axes[-1])
    axes[0].set_title(f"{name}: orange dots are estimated, substituted or suspect; shaded is not measured")
    figure.savefig(path, dpi=110)
    return path


def _draw(axis: Any, quantity: Quantity, table: MeasuredTable) -> None:
    start, value, window = table.window.start, table.value[:, 0], table.window
    edges = _times(np.append(start, window.until))
    axis.stairs(value, edges, baseline=None, linewidth=1.0, label=str(quantity), color=COLOURS.get(quantity))
    doubtful = (table.quality[:, 0] > Quality.MEASURED) & np.isfinite(value)
    if doubtful.any():
        axis.plot(_times(start[doubtful] + window.step_s // 2), value[doubtful], ".", markersize=3, color=DOUBTFUL)


def _shade_gaps(axis: Any, tables: list[MeasuredTable]) -> None:
    """Shade the steps in which none of the quantities is known."""
    known = np.any([table.known[:, 0] for table in tables], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], known, [True]]).astype(int)))
    window = tables[0].window
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        times = _times(window.since + window.step_s * np.array([first, last]))
        axis.axvspan(times[0], times[1], color=GAP, linewidth=0)


def coverage_picture(found: Coverage, path: Path) -> Path:
    """Share of each day that is measured: places over days, and above it the share of all places' time."""
    from matplotlib.colors import LinearSegmentedColormap

    figure = _figure((12.0, 7.0))
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (1, 4)})
    days = _times(np.append(found.day, found.day[-1] + 86_400))
    above.stairs(100 * found.share.mean(axis=1), days, fill=True, color="#1e8449", alpha=0.6)
    above.set_ylim(0, 105)
    above.set_ylabel("measured, %")
    places = len(found.places)
    colours = LinearSegmentedColormap.from_list("coverage", ["#c0392b", "#f7dc6f", "#1e8449"])
    rows = _grouped(found.share)
    mesh = below.pcolormesh(days, np.linspace(0, places, len(rows) + 1), rows, cmap=colours, vmin=0.0, vmax=1.0)
    figure.colorbar(mesh, ax=[above, below], label="share of the day that is measured", shrink=0.7)
    below.set_ylabel(f"{places:,} places, by name" if places > 1 else found.places[0])
    below.invert_yaxis()
    if places <= 40:
        below.set_yticks(np.arange(places) + 0.5, found.places, fontsize="x-small")
    _dates(below)
    above.set_title(f"{found.kind}: {100 * found.share.mean():.1f} % of the time is measured")
    figure.savefig(path, dpi=110)
    return path


def _grouped(share: Real) -> Real:
    """(rows, D) places as rows; the least covered of those that share one."""
    places = share.shape[1]
    edges = np.linspace(0, places, min(places, ROWS) + 1).astype(int)
    return np.array([share[:, first:last].min(axis=1) for first, last in pairwise(edges)])


def _figure(size: tuple[float, float]) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _dates(axis: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator: Any = AutoDateLocator()  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axis.set_xlabel("UTC")


def _times(seconds: Any) -> Any:
    """Times as matplotlib counts them: days since 1970, UTC."""
    return np.asarray(seconds) / 86_400.0
