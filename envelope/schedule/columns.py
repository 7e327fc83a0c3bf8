"""Columns of a table of limits, before any library for tables is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class Column(NamedTuple):
    """Values of one column, one per row, or one value for all rows."""

    values: Any
    kind: str = "plain"
    """plain, start (epoch seconds), duration (seconds), category, or count (whole numbers, or None where missing)"""
    categories: tuple[str, ...] | None = None
    """of a category, in their order; None: as they come"""


class Tabular(Protocol):
    """Anything with named columns, which can be written as a file."""

    def file_columns(self) -> Mapping[str, Column]:
        """By name, in their order; all of the same length."""
        ...
