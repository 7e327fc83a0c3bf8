"""Measurements of a year

A year of half-hours of 1,000 meters, 17,520,000 rows of our own CSV format with import and export (35 million values),
imported by `sep2 measurements import`: read, compared with the store, written as Parquet by day and listed. Then what a
person and a forecast ask for: a day of one meter, a year of one, a month of all as an array with gaps and quality, and
the same as it was known at another time. Goals set beforehand: more than 5 million values a minute; a day of one meter
in less than 100 ms. The reference is DuckDB's own CSV reader that copies the same file into one Parquet file: no units,
no times, no comparison, no days. Goals are for two cores without other work.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb

from gridmodel.meter_data.importing import ImportOptions, prepare, write
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import Window, net_import_w, read
from gridmodel.meter_data.store import Kind, MeasurementStore
from tests.benchmarks.table import Row

METERS, DAYS = 1_000, 365
SINCE = 1_735_689_600  # 2025-01-01
ROUNDS = 5
UNIT = "million values a minute"


def make_csv(path: Path, meters: int = METERS, days: int = DAYS) -> int:
    """A file of half-hours, meter by meter; returns the number of its rows."""
    rows = meters * days * 48
    duckdb.sql(
        f"""
        COPY (
            SELECT printf('NMI%07d', n // {days * 48}) AS connection_id,
                strftime(to_timestamp({SINCE} + (n % {days * 48}) * 1800) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ')
                    AS interval_start,
                1800 AS duration_s,
                round(100 + 400 * abs(sin(n * 12.9898)) , 1) AS import_wh,
                round(greatest(0, 900 * sin((n % 48 - 12) / 24.0 * pi())) * abs(cos(n * 78.233)), 1) AS export_wh,
                CASE WHEN n % 97 = 0 THEN 'E' ELSE 'A' END AS quality
            FROM range({rows}) t(n)
        ) TO '{path}' (HEADER)
        """
    )
    return rows


def rows() -> list[Row]:
    """Import and questions."""
    folder = Path(tempfile.mkdtemp(prefix="sep2-measurements-"))
    try:
        return _rows(folder)
    finally:
        shutil.rmtree(folder)


def _rows(folder: Path) -> list[Row]:
    path, store = folder / "ami.csv", MeasurementStore(folder / "store")
    values = 2 * make_csv(path)
    copied, copied_cpu = _timed(lambda: duckdb.sql(f"COPY (FROM read_csv('{path}')) TO '{folder / 'copy.parquet'}'"))
    taken, taken_cpu = _timed(lambda: _import(store, path))
    again, again_cpu = _timed(lambda: _import(store, path))
    shown = _shown_cpu(store, folder)
    size = sum(one.stat().st_size for one in store.folder.rglob("*.parquet"))
    names = [f"NMI{k:07d}" for k in range(METERS)]
    day = Window(SINCE + 200 * 86_400, SINCE + 201 * 86_400)
    then = replace(day, as_of=int(time.time()))
    month = Window(SINCE, SINCE + 31 * 86_400)
    year = Window(SINCE, SINCE + DAYS * 86_400)
    per_minute = 60 * values / 1e6
    return [
        Row(
            name="import, a file of a year of 1,000 meters", ours=per_minute / taken, unit=UNIT,
            reference_name="DuckDB, CSV to Parquet", reference=per_minute / copied, goal=5.0, cpu_ms=1e3 * taken_cpu,
        ),
        Row(
            name="import: in a minute of one processor", ours=per_minute / taken_cpu, unit=UNIT,
            reference_name="DuckDB, CSV to Parquet", reference=per_minute / copied_cpu, goal=5.0,
        ),
        Row(
            name="the same file again, which changes nothing", ours=per_minute / again, unit=UNIT,
            cpu_ms=1e3 * again_cpu,
        ),
        Row(name="size of the store per value", ours=size / values, unit="bytes", better="less"),
        *_asked("a day of one meter", lambda: read(store, names[517:518], Quantity.IMPORT, day), goal=100.0),
        Row(
            name="sep2 measurements show, from its start: the processor's", ours=1e3 * shown, unit="ms", better="less",
        ),
        *_asked("a day of one meter, net, as it was known then", lambda: net_import_w(store, names[333:334], then)),
        *_asked("a year of one meter", lambda: net_import_w(store, names[700:701], year)),
        *_asked("a month of 1,000 meters, net, as an array", lambda: net_import_w(store, names, month)),
    ]  # fmt: skip


def _import(store: MeasurementStore, path: Path) -> None:
    prepared = prepare(store, [path], ImportOptions(Kind.AMI), int(time.time()), compare=False)
    with prepared.staging:
        write(store, prepared)


def _shown_cpu(store: MeasurementStore, folder: Path) -> float:
    """CPU seconds of the command that shows a day of one meter, the least of some rounds."""
    words = ["measurements", "show", "NMI0000517", "--from", "2025-07-20", "--store", str(store.folder)]
    code = f"import sys; from sep2.cli import main; sys.argv = {['sep2', *words]!r}; main()"
    found = []
    for _ in range(ROUNDS):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        after = os.times()
        found.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(found)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU seconds of one call."""
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - cpu


def _asked(what: str, work: Callable[[], object], goal: float | None = None) -> list[Row]:
    """The best of some rounds, ms; beside a goal also what the processor took, as the machine may do other work."""
    work()
    seconds, cpu = min(_timed(work) for _ in range(ROUNDS))
    found = [Row(name=what, ours=1e3 * seconds, unit="ms", better="less", cpu_ms=1e3 * cpu, goal=goal)]
    if goal is not None:
        found.append(Row(name=f"{what}: of these the processor's", ours=1e3 * cpu, unit="ms", better="less", goal=goal))
    return found
