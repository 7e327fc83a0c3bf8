"""A schedule as a table with one row per connection and interval, and as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from envelope.field_rules import BadProblem
from envelope.schedule.codes import STATUS
from envelope.schedule.columns import Column, Tabular


def frame(columns: Mapping[str, Column], *, merged: bool = False) -> pd.DataFrame:
    """A table of these columns, as documented in docs/envelope.md, ordered by connection and start.

    merged: neighbours that say the same are one row with their whole duration.
    """
    table = pd.DataFrame({name: _typed(column) for name, column in columns.items()})
    return _merged(table) if merged else table


def _typed(column: Column) -> Any:
    """The values with their type in the table."""
    if column.kind == "start":
        return pd.to_datetime(column.values, unit="s", utc=True)
    if column.kind == "duration":
        return pd.to_timedelta(column.values, unit="s")
    if column.kind == "category":
        return pd.Categorical(column.values, categories=column.categories and list(column.categories))
    if column.kind == "count":
        return pd.Series(column.values, dtype="Int64")
    return column.values


def _merged(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each run of rows that differ in their start alone."""
    others = table.drop(columns="start")
    # Codes compare faster than what they stand for, and missing values are the same as each other.
    codes = np.stack([pd.factorize(others[name], use_na_sentinel=False)[0] for name in others])
    first = np.ones(len(table), dtype=bool)
    first[1:] = (codes[:, 1:] != codes[:, :-1]).any(axis=0)
    # Intervals with a pause between them are no neighbours.
    first[1:] |= (table["start"] + table["duration"]).to_numpy()[:-1] != table["start"].to_numpy()[1:]
    found = table[first].reset_index(drop=True)
    found["duration"] = table["duration"].groupby(np.cumsum(first)).sum().to_numpy()
    return found


TIME, DURATION = "a time such as 2026-05-28 00:00:00+00:00", "a duration such as 0 days 00:30:00"
"""expected in a CSV file"""
CATEGORIES = ("control_point", "import_binding", "export_binding", "status", "guarantee", "allocation", "pf_rule")


def load(path: Path) -> pd.DataFrame:
    """A table that `save` wrote, with the same types whichever of the two files it is."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    table = pd.read_csv(path, dtype={"connection_point": str, "run_id": str})
    return table.assign(**{name: _from_text(table[name]) for name in table.columns})


def _from_text(column: pd.Series[Any]) -> Any:
    """A column of a CSV file with its type in the table; BadProblem: row, column and value that it can not be."""
    name = str(column.name)
    if name == "start":
        return _converted(column, lambda of: pd.to_datetime(of, utc=True).astype("datetime64[ns, UTC]"), TIME)
    if name == "duration":
        return _converted(column, pd.to_timedelta, DURATION)
    if name.endswith("_w"):
        return _converted(column, lambda of: of.astype("int64"), "whole watts")
    if name.endswith("_var"):
        return _converted(column, lambda of: of.astype("Int64"), "whole var, or nothing")
    if name in CATEGORIES:
        return pd.Categorical(column.astype(str), categories=list(STATUS) if name == "status" else None)
    return _converted(column, lambda of: of.astype("float32"), "volts") if name == "margin_v" else column


def _converted(column: pd.Series[Any], convert: Callable[[pd.Series[Any]], Any], expected: str) -> Any:
    """The column converted; BadProblem names the first value that can not be."""
    try:
        return convert(column)
    except (ValueError, TypeError, OverflowError):
        # Values that differ, each by itself; the first row of a table is 1.
        at = next(k for k in range(len(column)) if not _is_convertible(column.iloc[k : k + 1], convert))
        said = f"{column.iloc[at]}: expected {expected}"
        raise BadProblem(f"row {at + 1}: {column.name}: {said}") from None


def _is_convertible(column: pd.Series[Any], convert: Callable[[pd.Series[Any]], Any]) -> bool:
    try:
        convert(column)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def save(schedule: Tabular, path: Path) -> None:
    """Write the table and what else a schedule is read back from, as CSV or Parquet, by the file's ending.

    Equal neighbours are one row.
    """
    table = frame(schedule.file_columns(), merged=True)
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
