"""`sep2 envelope run` over many feeders: each by itself, one Parquet file of all limits, going on where it stopped."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from envelope.command_line.options import StudyOptions, refuse_missing
from envelope.field_rules import BadProblem
from envelope.study import many_feeders
from envelope.verification.report import BEYOND
from gridmodel.arrays import Real
from sep2 import __version__
from sep2.terminal import add_row, console, say, say_json

FAILED = 2
"""exit code where a feeder failed and none is beyond its limits"""
ENDING, PARTS = ".parquet", ".parts"
SHOWN = 20


@dataclass(frozen=True)
class FeederTask:
    """A feeder to calculate, by name."""

    feeder: str
    options: StudyOptions


class FeederRow(NamedTuple):
    """Result of one feeder; a row of the table beside the limits."""

    feeder: str
    state: str
    """inside, beyond, base or failed"""
    connections: int = 0
    steps: int = 0
    export_kw: float = 0.0
    import_kw: float = 0.0
    corners: int = 0
    exit_code: int = 0
    seconds: float = 0.0
    detail: str = ""


class FeederLimits(NamedTuple):
    """A feeder's limits as a Parquet file's bytes, and its row."""

    limits: bytes
    row: FeederRow


def calculate_feeder(task: FeederTask) -> FeederLimits:
    """Calculate and verify the limits of a feeder."""
    began = time.perf_counter()
    refuse_missing(task.feeder)
    schedule, report = _verified(task)
    row = FeederRow(
        task.feeder,
        {0: "inside", BEYOND: "beyond"}.get(report.exit_code, "base"),
        len(schedule.connection_id),
        schedule.steps,
        _mean_kw(schedule.export_limit_w),
        _mean_kw(schedule.import_limit_w),
        corners=report.scenarios,
        exit_code=report.exit_code,
        seconds=round(time.perf_counter() - began, 3),
        detail="; ".join(schedule.findings),
    )
    return FeederLimits(_as_parquet(task.feeder, schedule), row)


def _mean_kw(limit_w: Real) -> float:
    """Mean over the steps of the sum of all limits."""
    return round(float(limit_w.sum(axis=1).mean()) / 1e3, 3)


def _verified(task: FeederTask) -> Any:
    """Schedule and verification of a feeder, as one network or in parts."""
    from envelope.engine import calculate
    from envelope.medium_voltage.divided import calculate_divided
    from envelope.problem.divided import Divided, reduced_of
    from envelope.verification import verify

    options = task.options
    if Path(task.feeder).suffix == ".npz":
        problem = options.problem(task.feeder)
    else:
        found = options.read(task.feeder)
        problem = options.stated_of(found, reduced_of(found.network)).problem
    if isinstance(problem.reduced, Divided):
        run = calculate_divided(problem)
        return run.schedule, run.report.combined
    schedule = calculate(problem)
    return schedule, verify(problem, schedule)


def _as_parquet(feeder: str, schedule: Any) -> bytes:
    """The table of `sep2 envelope run --out` with the feeder's name before it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from envelope.schedule.table import frame

    table = pa.Table.from_pandas(frame(schedule.file_columns(), merged=True), preserve_index=False)
    for k, column in enumerate(table.schema):
        # Feeders have different categories: in one file all are texts.
        if pa.types.is_dictionary(column.type):
            table = table.set_column(k, column.name, table.column(k).cast(pa.string()))
        elif pa.types.is_null(column.type):
            table = table.set_column(k, column.name, table.column(k).cast(pa.int64()))
    names = pa.array([feeder] * len(table), pa.string())
    out = pa.BufferOutputStream()
    pq.write_table(table.add_column(0, "feeder", names).replace_schema_metadata(None), out)
    return bytes(out.getvalue().to_pybytes())


