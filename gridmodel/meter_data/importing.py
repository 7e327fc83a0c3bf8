"""Import of measurement files: find each one's format, read it, say what was taken, write what is new."""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Whole
from gridmodel.errors import FileError, GridError
from gridmodel.estimates import of_import
from gridmodel.meter_data import doubts, series_index
from gridmodel.meter_data.csv_readings import LongReader, Remarks
from gridmodel.meter_data.exporting import is_own_export
from gridmodel.meter_data.file_times import EARLIEST, LATEST
from gridmodel.meter_data.green_button import GreenButtonReader, is_green_button
from gridmodel.meter_data.guessing import Guess, Hints, guess
from gridmodel.meter_data.import_report import FileTaken, ImportReport, summarise
from gridmodel.meter_data.local_times import zone_of
from gridmodel.meter_data.mapping import ColumnMapping, Layout, read_mapping
from gridmodel.meter_data.nem import Nem12Reader, Nem13Reader, is_nem
from gridmodel.meter_data.scada import ScadaReader, read_tags
from gridmodel.meter_data.staging import Staging, Values
from gridmodel.meter_data.store import DAY_S, MEMORY_BYTES, Kind, MeasurementStore, day_numbered
from gridmodel.meter_data.upkeep import compact
from gridmodel.meter_data.wide_readings import DayReader, WideReader, unused_in
from gridmodel.readers.tables import read_text

FROM_FILE = "file"
NOW = "now"
LONGEST_NAME = 200
"""characters of an identifier"""
LONGEST_READ_S = 3660 * DAY_S
"""between two reads of a register"""
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
    said_by: str = ""
    """whatever else decides how it is read"""

    @property
    def read_as(self) -> str:
        """Digest of how the file is read: with the same octets, it has the same values."""
        mapping = self.mapping.to_toml() if self.mapping is not None else ""
        return hashlib.sha256("\n".join((self.kind, mapping, self.said_by)).encode()).hexdigest()

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
    with readable(path):
        return _opened(path, options)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Refuse, by the file's name, what damaged content makes of reading it."""
    try:
        yield
    except GridError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as wrong:
        raise FileError(path, f"its packed content is damaged or cut off: {wrong}") from None
    except (ValueError, OverflowError, OSError) as wrong:
        raise FileError(path, f"can not be read: {wrong}") from None


def _opened(path: Path, options: ImportOptions) -> Opened:
    if options.tags is not None and options.kind is not Kind.SCADA:
        raise GridError("--tags says what SCADA points mean: --as scada")
    if options.kind is Kind.SCADA and not (options.tags is None and is_own_export(path, options.kind)):
        return _scada(path, options)
    if version := is_nem(path):
        sign = "E channels are import, B channels export; times are UTC+10, each value is of the interval it stands in"
        unused = _unused(version, options, connection=True)
        if version == "NEM12":
            said = (sign, "units as each channel says", *unused)
            return Opened(path, Nem12Reader(path), "NEM12 (aemo-mdff-reader)", said)
        reads = "accumulated energies between two reads: kept apart, and in no interval of theirs"
        said = (sign, reads, *unused)
        return Opened(path, Nem13Reader(path), "NEM13 (aemo-mdff-reader)", said, kind=Kind.ACCUMULATED)
    if path.suffix.lower() == ".xml" and not is_green_button(path):
        raise FileError(path, "is no Green Button: its first lines do not name ESPI (naesb.org/espi)")
    if is_green_button(path):
        sign = "flow direction 1 is import, 19 export; times are UTC and begin their interval; units as each type says"
        reader = GreenButtonReader(path, options.connection)
        said = (sign, *_unused("Green Button", options))
        return Opened(path, reader, "Green Button (ESPI)", said, said_by=options.connection)
    return _csv(path, options)


def _unused(name: str, options: ImportOptions, *, connection: bool = False) -> tuple[str, ...]:
    """A sentence on the options that a format leaves no room for."""
    said = [*options.hints.said, *(["--mapping"] if options.mapping is not None else [])]
    said += ["--connection"] if connection and options.connection else []
    return (f"not used: {', '.join(said)}; {name} says it itself",) if said else ()


def _refuse_names(path: Path, values: Values) -> None:
    """Refuse identifiers that nothing else could name."""
    for series in values.names:
        for name in series[:2]:
            if len(name) > LONGEST_NAME:
                raise FileError(path, f"{name[:30]!r}…: an identifier has at most {LONGEST_NAME} characters")
            if name and not name.isprintable():
                raise FileError(path, f"{name!r}: an identifier holds a character that can not be printed")


