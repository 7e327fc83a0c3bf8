"""Rows of measurements, and how they are shown: on the terminal, and as a section of docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

HEADINGS = ("what", "ours", "unit", "reference", "its value", "ratio", "CPU ms")


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

    @property
    def ratio(self) -> float | None:
        """How many times as good as the reference we are, whichever way the figure is better."""
        if not self.reference or not self.ours:
            return None
        return self.ours / self.reference if self.better == "more" else self.reference / self.ours

    def cells(self) -> tuple[str, ...]:
        """The row as text, under HEADINGS."""
        ratio = "" if self.ratio is None else f"{_figure(self.ratio)}×"
        values = (_figure(self.ours), self.unit, self.reference_name, _figure(self.reference))
        return (self.name, *values, ratio, _figure(self.cpu_ms))


def shown(title: str, rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    table = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("what", "unit", "reference") else "right")
    for row in rows:
        table.add_row(*row.cells())
    return table


def markdown(title: str, intro: str, measured: str, rows: Sequence[Row]) -> str:
    """The rows as a section of a page."""
    lines = [f"## {title}", "", *([intro, ""] if intro else []), f"*{measured}*", ""]
    lines.append(_line(HEADINGS))
    lines.append(
        _line(["---:" if heading in ("ours", "its value", "ratio", "CPU ms") else "---" for heading in HEADINGS])
    )
    lines += [_line(row.cells()) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _figure(value: float | None) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}"
