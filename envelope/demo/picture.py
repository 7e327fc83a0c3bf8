"""One picture of the day: voltages, transformer load, its duration curve, and the three most limited connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from envelope.demo.criteria import DayFlow
from envelope.demo.day import FIRST_HOUR, STEP_S, STEPS, Day
from envelope.demo.study import TITLES, Run
from gridmodel.arrays import Real

INK, GRID = "#22303c", "#d9dee3"
COLOURS = {
    "none": "#d1495b",
    "static": "#edae49",
    "envelope": "#00798c",
    "upgrade": "#8d96a3",
    "perfect_information": "#6a994e",
}
HOURS = FIRST_HOUR + np.arange(STEPS) * STEP_S / 3600
EDGES = FIRST_HOUR + np.arange(STEPS + 1) * STEP_S / 3600


@dataclass(frozen=True, slots=True, eq=False)
class DayPicture:
    """Content of the picture: a day, its four runs, and the (T, C) limits in force, W (infinity: none)."""

    title: str
    day: Day
    runs: Mapping[str, Run]
    import_limit_w: Real
    export_limit_w: Real


def draw(path: Path, content: DayPicture) -> Path:
    """Write the picture as a PNG and return its path."""
    with mpl.rc_context({"font.size": 9, "axes.edgecolor": INK, "text.color": INK, "axes.titleweight": "bold"}):
        figure = Figure(figsize=(15, 11.2), dpi=110, facecolor="white", layout="constrained")
        figure.suptitle(content.title, fontsize=13, fontweight="bold")
        places = GridSpec(3, 6, figure=figure, height_ratios=(1.15, 1.0, 1.0))
        _voltages(figure, [figure.add_subplot(places[0, k : k + 3]) for k in (0, 3)], content.runs)
        _transformer(figure.add_subplot(places[1, 0:4]), content.runs)
        _duration(figure.add_subplot(places[1, 4:6]), content.runs)
        for k, connection in enumerate(most_limited(content, 3)):
            _limited(figure.add_subplot(places[2, 2 * k : 2 * k + 2]), content, connection)
        figure.savefig(path, metadata={"Software": "sep2 demo"})
    return path


def most_limited(content: DayPicture, count: int) -> list[int]:
    """Return the connections whose power the limits reduce most."""
    wanted = content.runs["none"].powers.s_va.real
    cut = np.maximum(wanted - content.export_limit_w, 0.0) + np.maximum(-wanted - content.import_limit_w, 0.0)
    order = np.argsort(-cut.sum(axis=0), kind="stable")
    return [int(k) for k in order[: min(count, len(order))]]


def _voltages(figure: Figure, places: list[Axes], runs: Mapping[str, Run]) -> None:
    """Draw customers by time; voltages outside the limits are red (high) or violet (low)."""
    order = np.argsort(runs["none"].flow.voltage_v.max(axis=0), kind="stable")
    colours = mpl.colormaps["RdYlBu_r"].resampled(12)
    shades = mpl.colors.ListedColormap(colours(np.linspace(0.12, 0.8, 12)))
    shades.set_over("#9b1b30")
    shades.set_under("#4b1d78")
    limits = runs["none"].flow.bands.limits
    low_v, high_v = limits.v_min_v, limits.v_max_v
    for axes, name in zip(places, ("none", "envelope"), strict=True):
        volts = runs[name].flow.voltage_v[:, order].T
        mesh = axes.pcolormesh(EDGES, np.arange(len(order) + 1), volts, cmap=shades, vmin=low_v, vmax=high_v)
        outside, customers = runs[name].figures.customers_outside_voltage, len(set(runs[name].flow.bands.connection))
        axes.set_title(
            f"Voltage, {TITLES[name]}: {outside} of {customers} customers outside {low_v:.0f}…{high_v:.0f} V"
        )
        axes.set_ylabel("customer, by highest voltage" if customers == len(order) else "port, by highest voltage")
        _hours(axes)
    bar = figure.colorbar(mesh, ax=places, extend="both", pad=0.01, aspect=30)
    bar.set_label("V phase to neutral")


def _transformer(axes: Axes, runs: Mapping[str, Run]) -> None:
    """Draw the load of the transformer's worst phase."""
    for name, found in runs.items():
        width = 2.2 if name == "envelope" else 1.2
        axes.plot(HOURS, _worst_phase(found.flow), color=COLOURS[name], lw=width, label=TITLES[name])
    axes.axhline(100.0, color=INK, lw=1.2, ls="--")
    axes.text(HOURS[0] + 0.1, 101.5, "rating", fontsize=8)
    axes.set_title("Transformer load, worst phase")
    axes.set_ylabel("% of rating")
    axes.legend(loc="upper center", ncols=5, frameon=False, fontsize=8)
    axes.set_ylim(0, 1.18 * max(100.0, *(float(_worst_phase(found.flow).max()) for found in runs.values())))
    _hours(axes)
    axes.grid(color=GRID, lw=0.6)