def _refuse_times(path: Path, values: Values) -> None:
    """Refuse times that no file can mean."""
    for at in (values.start, values.arrived):
        if at is not None and len(at) and not EARLIEST <= at.min() <= at.max() <= LATEST:
            wrong = int(at.min() if at.min() < EARLIEST else at.max())
            raise FileError(path, f"a time {wrong} s from 1970 is outside 1970 to 2100")


def _csv(path: Path, options: ImportOptions) -> Opened:
    if options.mapping is not None:
        if said := options.hints.said:
            raise GridError(f"{said[0]} beside --mapping: the mapping says it; change it there")
        found = Guess(read_mapping(options.mapping), False, ())
        source = f"CSV by {options.mapping}"
    else:
        found, source = guess(path, options.hints), "CSV, guessed"
    reader = READERS[found.mapping.layout](path, found.mapping, descending=found.descending)
    kind = Kind.ACCUMULATED if is_own_export(path, Kind.ACCUMULATED) else options.kind
    if kind is Kind.ACCUMULATED and isinstance(reader, LongReader):
        reader.longest_s = LONGEST_READ_S
    said = (*_said_of(found.mapping), *(f"assumed: {one}" for one in found.assumed))
    if options.connection:
        said = (*said, "not used: --connection; the file names its places")
    if unused := unused_in(path, found.mapping):
        said = (*said, unused)
    return Opened(path, reader, f"{source}, layout {found.mapping.layout}", said, found.mapping, kind)


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
    of_tags = f"{reader.zone} {reader.mapping.decimal} {read_text(options.tags)}"
    return Opened(path, reader, "SCADA points", (said, *reader.unused), kind=Kind.SCADA, said_by=of_tags)


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
    warn: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Read files and compare them with the store, which `write` does again. The caller closes the staging.

    warn: is told how long it will take, or "".
    """
    opened = [open_file(path, options) for path in paths]
    warn(of_import([(one.path, one.format) for one in opened], MEMORY_BYTES).warning)
    kinds = {one.kind for one in opened}
    if len(kinds) > 1:
        raise GridError(f"files of several kinds: {', '.join(sorted(kinds))}; import each kind by itself")
    (kind,) = kinds
    zone = options.hints.zone or options.hints.default_zone or "UTC"
    report = ImportReport(kind, zone, f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}", now)
    known = _known_files(store)
    staging = Staging(store, kind, keep_from=options.keep_from)
    try:
        for one in opened:
            progress(f"reading {one.path.name}")
            before, digest = len(staging), _digest(one.path)
            earlier = known.get((digest, one.read_as)) if options.arrived == "" else None
            with readable(one.path):
                for values in one.reader:
                    _refuse_names(one.path, values)
                    _refuse_times(one.path, values)
                    staging.add(with_arrival(values, options.arrived, zone), now if earlier is None else earlier)
            report.files.append(_taken(one, len(staging) - before, digest, earlier))
        if compare:
            progress("comparing with what is known")
            report.counts = staging.compare()
            summarise(report, staging, doubts.of_stored(staging))
    except BaseException:
        staging.db.close()
        raise
    return Prepared(staging, report, tuple(opened))


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _known_files(store: MeasurementStore) -> dict[tuple[str, str], int]:
    """When each file that was taken before first arrived, by its digest and how it was read."""
    # What it says was known then: taken once more, after a correction, it is still the older.
    found: dict[tuple[str, str], int] = {}
    for report in imports(store):
        for one in report["files"]:
            found.setdefault((one["sha256"], one.get("read_as", "")), int(one.get("arrived") or report["at"]))
    return found


def _taken(one: Opened, values: int, digest: str, earlier: int | None) -> FileTaken:
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
        one.read_as,
        earlier,
    )


def write(store: MeasurementStore, prepared: Prepared) -> ImportReport:
    """Write what is new, and put the report beside it; the report has what was written."""
    staging, report = prepared.staging, prepared.report
    with store.writing():
        beside = list(doubts.of_stored(staging))
        if len(staging):
            # Listed before it is there: a crash in between leaves series without values, which are gaps.
            series_index.widen(store, report.kind, staging.spans)
        report.counts = staging.write(report.batch)
        summarise(report, staging, beside)
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
