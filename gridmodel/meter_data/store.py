"""A folder of measurements: Parquet files by kind and UTC day, queried by DuckDB.

    ami/day=2026-05-29/1f3c….parquet

A row is one value with both its times: when it was measured (`start`, `duration`) and when it arrived (`arrived`). A
value that is corrected gets another row and the former one stays, so that a question can be asked as of any time. A
file is never changed: it is written under another name and renamed, so that readers need no lock. Writers hold one
lock per folder, which may be shared by several servers.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridmodel.errors import GridError
from gridmodel.estimates import LARGE_PART, memory_of_machine

if TYPE_CHECKING:
    import duckdb

DAY_S = 86_400
LOCK_WAIT_S = 600.0
KEY = ("place", "register", "quantity", "phase")
COLUMNS = (*KEY, "start", "duration", "value", "quality", "arrived", "batch")
SMALL_BYTES = 16 * 2**20
"""of files that one thread reads as fast as several"""
MEMORY_BYTES = min(2 * 10**9, int(LARGE_PART * memory_of_machine()))
"""that a query or an import may take before it goes on on disk"""


class Kind(StrEnum):
    """Kind of measurements, by their source."""

    AMI = "ami"
    """customers' meters: `place` is a connection, or a transformer that has a meter"""
    SCADA = "scada"
    """points that are reported on change; a value holds until the next one, at most for `duration`"""
    WEATHER = "weather"
    """`place` is a site"""
    ACCUMULATED = "accumulated"
    """energies between two reads of a register, over weeks or months"""


class StoreError(GridError):
    """A store of measurements that can not be used now."""

    code = "measurement_store"


@dataclass(frozen=True)
class MeasurementStore:
    """Measurements under one folder, which is made when something is first written."""

    folder: Path

    def days(self, kind: Kind) -> list[date]:
        """Days that have values of this kind, in order."""
        try:
            names = [path.name for path in (self.folder / kind).iterdir()]
        except FileNotFoundError:
            return []
        return sorted(date.fromisoformat(name[4:]) for name in names if name.startswith("day="))

    def day_folder(self, kind: Kind, day: date) -> Path:
        """Where the files of a day are."""
        return self.folder / kind / f"day={day.isoformat()}"

    def files(self, kind: Kind, since: int, until: int) -> list[Path]:
        """Files with values that began in [since, until), epoch seconds."""
        first, last = day_of(since), day_of(max(until - 1, since))
        return [path for day in self.days(kind) if first <= day <= last for path in self._of_day(kind, day)]

    def files_by_day(self, kind: Kind) -> Iterator[tuple[date, list[Path]]]:
        """Every day with its files."""
        for day in self.days(kind):
            yield day, self._of_day(kind, day)

    def _of_day(self, kind: Kind, day: date) -> list[Path]:
        return sorted(self.day_folder(kind, day).glob("*.parquet"))

    @property
    def exists(self) -> bool:
        """Whether anything has been written."""
        return any((self.folder / kind).is_dir() for kind in Kind)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's lock, which is given up when the process ends, however it ends."""
        import fcntl

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.folder / "writing.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise StoreError(f"{self.folder}: another import holds it for {LOCK_WAIT_S:g} s") from None
                    time.sleep(0.05)
            self._remove_unfinished()
            yield
        finally:
            os.close(handle)

    def _remove_unfinished(self) -> None:
        """Remove what a process left that ended while it wrote; only the holder of the lock writes."""
        for left in self.folder.glob("*/day=*/*.unfinished"):
            left.unlink(missing_ok=True)

    def write_days(self, kind: Kind, parts: Iterable[tuple[date, Any]]) -> None:
        """Write an Arrow table of rows, sorted by KEY and start, as a further file of each day.

        They are on the disk before the first of them is seen.
        """
        written = [self._write_unfinished(kind, day, rows) for day, rows in parts]
        for path in written:
            with path.open("rb") as content:
                os.fsync(content.fileno())
        for path in written:
            path.rename(path.with_suffix(""))

    def _write_unfinished(self, kind: Kind, day: date, rows: Any) -> Path:
        import pyarrow.parquet as pq

        folder = self.day_folder(kind, day)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{secrets.token_hex(8)}.parquet.unfinished"
        pq.write_table(
            rows,
            unfinished,
            compression="zstd",
            use_dictionary=[*KEY, "duration", "quality", "arrived", "batch"],
            row_group_size=122_880,
        )
        return unfinished

    def query(
        self, statement: str, files: Iterable[Path], parameters: Iterable[Any] = (), **tables: Any
    ) -> dict[str, Any]:
        """Columns of a statement over `rows`, the rows of these files, and further tables by name.

        It is asked again where a file was replaced meanwhile.
        """
        import duckdb

        files = list(files)
        for attempt in (0, 1, 2):
            try:
                with _shared(self.folder, _is_small(files)).cursor() as db:
                    for name, table in tables.items():
                        db.register(name, table)
                    rows = f"WITH rows AS NOT MATERIALIZED (SELECT * FROM {parquet_of(files)})"
                    return dict(db.execute(f"{rows} {statement}", list(parameters)).fetchnumpy())
            except (duckdb.IOException, FileNotFoundError) as wrong:
                if attempt == 2:
                    raise StoreError(f"{self.folder}: {wrong}") from None
            files = [path for path in files if path.exists()] + _replaced(files)
        raise AssertionError


def _is_small(files: Iterable[Path]) -> bool:
    """Whether one thread reads them as fast as several, which would wait for each other on a busy machine."""
    return sum(path.stat().st_size for path in files) < SMALL_BYTES


def _replaced(files: Iterable[Path]) -> list[Path]:
    """Files that now stand where some of these were, without those still there."""
    known = set(files)
    folders = {path.parent for path in known if not path.exists()}
    return [path for folder in sorted(folders) for path in sorted(folder.glob("*.parquet")) if path not in known]


def require() -> None:
    """Refuse, in words, to go on without the packages of the extra."""
    for name in ("duckdb", "pyarrow", "aemo_mdff_reader"):
        try:
            import_module(name)
        except ModuleNotFoundError:
            raise StoreError(f"measurements need {name}: pip install 'sep2[measurements]'") from None


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory, which goes on in the folder where memory does not suffice; it reads no other settings."""
    require()
    import duckdb

    spill = str(folder / "spill").replace("'", "''")
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{MEMORY_BYTES}B",
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        },
    )


@lru_cache(maxsize=4)
def _shared(folder: Path, single: bool) -> duckdb.DuckDBPyConnection:
    """One database for all queries of a folder in this process: to open one takes longer than to read a day.

    single: for small questions, without threads beside the one that asks.
    """
    found = connect(folder)
    # A file is never changed: what is known of one stays true.
    found.execute("SET parquet_metadata_cache = true")
    if single:
        found.execute("SET threads = 1")
    return found


def parquet_of(files: Iterable[Path]) -> str:
    """The rows of these files, as a table in a statement; a table without rows where there is no file."""
    named = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    if named:
        return f"read_parquet([{named}], hive_partitioning=false)"
    return f"(SELECT {_EMPTY} WHERE false)"


_TYPES = ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "UTINYINT", "BIGINT", "VARCHAR")
_EMPTY = ", ".join(f"NULL::{kind} AS {name}" for name, kind in zip(COLUMNS, _TYPES, strict=True))


def day_of(at: int) -> date:
    """UTC day of a time in epoch seconds."""
    return datetime.fromtimestamp(at, UTC).date()


def day_numbered(number: int) -> date:
    """The day so many days after 1970-01-01."""
    return date(1970, 1, 1) + timedelta(days=int(number))
