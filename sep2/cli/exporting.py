"""Tables written to a file as they come in: CSV, or Parquet where pyarrow is installed."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sep2.errors import SepError

AT_ONCE = 5000
"""Rows of a Parquet row group."""
STDOUT = Path("-")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How texts begin that a spreadsheet would calculate."""
Rows = Iterable[Mapping[str, Any]]


class NoParquet(SepError):
    """Parquet needs pyarrow: pip install 'sep2[parquet]', or write to a file that ends in .csv."""


class Unwritable(SepError):
    """The file can not be written."""


def export(path: Path, columns: Mapping[str, type], rows: Rows) -> int:
    """How many rows were written to a file whose name ends in .parquet, else as CSV; `-` is standard output.

    columns: each with the type of its values; a value of None stays empty.
    """
    try:
        if path.suffix == ".parquet":
            return _parquet(path, columns, rows)
        with _opened(path) as out:
            return _csv(out, list(columns), rows)
    except OSError as problem:
        raise Unwritable(f"{path}: {problem.strerror}") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if path == STDOUT:
        yield sys.stdout
    else:
        with path.open("w", newline="", encoding="utf-8") as out:
            yield out


def _csv(out: IO[str], columns: Sequence[str], rows: Rows) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
        writer.writerow(["" if row[name] is None else _harmless(row[name]) for name in columns])
    return count


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet takes for text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _parquet(path: Path, columns: Mapping[str, type], rows: Rows) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise NoParquet from None
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for part in _parts(rows):
            writer.write_table(pa.Table.from_pylist(part, schema))
            count += len(part)
    return count


def _parts(rows: Rows) -> Iterator[list[Mapping[str, Any]]]:
    part: list[Mapping[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part
