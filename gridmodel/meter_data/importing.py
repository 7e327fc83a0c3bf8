"""Import of measurement files: find each one's format, read it, say what was taken, write what is new."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Whole
from gridmodel.errors import FileError, GridError
from gridmodel.meter_data import series_index
from gridmodel.meter_data.csv_readings import LongReader, Remarks
from gridmodel.meter_data.green_button import GreenButtonReader, is_green_button
from gridmodel.meter_data.guessing import Guess, Hints, guess
from gridmodel.meter_data.import_report import FileTaken, ImportReport, summarise
from gridmodel.meter_data.local_times import zone_of
from gridmodel.meter_data.mapping import ColumnMapping, Layout, read_mapping
from gridmodel.meter_data.nem import Nem12Reader, Nem13Reader, is_nem
from gridmodel.meter_data.scada import ScadaReader, read_tags
from gridmodel.meter_data.staging import Staging, Values
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore, day_numbered
from gridmodel.meter_data.upkeep import compact
from gridmodel.meter_data.wide_readings import DayReader, WideReader

FROM_FILE = "file"
NOW = "now"
LONGEST_NAME = 200
"""characters of an identifier"""
READERS = {Layout.LONG: LongReader, Layout.WIDE: WideReader, Layout.DAYS: DayReader}


@dataclass(frozen=True)
class ImportOptions:
    """What a person says of the files of an import."""

    kind: Kind = Kind.AMI
    hints: Hints = field(default_factory=Hints)
    mapping: Path | None = None
    tags: Path | None = None
    connection: str = ""
    """place of a Green Button file's readings"""
    arrived: str | int = ""
    """`now`, `file`, or seconds after the end of each value's day; empty: as the file says, else now"""
    keep_from: int = 0
    """epoch seconds; older values are not taken"""


@dataclass(frozen=True)
class Opened:
    """A file with its reader."""

    path: Path
    reader: Any
    format: str
    assumed: tuple[str, ...]
    mapping: ColumnMapping | None = None
    kind: Kind = Kind.AMI

    @property
    def remarks(self) -> Remarks:
        """Remarks of the reader."""
        found = self.reader.remarks
        assert isinstance(found, Remarks)
        return found


def open_file(path: Path, options: ImportOptions) -> Opened:
    """A file with the reader of its format; FileError where it has none."""
    if not path.is_file():
        raise FileError(path, "not a file" if path.exists() else "no such file")
    if options.kind is Kind.SCADA:
        return _scada(path, options)
    if version := is_nem(path):
        sign = "E channels are import, B channels export; times are UTC+10, each value is of the interval it stands in"
        if version == "NEM12":
            return Opened(path, Nem12Reader(path), "NEM12 (aemo-mdff-reader)", (sign, "units as each channel says"))
        reads = "accumulated energies between two reads: kept apart, and in no interval of theirs"
        return Opened(path, Nem13Reader(path), "NEM13 (aemo-mdff-reader)", (sign, reads), kind=Kind.ACCUMULATED)
    if path.suffix.lower() == ".xml" and not is_green_button(path):
        raise FileError(path, "is no Green Button: its first lines do not name ESPI (naesb.org/espi)")
    if is_green_button(path):
        sign = "flow direction 1 is import, 19 export; times are UTC and begin their interval; units as each type says"
        return Opened(path, GreenButtonReader(path, options.connection), "Green Button (ESPI)", (sign,))
    return _csv(path, options)


def _refuse_names(path: Path, values: Values) -> None:
    """Refuse identifiers that nothing else could name."""
    for series in values.names:
        for name in series[:2]:
            if len(name) > LONGEST_NAME:
                raise FileError(path, f"{name[:30]!r}…: an identifier has at most {LONGEST_NAME} characters")
            if name and not name.isprintable():
                raise FileError(path, f"{name!r}: an identifier holds a character that can not be printed")


def _csv(path: Path, options: ImportOptions) -> Opened:
    if options.mapping is not None:
        found = Guess(read_mapping(options.mapping), False, ())
        source = f"CSV by {options.mapping}"
    else:
        found, source = guess(path, options.hints), "CSV, guessed"
    reader = READERS[found.mapping.layout](path, found.mapping, descending=found.descending)
    said = (*_said_of(found.mapping), *(f"assumed: {one}" for one in found.assumed))
    return Opened(path, reader, f"{source}, layout {found.mapping.layout}", said, found.mapping, options.kind)