class LimitsOfMany:
    """The file of all limits, the table of feeders, and what was calculated before it stopped."""

    def __init__(self, out: Path, fresh: bool) -> None:
        self.out, self.folder = out, out.with_name(out.name + PARTS)
        self._part = dict[str, Path]()
        self.folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            for part in self.folder.iterdir():
                part.unlink()

    def part_of(self, task: FeederTask) -> Path:
        """The file of a feeder's limits; its name changes with the feeder's files, the options and the version."""
        if task.feeder in self._part:
            return self._part[task.feeder]
        said = hashlib.sha256(f"{__version__}\n{task.feeder}\n".encode())
        for field in (one for one in fields(task.options) if one.name != "as_json"):
            said.update(f"{field.name}={getattr(task.options, field.name)}\n".encode())
        for path in _files_of(task.feeder):
            said.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        return self._part.setdefault(task.feeder, self.folder / f"{said.hexdigest()[:32]}{ENDING}")

    def known(self, task: FeederTask) -> FeederRow | None:
        """The row of a feeder that is calculated already."""
        part = self.part_of(task)
        try:
            return FeederRow(**json.loads(part.with_suffix(".json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, task: FeederTask, limits: FeederLimits) -> None:
        """Keep a feeder's limits; the row is written last, as proof that the file is whole."""
        part = self.part_of(task)
        part.write_bytes(limits.limits)
        fresh = part.with_suffix(".new")
        fresh.write_text(json.dumps(limits.row._asdict()), encoding="utf-8")
        fresh.replace(part.with_suffix(".json"))

    def join(self, tasks: Sequence[FeederTask], rows: Sequence[FeederRow]) -> dict[str, str]:
        """Write the file of all limits, a row group for each feeder in their order, and the table of feeders."""
        import pyarrow.parquet as pq

        fresh, writer = self.out.with_name(self.out.name + ".new"), None
        for task, row in zip(tasks, rows, strict=True):
            if row.state != "failed":
                table = pq.read_table(self.part_of(task))
                writer = writer or pq.ParquetWriter(fresh, table.schema)
                writer.write_table(table)
        files = {}
        if writer is not None:
            writer.close()
            fresh.replace(self.out)
            files["limits"] = str(self.out)
        feeders = self.out.with_suffix(".feeders.csv")
        with feeders.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([FeederRow._fields, *rows])
        return files | {"feeders": str(feeders)}


def _files_of(feeder: str) -> list[Path]:
    """Files that a feeder's limits may depend on."""
    path = Path(feeder)
    if path.is_dir():
        return sorted(one for one in path.rglob("*") if one.is_file())
    if path.suffix.lower() == ".dss":
        return sorted(one for one in path.parent.iterdir() if one.is_file())
    return [path] if path.is_file() else []


def run_many(
    feeders: Sequence[str], out: Path, options: StudyOptions, workers: many_feeders.Workers, *, fresh: bool = False
) -> int:
    """Calculate all feeders, write one file, and say which failed; returns the exit code."""
    if out.suffix != ENDING:
        raise BadProblem(f"--out {out}: limits of several feeders are one {ENDING} file")
    out.parent.mkdir(parents=True, exist_ok=True)
    tasks = [FeederTask(name, options) for name in dict.fromkeys(feeders)]
    files = LimitsOfMany(out, fresh)
    rows = {task.feeder: row for task in tasks if (row := files.known(task)) is not None}
    resumed, began = len(rows), time.perf_counter()
    with _bar(len(tasks), resumed, options.as_json) as advance:
        for done in many_feeders.each(calculate_feeder, [task for task in tasks if task.feeder not in rows], workers):
            if isinstance(done.result, many_feeders.Failure):
                row = FeederRow(done.item.feeder, "failed", exit_code=FAILED, detail=done.result.detail)
            else:
                row = done.result.row
                files.keep(done.item, done.result)
            rows[done.item.feeder] = row
            advance(row)
    ordered = [rows[task.feeder] for task in tasks]
    written = files.join(tasks, ordered)
    seconds = time.perf_counter() - began
    _show(ordered, written, {"seconds": round(seconds, 3), "resumed": resumed}, options.as_json)
    codes = {row.exit_code for row in ordered}
    return next((code for code in (BEYOND, FAILED) if code in codes), max(codes, default=0))


@contextmanager
def _bar(total: int, resumed: int, quiet: bool) -> Iterator[Any]:
    """A progress bar, on a terminal only."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=hidden) as progress:
        task, failed = progress.add_task("feeders", total=total, completed=resumed), list[str]()

        def advance(row: FeederRow) -> None:
            failed.extend([row.feeder] if row.state == "failed" else [])
            progress.update(task, advance=1, description=f"feeders, {len(failed)} failed" if failed else "feeders")

        yield advance


def _show(rows: Sequence[FeederRow], files: dict[str, str], figures: dict[str, float], as_json: bool) -> None:
    if as_json:
        say_json(json.dumps({"feeders": [row._asdict() for row in rows], **figures, "files": files}))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("feeder", "connections", "export, kW", "import, kW", "seconds", "limits"):
        table.add_column(name, justify="left" if name in ("feeder", "limits") else "right")
    good = [row for row in rows if row.state != "failed"]
    for row in good[:SHOWN]:
        powers = f"{row.export_kw:.1f}", f"{row.import_kw:.1f}"
        add_row(table, row.feeder, str(row.connections), *powers, f"{row.seconds:.2f}", row.state)
    console().print(table)
    if len(good) > SHOWN:
        say(f"{len(good) - SHOWN} more are in {files['feeders']}.")
    failed = [row for row in rows if row.state == "failed"]
    for row in failed:
        say(f"failed: {row.feeder}: {row.detail}", err=True)
    again = f", {figures['resumed']:.0f} of them calculated before" if figures["resumed"] else ""
    inside = sum(row.state == "inside" for row in rows)
    spent = f"{len(good)} of {len(rows)} feeders in {figures['seconds']:.1f} s{again}"
    say(f"{spent}; {inside} verified inside their limits, {len(failed)} failed.")
    say("; ".join(f"{name}: {path}" for name, path in files.items()))
