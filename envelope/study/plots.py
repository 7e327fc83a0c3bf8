"""Pictures of limits: everyone's over the day, one connection's with what holds it back, policies side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.explanation.explanation import Explanation
from envelope.problem import Direction, Problem
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.ledger import Whole
from gridmodel.arrays import Mask, Real

COLOURS = {
    "over-voltage": "#c0392b",
    "under-voltage": "#2471a3",
    "overload": "#d68910",
    "network": "#7d3c98",
    "transformer": "#d68910",
    "critical": "#7d3c98",
    "capacity": "#1e8449",
}
OTHER = "#7f8c8d"
EXPORT, IMPORT = "#e59866", "#5d6d7e"
GOOD, BAD = "#1e8449", "#c0392b"
NAMES = 24
"""up to so many connections are named beside their rows"""


@dataclass(frozen=True)
class _Side:
    """One direction of a schedule. C connections, T steps."""

    direction: str
    limit: Real
    """(T, C) within capacity"""
    reach: Real
    flexible: Mask
    kinds: NDArray[np.str_]
    """(T, C) what binds, by its first word"""


def schedule_picture(problem: Problem, schedule: EnvelopeSchedule, path: Path) -> Path:
    """Limits of a problem's day as `limits_picture` draws them, with the transformers' rating where it varies."""
    factor = np.asarray(problem.limits.transformer_factor, dtype=float)
    return limits_picture(schedule, path, name=problem.reduced.network.name, rating=factor if factor.ndim else None)


def limits_picture(schedule: EnvelopeSchedule, path: Path, *, name: str, rating: Real | None = None) -> Path:
    """Share of reach that each connection may use, sums, and how many are held back by what; returns the path."""
    rows = 2 if rating is None else 3
    figure = _figure((13.0, 3.6 * rows))
    grid = figure.add_gridspec(rows, 3, width_ratios=(3, 2, 2), height_ratios=(3, 3, 1.6)[:rows])
    for row, direction in enumerate(("export", "import")):
        side = _side(schedule, direction)
        _shares(figure.add_subplot(grid[row, 0]), schedule, side)
        _totals(figure.add_subplot(grid[row, 1]), schedule, side)
        _binding(figure.add_subplot(grid[row, 2]), schedule, side)
    if rating is not None:
        _rating(figure.add_subplot(grid[2, :]), schedule, rating)
    day = datetime.fromtimestamp(int(schedule.step_start[0]), UTC)
    figure.suptitle(f"{name}, {day:%Y-%m-%d}: {schedule.guarantee}, {schedule.allocation}")
    return _saved(figure, path)


def _figure(size_inch: tuple[float, float]) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=size_inch, layout="constrained")


def _saved(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _hours(schedule: EnvelopeSchedule) -> Real:
    """(T + 1,) edges of the steps, as hours of the day (UTC) in which the first one begins."""
    edges = np.append(schedule.step_start, schedule.step_start[-1] + schedule.step_s)
    return np.asarray((edges - schedule.step_start[0] // 86_400 * 86_400) / 3600.0, dtype=float)


def _side(schedule: EnvelopeSchedule, direction: str) -> _Side:
    side = schedule.side(direction)
    reach = np.maximum(side.capacity_w, 0.0)
    kinds = np.array(
        [
            [schedule.binding_text(direction, t, c).split(" ")[0] for c in range(len(schedule.connection_id))]
            for t in range(schedule.steps)
        ]
    )
    flexible = ((side.room_w > 0.0) | (kinds != "capacity")) & (reach > 1.0)
    return _Side(direction, np.minimum(side.limit_w, reach), reach, flexible, kinds)


def _shares(axes: Any, schedule: EnvelopeSchedule, side: _Side) -> None:
    """Heat map, connections by steps."""
    shown = side.flexible.any(axis=0)
    share = np.where(side.flexible, 100.0 * side.limit / np.maximum(side.reach, 1.0), np.nan)[:, shown]
    edges = _hours(schedule)
    span = (edges[0], edges[-1], max(share.shape[1], 1), 0.0)
    image = axes.imshow(share.T, aspect="auto", extent=span, vmin=0, vmax=100, cmap="viridis", interpolation="nearest")
    axes.set_title(f"{side.direction} limit, % of reach")
    _over_the_day(axes, edges)
    names = [schedule.connection_id[k] for k in np.flatnonzero(shown)]
    if 0 < len(names) <= NAMES:
        axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
    else:
        axes.set_ylabel("connection" if shown.all() else "flexible connection")
    axes.figure.colorbar(image, ax=axes, label="white: nothing to limit" if np.isnan(share).any() else None)


def _over_the_day(axes: Any, edges: Real) -> None:
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("hour (UTC)")
    if edges[-1] - edges[0] > 12.0:
        axes.set_xticks(np.arange(np.ceil(edges[0] / 6.0) * 6.0, edges[-1] + 0.1, 6.0))


def _stairs(axes: Any, edges: Real, value: Real, **style: Any) -> None:
    axes.step(edges, np.append(value, value[-1]), where="post", **style)


def _totals(axes: Any, schedule: EnvelopeSchedule, side: _Side) -> None:
    edges = _hours(schedule)
    _stairs(axes, edges, (side.reach * side.flexible).sum(axis=1) / 1e3, color="0.6", label="could (reach)")
    _stairs(axes, edges, (side.limit * side.flexible).sum(axis=1) / 1e3, color=GOOD, label="may (limits)")
    axes.set_title(f"sum of {side.direction}, kW")
    _over_the_day(axes, edges)
    axes.set_ylim(bottom=0.0)
    axes.legend(fontsize=8)


def _binding(axes: Any, schedule: EnvelopeSchedule, side: _Side) -> None:
    """Stacked counts of connections that each kind of limit holds back."""
    edges, below = _hours(schedule), np.zeros(schedule.steps)
    for kind in sorted(set(side.kinds[side.flexible].tolist()) - {"capacity"}):
        count = ((side.kinds == kind) & side.flexible).sum(axis=1)
        label = "critical voltage" if kind == "critical" else kind
        axes.bar(
            edges[:-1], count, np.diff(edges), bottom=below, align="edge", color=COLOURS.get(kind, OTHER), label=label
        )
        below = below + count
    axes.set_title(f"{side.direction}: connections held back")
    _over_the_day(axes, edges)
    most = max(int(side.flexible.any(axis=0).sum()), 1)
    # The legend stands above the bars.
    axes.set_ylim(0.0, 1.35 * most)
    axes.axhline(most, color="0.6", linewidth=0.8, linestyle="--")
    if below.any():
        axes.legend(fontsize=8, loc="upper center", ncols=2, columnspacing=1.0)
    else:
        axes.text(0.5, 0.5, "nobody", transform=axes.transAxes, ha="center", color="0.5")


def _rating(axes: Any, schedule: EnvelopeSchedule, factor: Real) -> None:
    edges = _hours(schedule)
    _stairs(axes, edges, 100.0 * factor, color=COLOURS["overload"])
    axes.axhline(100.0, color="0.6", linewidth=0.8, linestyle="--")
    axes.set_title("transformers' rating by temperature, % of the name plate")
    _over_the_day(axes, edges)


def explain_picture(
    problem: Problem,
    schedule: EnvelopeSchedule,
    connection: str,
    path: Path,
    *,
    step: int | None = None,
    direction: str = "export",
    found: Explanation,
) -> Path:
    """One connection's limits by what binds, and for one of them the sentence, who strains it and what relieves it.

    found: the explanation of that step and direction.
    """
    from envelope.study.summary import most_withheld

    at = most_withheld(problem, schedule, connection, direction) if step is None else step
    figure = _figure((12.0, 7.6))
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    other = Direction(direction).other
    _limits(figure.add_subplot(grid[0, 0]), schedule, (connection, direction), at)
    _limits(figure.add_subplot(grid[1, 0]), schedule, (connection, other), None)
    _bars(
        figure.add_subplot(grid[0, 1]),
        [(f"{c.connection_id}, {c.direction}", 100 * c.part) for c in found.contributors],
        "who strains it, % of the rise at its worst corner",
        "0.5",
    )
    _bars(
        figure.add_subplot(grid[1, 1]),
        [(textwrap.fill(relief.what, 26), relief.gain_w) for relief in found.reliefs],
        "what would relieve it, W more for this limit",
        GOOD,
    )
    # The reliefs have a panel of their own.
    said = textwrap.fill(f"{problem.reduced.network.name}: {found.reason()}", 130)
    figure.suptitle(said, fontsize=10, x=0.01, ha="left")
    return _saved(figure, path)


def _limits(axes: Any, schedule: EnvelopeSchedule, of: tuple[str, str], marked: int | None) -> None:
    connection, direction = of
    column = schedule.connection_id.index(connection)
    side, edges = _side(schedule, direction), _hours(schedule)
    limit, kinds, usable = side.limit[:, column], side.kinds[:, column], side.flexible[:, column]
    _stairs(axes, edges, side.reach[:, column] / 1e3, color="0.6", label="reach")
    for kind in dict.fromkeys(kinds[usable].tolist()):
        of_kind = (kinds == kind) & usable
        axes.bar(
            edges[:-1][of_kind],
            limit[of_kind] / 1e3,
            np.diff(edges)[of_kind],
            align="edge",
            color=COLOURS.get(kind, OTHER),
            label="own reach" if kind == "capacity" else kind,
        )
    if marked is not None:
        axes.axvspan(edges[marked], edges[marked + 1], color="0.85", zorder=0, label="the limit in question")
    axes.set_title(f"{direction} limit of {connection}, kW, by what binds")
    _over_the_day(axes, edges)
    axes.set_ylim(bottom=0.0)
    axes.legend(fontsize=8)


def _bars(axes: Any, entries: Sequence[tuple[str, float]], title: str, colour: str) -> None:
    axes.set_title(title, fontsize=9)
    if not entries:
        axes.axis("off")
        axes.text(0.5, 0.5, "nothing: the network does not limit it", ha="center", color="0.5")
        return
    bars = axes.barh([name for name, _ in entries][::-1], [value for _, value in entries][::-1], color=colour)
    axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.15)


def compare_picture(rows: Sequence[Mapping[str, Any]], path: Path, *, name: str) -> Path:
    """Policies side by side: how much, how evenly, and what breaks at corners that the limits allow."""
    figure = _figure((14.0, 1.6 + 0.62 * len(rows)))
    much, even, volts, load = figure.subplots(1, 4, sharey=True, width_ratios=(3, 2.4, 2, 1.6))
    labels = [f"{row['guarantee']}\n{row['allocation']}" for row in rows]
    place = np.arange(len(rows), dtype=float)
    _pairs(much, place, [[row[f"{d}_kw"] for row in rows] for d in ("export", "import")], "mean kW (and its price)")
    for row, y in zip(rows, place, strict=True):
        for direction, shift in (("export", -0.2), ("import", 0.2)):
            price = row[f"{direction}_price_percent"]
            said = "" if abs(price) < 0.5 else f" {price:+.0f} %"
            much.text(row[f"{direction}_kw"], y + shift, said, va="center", fontsize=8)
    much.margins(x=0.18)
    worst = [[100 * row[f"{d}_worst_decile_share"] for row in rows] for d in ("export", "import")]
    _pairs(even, place, worst, "part granted to the worst-off tenth, %\n(dots: Jain's index, %)")
    for direction, shift in (("export", -0.2), ("import", 0.2)):
        even.plot([100 * row[f"{direction}_jain"] for row in rows], place + shift, "k.", markersize=5)
    even.set_xlim(0.0, 104.0)
    _breaches(volts, place, [max(row["any_over_v"], row["any_under_v"]) for row in rows], "V beyond a limit")
    _breaches(load, place, [row["any_load_percent"] for row in rows], "% beyond a rating")
    much.set_yticks(place, labels, fontsize=8)
    much.invert_yaxis()
    figure.legend(*much.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    figure.suptitle(f"{name}: what each policy gives, how evenly, and what breaks at corners that its limits allow")
    return _saved(figure, path)


def _pairs(axes: Any, place: Real, values: Sequence[Sequence[float]], title: str) -> None:
    for shift, value, colour, name in ((-0.2, values[0], EXPORT, "export"), (0.2, values[1], IMPORT, "import")):
        axes.barh(place + shift, value, 0.38, color=colour, label=name)
    axes.set_title(title, fontsize=9)


def _breaches(axes: Any, place: Real, beyond: Sequence[float], title: str) -> None:
    bars = axes.barh(place, beyond, 0.6, color=[BAD if value > 0.0 else GOOD for value in beyond])
    axes.bar_label(bars, fmt="%+.1f", padding=3, fontsize=8)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_title(f"at any corner, {title}", fontsize=9)
    axes.margins(x=0.25)


def ledger_picture(found: Whole, path: Path, *, name: str) -> Path:
    """Part of what was asked that was curtailed, connection by connection, the worst-off first."""
    figure = _figure((11.0, 6.5))
    for axes, (direction, own), colour in zip(figure.subplots(2, 1), found.past.items(), (EXPORT, IMPORT), strict=True):
        order = np.argsort(-own.share, kind="stable")
        axes.bar(np.arange(len(order)), 100.0 * own.share[order], 0.9, color=colour)
        everyone = own.curtailed_wh.sum() / max(own.asked_wh.sum(), 1e-9)
        axes.axhline(100.0 * everyone, color="black", linewidth=0.8, linestyle="--", label="everyone together")
        if len(order) <= 40:
            axes.set_xticks(np.arange(len(order)), [found.connection_id[k] for k in order], rotation=90, fontsize=7)
        axes.set_ylim(0.0, 100.0)
        axes.set_title(f"{direction} curtailed, % of what each connection could, the worst-off first", fontsize=10)
        axes.legend(fontsize=8, loc="upper right")
    figure.suptitle(f"{name}: {found.days:.1f} days")
    return _saved(figure, path)