def _duration(axes: Axes, runs: Mapping[str, Run]) -> None:
    """Draw the hours for which the transformer's load is at least a value."""
    hours = (np.arange(STEPS) + 1) * STEP_S / 3600
    for name, found in runs.items():
        width = 2.2 if name == "envelope" else 1.2
        axes.plot(hours, np.sort(_worst_phase(found.flow))[::-1], color=COLOURS[name], lw=width)
    axes.axhline(100.0, color=INK, lw=1.2, ls="--")
    axes.set_title("Duration curve of that load")
    axes.set_xlabel("hours at or above")
    axes.set_xlim(0, 24)
    axes.set_ylim(bottom=0)
    axes.grid(color=GRID, lw=0.6)


def _worst_phase(found: DayFlow) -> Real:
    return np.asarray(100 * found.loading[:, found.is_transformer].max(axis=1), dtype=float)


def _limited(axes: Axes, content: DayPicture, connection: int) -> None:
    """Draw limit, capacity and measured power of one connection; export upwards, import downwards."""
    export_capacity, import_capacity = capacity_kw(content.day, connection)
    style: dict[str, Any] = {"step": "post", "color": "#e6ecef", "lw": 0}
    axes.fill_between(HOURS, -import_capacity, export_capacity, label="capacity", **style)
    for limit in (content.export_limit_w[:, connection] / 1e3, -content.import_limit_w[:, connection] / 1e3):
        axes.step(HOURS, np.where(np.isfinite(limit), limit, np.nan), where="post", color=INK, lw=1.3)
    wanted, measured = (content.runs[name].powers.s_va[:, connection].real / 1e3 for name in ("none", "envelope"))
    axes.plot(HOURS, wanted, color=COLOURS["none"], lw=0.7, alpha=0.8, label="without limits")
    axes.plot(HOURS, measured, color=COLOURS["envelope"], lw=1.5, label="measured")
    axes.plot([], [], color=INK, lw=1.3, label="limit")
    axes.axhline(0.0, color=INK, lw=0.6)
    axes.set_title(f"{content.day.connection_ids[connection]}: limit, capacity, measured", fontsize=9)
    axes.set_ylabel("kW, export up")
    axes.legend(loc="lower right", ncols=2, frameon=False, fontsize=7)
    _hours(axes, 6)
    axes.grid(color=GRID, lw=0.6)


def capacity_kw(day: Day, connection: int) -> tuple[Real, Real]:
    """Return most possible export and import of a connection, (T,) kW each."""
    base = day.base_va[:, connection].real
    export = np.maximum(day.pv_ceiling_w[:, connection] + base, 0.0)
    taken = np.maximum(day.charging_w[:, connection] - base, 0.0)
    return export / 1e3, taken / 1e3


def _hours(axes: Axes, every: int = 3) -> None:
    ticks = np.arange(FIRST_HOUR + (-FIRST_HOUR) % every, FIRST_HOUR + 25, every)
    axes.set_xticks(ticks, [f"{t % 24:02d}" for t in ticks])
    axes.set_xlim(EDGES[0], EDGES[-1])
    axes.spines[["top", "right"]].set_visible(False)
