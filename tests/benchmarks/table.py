"""Rows of measurements, and how they are shown: on the terminal, and as a section of docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

HEADINGS = ("what", "ours", "unit", "reference", "its value", "ratio", "CPU ms")
WITH_GOALS = (*HEADINGS, "goal", "reached")
RIGHT = ("ours", "its value", "ratio", "CPU ms", "goal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of ours, beside the same figure of a reference that was measured in the same run.

    `reference` is None where there is nothing to compare with; `cpu_ms` is what our process spent on one of them.
    """

    name: str
    ours: float
    unit: str
    reference_name: str = ""
    reference: float | None = None
    better: Literal["more", "less"] = "more"
    """Which way the figure is better: more requests per second, less milliseconds."""
    cpu_ms: float | None = None
    goal: float | None = None
    """What was set beforehand: at least, or at most, so much"""

    @property
    def ratio(self) -> float | None:
        """How many times as good as the reference we are, whichever way the figure is better."""
        if not self.reference or not self.ours:
            return None
        return self.ours / self.reference if self.better == "more" else self.reference / self.ours

    @property
    def reached(self) -> str:
        """Whether the goal is met, and how many times as good as it we are."""
        if self.goal is None:
            return ""
        met = self.ours >= self.goal if self.better == "more" else self.ours <= self.goal
        said = "yes" if met else "no"
        if not self.goal or not self.ours:
            return said
        return f"{said}, {_figure(self.ours / self.goal if self.better == 'more' else self.goal / self.ours)}×"

    def cells(self) -> tuple[str, ...]:
        """The row as text, under WITH_GOALS."""
        ratio = "" if self.ratio is None else f"{_figure(self.ratio)}×"
        values = (_figure(self.ours), self.unit, self.reference_name, _figure(self.reference))
        return (self.name, *values, ratio, _figure(self.cpu_ms), _figure(self.goal), self.reached)


def shown(title: str, rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    table = Table(title=title, title_justify="left")
    headings = _headings(rows)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in RIGHT else "left")
    for row in rows:
        table.add_row(*row.cells()[: len(headings)])
    return table


def markdown(title: str, intro: str, measured: str, rows: Sequence[Row]) -> str:
    """The rows as a section of a page."""
    lines = [f"## {title}", "", *([intro, ""] if intro else []), f"*{measured}*", ""]
    headings = _headings(rows)
    lines.append(_line(headings))
    lines.append(_line(["---:" if heading in RIGHT else "---" for heading in headings]))
    lines += [_line(row.cells()[: len(headings)]) for row in rows]
    return "\n".join(lines) + "\n"


def _headings(rows: Sequence[Row]) -> tuple[str, ...]:
    return WITH_GOALS if any(row.goal is not None for row in rows) else HEADINGS


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _figure(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}"
