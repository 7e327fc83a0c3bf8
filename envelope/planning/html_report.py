"""A study's report: one HTML file with all its pictures in it, and CSV tables."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from sep2 import __version__


class Table(NamedTuple):
    """A table of texts."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    """columns that are aligned to the right"""


class Picture(NamedTuple):
    """A picture in base64 of PNG, and its caption."""

    data: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    title: str
    lines: Sequence[str] = ()
    points: Sequence[str] = ()
    code: Sequence[str] = ()
    """lines for a shell"""
    pictures: Sequence[Picture] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Report:
    """A report: title, one sentence, key figures with their labels, and sections."""

    title: str
    lead: str
    cards: Sequence[tuple[str, str]]
    sections: Sequence[Section] = field(default=())

    def write(self, path: Path) -> Path:
        """Write one HTML file that needs no other."""
        from jinja2 import Environment, StrictUndefined

        text = resources.files("envelope.planning").joinpath("report.html").read_text(encoding="utf-8")
        template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(text)
        made = template.render(
            title=self.title,
            lead=self.lead,
            cards=self.cards,
            sections=self.sections,
            footer=f"Made by sep2 {__version__}. Figures are those of the CSV tables beside this file.",
        )
        path.write_text(made, encoding="utf-8")
        return path


def quantity(number: int, noun: str) -> str:
    """Such as "1 feeder" or "3 feeders"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def picture(figure: Any, caption: str) -> Picture:
    """A matplotlib figure as a picture."""
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=110, metadata={"Software": None})
    return Picture(base64.b64encode(made.getvalue()).decode("ascii"), caption)


def figure_of(width_inch: float, height_inch: float) -> Any:
    """An empty matplotlib figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inch, height_inch), layout="constrained")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a table; what is not known is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns)
        out.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return path