def _said_of(mapping: ColumnMapping) -> Iterable[str]:
    """How a mapping reads signs, units and times."""
    for name, one in (*mapping.columns.items(), *mapping.words.items()):
        if one is not None:
            sign = ", sign turned" if one.sign < 0 else ""
            yield f"{name} is {one.quantity}{f' of phase {one.phase}' if one.phase else ''} in {one.unit}{sign}"
    yield f"{mapping.time or mapping.date} names the {mapping.edge} of its interval, zone {mapping.zone}"


def _scada(path: Path, options: ImportOptions) -> Opened:
    if options.tags is None:
        raise GridError(
            "SCADA points need a map of tags: --tags FILE with tag, element, phase, quantity, unit, sign, hold_s"
        )
    reader = ScadaReader(path, read_tags(options.tags), options.hints)
    said = (
        f"times without an offset are {reader.zone}; a value holds until the next, at most hold_s; signs by the tag map"
    )
    return Opened(path, reader, "SCADA points", (said,), kind=Kind.SCADA)


@dataclass(frozen=True)
class Prepared:
    """Files that were read, not yet written."""

    staging: Staging
    report: ImportReport
    opened: tuple[Opened, ...]


def prepare(
    store: MeasurementStore,
    paths: Sequence[Path],
    options: ImportOptions,
    now: int,
    *,
    compare: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Read files and compare them with the store, which `write` does again. The caller closes the staging."""
    opened = [open_file(path, options) for path in paths]
    kinds = {one.kind for one in opened}
    if len(kinds) > 1:
        raise GridError(f"files of several kinds: {', '.join(sorted(kinds))}; import each kind by itself")
    (kind,) = kinds
    zone = options.hints.zone or options.hints.default_zone or "UTC"
    report = ImportReport(kind, zone, f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}", now)
    staging = Staging(store, kind, keep_from=options.keep_from)
    try:
        for one in opened:
            progress(f"reading {one.path.name}")
            before = len(staging)
            for values in one.reader:
                _refuse_names(one.path, values)
                staging.add(with_arrival(values, options.arrived, zone), now)
            report.files.append(_taken(one, len(staging) - before))
        if compare:
            progress("comparing with what is known")
            report.counts = staging.compare()
            summarise(report, staging)
    except BaseException:
        staging.db.close()
        raise
    return Prepared(staging, report, tuple(opened))


def _taken(one: Opened, values: int) -> FileTaken:
    with one.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    remarks = one.remarks
    return FileTaken(
        str(one.path),
        digest,
        one.format,
        values,
        one.assumed,
        dict(remarks.left_out),
        dict(remarks.qualities),
        dict(remarks.unknown_qualities),
    )


def write(store: MeasurementStore, prepared: Prepared) -> ImportReport:
    """Write what is new, and put the report beside it; the report has what was written."""
    staging, report = prepared.staging, prepared.report
    with store.writing():
        if len(staging):
            # Listed before it is there: a crash in between leaves series without values, which are gaps.
            series_index.widen(store, report.kind, staging.spans)
        report.counts = staging.write(report.batch)
        summarise(report, staging)
        if report.counts.written:
            first, last = report.since // DAY_S, (report.until - 1) // DAY_S
            compact(store, report.kind, [day_numbered(day) for day in range(first, last + 1)])
            _note(store, report)
    return report


def _note(store: MeasurementStore, report: ImportReport) -> None:
    folder = store.folder / "imports"
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{report.batch}.unfinished"
    unfinished.write_text(json.dumps(report.fields(), indent=1), encoding="utf-8")
    unfinished.rename(folder / f"{report.batch}.json")


def imports(store: MeasurementStore) -> list[dict[str, Any]]:
    """Reports of the imports that wrote something, oldest first."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((store.folder / "imports").glob("*.json"))]


def with_arrival(values: Values, arrived: str | int, zone: str) -> Values:
    """The values with the time at which they arrived, where the options say one."""
    if arrived == NOW:
        return replace(values, arrived=None)
    if isinstance(arrived, int):
        return replace(values, arrived=ends_of_days(values.start, zone) + arrived)
    if arrived == FROM_FILE and values.arrived is None:
        raise GridError("the file does not say when its values arrived: --arrived now, or such as +6h after each day")
    return values


def ends_of_days(start: Whole, zone: str) -> Whole:
    """(N,) end of the local day of each time, epoch seconds."""
    tz = zone_of(zone)
    hours, inverse = np.unique(start // 900, return_inverse=True)
    ends = np.empty(len(hours), dtype=np.int64)
    for k, quarter in enumerate(hours):
        at = datetime.fromtimestamp(int(quarter) * 900, tz)
        following = (at + timedelta(days=1)).date()
        ends[k] = int(datetime(following.year, following.month, following.day, tzinfo=tz).timestamp())
    return np.asarray(ends[inverse])
