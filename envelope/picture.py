"""Pictures of a schedule: everyone's limits over the day, and one connection's with what holds it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.explain import explain
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule

Array = NDArray[np.float64]
SIZE_INCH = (11.0, 7.0)
COLOURS = {"over-voltage": "#c0392b", "under-voltage": "#2471a3", "overload": "#d68910", "network": "#7d3c98"}


def schedule_picture(problem: Problem, schedule: EnvelopeSchedule, path: Path) -> Path:
    """Share of reach that each connection may use, export and import, and what binds when; returns the path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    top, bottom = figure.subplots(2, 2, width_ratios=(3, 2))
    hours = _hours(schedule)
    for axes, direction in zip((top, bottom), ("export", "import"), strict=True):
        sides = _sides(problem, schedule, direction)
        _shares(axes[0], schedule, sides, direction)
        _totals(axes[1], hours, sides, direction)
    figure.suptitle(f"{problem.reduced.network.name}: {schedule.guarantee}, {schedule.allocation}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _hours(schedule: EnvelopeSchedule) -> Array:
    return np.asarray((schedule.step_start - schedule.step_start[0]) / 3600.0, dtype=float)


def _sides(problem: Problem, schedule: EnvelopeSchedule, direction: str) -> tuple[Array, Array, Array]:
    """(T, C) limit within reach, reach, and whether there is anything to limit."""
    limit = schedule.export_limit_w if direction == "export" else schedule.import_limit_w
    reach = problem.reach_export_w if direction == "export" else problem.reach_import_w
    flexible = (problem.flex_gen_w if direction == "export" else problem.flex_load_w) > 0.0
    reach = np.maximum(reach, 0.0)
    return np.minimum(limit, reach), reach, np.asarray(flexible & (reach > 1.0), dtype=float)


def _shares(axes: Any, schedule: EnvelopeSchedule, sides: tuple[Array, Array, Array], direction: str) -> None:
    """Heat map, connections by steps."""
    limit, reach, flexible = sides
    share = np.where(flexible > 0.0, 100.0 * limit / np.maximum(reach, 1.0), np.nan)
    span = (0.0, schedule.steps * schedule.step_s / 3600.0, share.shape[1], 0.0)
    image = axes.imshow(share.T, aspect="auto", extent=span, vmin=0, vmax=100, cmap="viridis", interpolation="nearest")
    axes.set_title(f"{direction} limit, % of reach")
    axes.set_xlabel("hours from the start")
    axes.set_ylabel("connection")
    axes.figure.colorbar(image, ax=axes)


def _totals(axes: Any, hours: Array, sides: tuple[Array, Array, Array], direction: str) -> None:
    limit, reach, flexible = sides
    axes.step(hours, (reach * flexible).sum(axis=1) / 1e3, where="post", color="0.6", label="reach")
    axes.step(hours, (limit * flexible).sum(axis=1) / 1e3, where="post", color="#1e8449", label="limits")
    axes.set_title(f"sum of {direction}, kW")
    axes.set_xlabel("hours from the start")
    axes.set_ylim(bottom=0.0)
    axes.legend()


def explain_picture(problem: Problem, schedule: EnvelopeSchedule, connection: str, path: Path) -> Path:
    """One connection's reach and limits, coloured by what binds, and who strains the row at the worst moment."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    (export, who_exports), (imports, who_imports) = figure.subplots(2, 2, width_ratios=(3, 2))
    for axes, bars, direction in ((export, who_exports, "export"), (imports, who_imports, "import")):
        _limits(axes, problem, schedule, (connection, direction))
        _contributors(bars, problem, schedule, (connection, direction))
    figure.suptitle(f"{problem.reduced.network.name}, connection {connection}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _limits(axes: Any, problem: Problem, schedule: EnvelopeSchedule, of: tuple[str, str]) -> None:
    connection, direction = of
    column = schedule.connection_id.index(connection)
    limit, reach, _ = (table[:, column] for table in _sides(problem, schedule, direction))
    hours = _hours(schedule)
    width = schedule.step_s / 3600.0
    kinds = [schedule.binding_text(direction, t, column).split(" ")[0] for t in range(schedule.steps)]
    axes.step(np.append(hours, hours[-1] + width), np.append(reach, reach[-1]) / 1e3, where="post", color="0.6")
    for kind in dict.fromkeys(kinds):
        of_kind = np.array([k == kind for k in kinds])
        colour = COLOURS.get(kind, "#1e8449")
        axes.bar(hours[of_kind], limit[of_kind] / 1e3, width, align="edge", color=colour, label=kind)
    axes.set_title(f"{direction} limit within reach (grey), kW, by what binds")
    axes.set_xlabel("hours from the start")
    axes.legend(fontsize=8)


def _contributors(axes: Any, problem: Problem, schedule: EnvelopeSchedule, of: tuple[str, str]) -> None:
    connection, direction = of
    limit, reach, flexible = (
        table[:, schedule.connection_id.index(connection)] for table in _sides(problem, schedule, direction)
    )
    step = int(((reach - limit) * flexible).argmax())
    found = explain(problem, schedule, connection, step=step, direction=direction)
    names = [f"{c.connection_id} {c.direction}" for c in found.contributors]
    axes.barh(names[::-1], [100 * c.part for c in found.contributors[::-1]], color="0.5")
    axes.set_title(found.binding, fontsize=8)
    axes.set_xlabel("% of the rise at the worst corner")
