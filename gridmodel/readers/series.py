"""The CSV files of a feeder's day: demand, PV and head voltage, one row per interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import numpy as np

from gridmodel.arrays import SYMMETRIC, Complex, Real
from gridmodel.errors import FileError
from gridmodel.model.feeder import Profile
from gridmodel.model.findings import Finding
from gridmodel.readers.tables import Table, read_csv

DAY_S = 86_400
LARGEST = 1e6
"""kW of a customer, or V of a supply: beyond it a unit has slipped"""
STEPS_S = (60, 300, 600, 900, 1800, 3600)  # interval lengths a day may have without feeder.toml saying so


@contextmanager
def noting(faults: list[FileError]) -> Iterator[None]:
    """Goes on after a faulty file, with the fault on the list."""
    try:
        yield
    except FileError as e:
        faults.append(e)


def read_profile(
    folder: Path, ids: Sequence[str], settings: dict[str, object], faults: list[FileError]
) -> Profile | None:
    """The measured day, or None where the folder has no demand or its files are at fault."""
    path = folder / "demand_kw.csv"
    before = len(faults)
    if not path.is_file():
        return None
    demand = kvar = pv = np.zeros((0, len(ids)))
    source: Complex | None = None
    step_s = 0
    with noting(faults):
        demand = _series(path, ids, every=True)
    intervals = len(demand)
    if len(faults) == before:
        with noting(faults):
            step_s = _step_s(path, intervals, settings)
        with noting(faults):
            kvar = _same_length(folder / "demand_kvar.csv", ids, intervals, every=True)
        with noting(faults):
            pv = _same_length(folder / "pv_kw.csv", ids, intervals, every=False)
        with noting(faults):
            source = _head_voltage(folder, intervals)
    first_day: date | None = None
    with noting(faults):
        first_day = _first_day(folder, settings)
    if len(faults) > before:
        return None
    return Profile(step_s, demand * 1e3, kvar * 1e3, pv * 1e3, source, first_day)


def _first_day(folder: Path, settings: dict[str, object]) -> date | None:
    given = settings.get("first_day")
    if given is None or (isinstance(given, date) and not isinstance(given, datetime)):
        return given
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        raise FileError(folder / "feeder.toml", f"{given!r} is no date: 2026-05-29", field="first_day") from None


def _step_s(path: Path, intervals: int, settings: dict[str, object]) -> int:
    given = settings.get("step_s")
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int) or given <= 0:
            raise FileError(path.parent / "feeder.toml", f"{given!r} is not a number of whole seconds", field="step_s")
        return given
    if intervals and DAY_S % intervals == 0 and DAY_S // intervals in STEPS_S:
        return DAY_S // intervals
    known = ", ".join(str(DAY_S // step) for step in STEPS_S)
    detail = f"{intervals} intervals; a day has one of {known}, or feeder.toml says step_s"
    raise FileError(path, detail, field="interval")


def _same_length(path: Path, ids: Sequence[str], intervals: int, *, every: bool) -> Real:
    if not path.is_file():
        return np.zeros((intervals, len(ids)))
    found = _series(path, ids, every=every)
    if len(found) != intervals:
        raise FileError(path, f"{len(found)} intervals; demand_kw.csv has {intervals}", field="interval")
    return found


def _series(path: Path, ids: Sequence[str], *, every: bool) -> Real:
    """(T, C) values in the order of the connections; zero for those the file leaves out, if it may."""
    table = read_csv(path, ("interval",))
    place = {name: k for k, name in enumerate(ids)}
    for name in table.columns:
        if name != "interval" and name not in place:
            raise FileError(path, "no such customer", row=1, field=name)
    if every and (missing := [name for name in ids if name not in table.columns]):
        raise FileError(path, f"{len(missing)} customers have no column", row=1, field=missing[0])
    values = _numbers(table)
    found = np.zeros((len(values), len(ids)))
    named = [name for name in table.columns if name != "interval"]
    found[:, [place[name] for name in named]] = values[:, [table.columns.index(name) for name in named]]
    return found


def _head_voltage(folder: Path, intervals: int) -> Complex | None:
    """(T, 3) phasors of head_voltage*.csv, phase-to-neutral, V; without angles they are symmetric."""
    found = sorted(folder.glob("head_voltage*.csv"))
    if not found:
        return None
    sizes, angles = [f"v{p}_v" for p in "abc"], [f"v{p}_deg" for p in "abc"]
    table = read_csv(found[0], ("interval", *sizes))
    names = sizes + (angles if set(angles) & set(table.columns) else [])
    table = read_csv(found[0], ("interval", *names))
    values = _numbers(table)[:, [table.columns.index(name) for name in names]]
    if len(values) != intervals:
        raise FileError(found[0], f"{len(values)} intervals; demand_kw.csv has {intervals}", field="interval")
    if len(names) == len(sizes):
        return np.asarray(values * SYMMETRIC)
    return np.asarray(values[:, :3] * np.exp(1j * np.deg2rad(values[:, 3:])))


def assumed_head(folder: Path) -> list[Finding]:
    """A note where the head voltage has magnitudes alone."""
    found = sorted(folder.glob("head_voltage*.csv"))
    if not found or not found[0].is_file() or any(name.endswith("_deg") for name in read_csv(found[0]).columns):
        return []
    detail = "angles are assumed symmetric: the file has magnitudes only"
    return [Finding("note", "symmetric_angles", found[0].name, "va_deg", detail)]


def _numbers(table: Table) -> Real:
    """(rows, columns) all values as finite numbers; intervals must count up from zero."""
    rows = list(table)
    if not rows:
        raise FileError(table.file, "no intervals", row=1, field="interval")
    try:
        values = np.array([[float(v) for v in row.fields.values()] for row in rows])
    except ValueError:
        values = np.array([[row.number(name) for name in table.columns] for row in rows])
    for row, bad in zip(rows, ~(np.abs(values) <= LARGEST), strict=True):
        if bad.any():
            name = table.columns[int(np.argmax(bad))]
            raise row.wrong(name, f"{row.fields[name]!r} is no number between {-LARGEST:g} and {LARGEST:g}")
    order = values[:, table.columns.index("interval")]
    for row, wrong in zip(rows, order != np.arange(len(rows)), strict=True):
        if wrong:
            raise row.wrong("interval", f"{row.fields['interval']} does not follow the one before")
    return values
