"""Large CSV files in blocks: texts as numbered words, numbers as numbers, faults by row and field."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Index, Real
from gridmodel.errors import FileError
from gridmodel.readers.encodings import UTF_8, as_utf_8, encoding_of, not_utf_8, refuse_zero_bytes
from gridmodel.readers.tables import DECIMAL_COMMA, ROUNDED

BLOCK_BYTES = 16 * 1024 * 1024
SAMPLE_BYTES = 256 * 1024
NOTHING = ["", "NA", "N/A", "NULL", "null", "nan", "NaN", "-", "<NA>"]
"""cells without a value"""
SEPARATORS = ",;\t|"
GZIP = b"\x1f\x8b"
"""first octets of a packed file"""
_FAULT = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to \w+: invalid value '(.*)'", re.S)
_SHAPE = re.compile(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+)", re.S)


def unpacked(path: Path) -> BufferedReader:
    """The octets of a file, which may be packed by gzip."""
    with path.open("rb") as content:
        packed = content.read(2) == GZIP
    return BufferedReader(GzipFile(path)) if packed else path.open("rb")


def octets(path: Path) -> BufferedReader:
    """The text of a file as UTF-8; it may be packed, and in the encoding that its byte order mark says."""
    return as_utf_8(path, unpacked(path))


@dataclass(frozen=True)
class Words:
    """A column of texts: (N,) positions in its distinct words."""

    code: Index
    words: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """The first lines of a file."""

    separator: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sample(path: Path) -> Sample:
    """The header and some rows of a CSV file; refused where it is no UTF-8 text with a header line."""
    if not path.is_file():
        raise FileError(path, "not a file" if path.exists() else "no such file")
    with octets(path) as stream:
        head = stream.read(SAMPLE_BYTES)
    refuse_zero_bytes(path, head)
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        if wrong.start < len(head) - 4:
            raise not_utf_8(path, head, wrong.start) from None
        text = head[: wrong.start].decode("utf-8-sig")
    lines = text.splitlines()
    if len(head) == SAMPLE_BYTES:
        lines = lines[:-1]
    if not lines or not lines[0].strip():
        raise FileError(path, "the file is empty; its first line names the columns", row=1)
    separator = max(SEPARATORS, key=lambda sign: (lines[0].count(sign), -SEPARATORS.index(sign)))
    reader = csv.reader(lines, delimiter=separator)
    rows = [(reader.line_num, tuple(cell.strip() for cell in row)) for row in reader if row]
    columns = rows[0][1]
    _check_columns(path, columns)
    for number, row in rows[1:]:
        if len(row) != len(columns):
            raise FileError(path, f"{len(row)} values for {len(columns)} columns", row=number)
    return Sample(separator, columns, tuple(row for _, row in rows[1:]))


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    for name in columns:
        if columns.count(name) > 1:
            raise FileError(path, "stands here twice", row=1, field=name)


class CsvBlocks:
    """Blocks of a CSV file, with these columns as texts and those as numbers; others are not read."""

    def __init__(
        self, path: Path, separator: str, decimal: str, *, texts: Sequence[str], numbers: Sequence[str]
    ) -> None:
        self.path, self.separator, self.decimal = path, separator, decimal
        self.texts, self.numbers = tuple(dict.fromkeys(texts)), tuple(dict.fromkeys(numbers))
        self.row = 2
        """row of the file, as an editor numbers it, at which the present block begins"""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        header = sample(self.path).columns
        for name in (*self.texts, *self.numbers):
            if name not in header:
                raise FileError(self.path, f"column is missing; found {', '.join(header)}", row=1, field=name)
        types = {name: pa.string() for name in self.texts} | {name: pa.float64() for name in self.numbers}
        try:
            with arrow_csv.open_csv(
                _arrow_stream(self.path),
                read_options=arrow_csv.ReadOptions(
                    block_size=BLOCK_BYTES, use_threads=False, column_names=list(header), skip_rows=1
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=self.separator),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=types,
                    include_columns=[*self.texts, *self.numbers],
                    null_values=NOTHING,
                    strings_can_be_null=False,
                    decimal_point=self.decimal,
                ),
            ) as reader:
                for batch in reader:
                    yield self._block(batch)
                    self.row += len(batch)
        except pa.ArrowInvalid as wrong:
            raise self._fault(str(wrong), header) from None

    def _block(self, batch: Any) -> dict[str, Any]:
        found: dict[str, Any] = {name: _numbers(batch.column(name)) for name in self.numbers}
        for name in self.texts:
            coded = batch.column(name).dictionary_encode()
            words = tuple(word.strip() for word in coded.dictionary.to_pylist())
            found[name] = Words(coded.indices.to_numpy().astype(np.intp), words)
        return found

    def _fault(self, said: str, header: Sequence[str]) -> FileError:
        if found := _FAULT.search(said):
            column, row, value = int(found[1]), found[2], found[3]
            comma = " (a decimal comma; give --decimal ',')" if DECIMAL_COMMA.fullmatch(value.strip()) else ""
            at = int(row) if row else None
            return FileError(self.path, f"{value!r} is not a number{comma}", row=at, field=header[column])
        if found := _SHAPE.search(said):
            at = int(found[1]) if found[1] else None
            return FileError(self.path, f"{found[3]} values for {found[2]} columns", row=at)
        return FileError(self.path, f"not CSV: {said.splitlines()[0]}")


def _arrow_stream(path: Path) -> Any:
    """The same octets as `octets` gives; plain files are read without Python in between."""
    import pyarrow as pa

    with path.open("rb") as content:
        head = content.read(4)
    plain = encoding_of(head) == UTF_8 and not head.startswith(GZIP)
    return pa.input_stream(str(path), compression=None) if plain else pa.PythonFile(octets(path), mode="r")


def _numbers(column: Any) -> Real:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def unrounded(path: Path, field: str, words: Words, row: int) -> Words:
    """The same; refused where a spreadsheet has rounded an identifier."""
    for code, word in enumerate(words.words):
        if ROUNDED.fullmatch(word):
            at = row + int(np.argmax(words.code == code))
            detail = f"{word!r}: a spreadsheet has rounded an identifier; format the column as text"
            raise FileError(path, detail, row=at, field=field)
        if not word:
            raise FileError(path, "is missing", row=row + int(np.argmax(words.code == code)), field=field)
    return words
