"""Meter readings where no network model exists: a day's forecast, and voltages against the total load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import UNKNOWN, BadProblem, Numbers, Rule, Strings, consecutive, validate
from envelope.model_free.methods import READ, READ_EACH, CriticalVoltage, Unmodelled
from envelope.problem import steps_from
from gridmodel.arrays import Real
from gridmodel.errors import FileError
from gridmodel.readers.tables import Row, read_csv

COLUMNS = ("connection_id", "interval_start", "duration_s", "import_wh")
OPTIONAL = ("export_wh", "import_varh", "export_varh", "v_avg", "v_min", "v_max", "quality", "received_at")
DAY_S = 86_400
LEAST_KNOWN = 0.9
"""part of the customers that must have been read for the sum of all to count"""


@dataclass(frozen=True, eq=False)
class Meters:
    """Readings of all customers behind one transformer. S intervals, C connections; NaN where there is none."""

    connection_id: tuple[str, ...]
    start: NDArray[np.int64]
    """(S,) epoch seconds"""
    duration_s: int
    import_w: Real
    """(S, C) mean net import"""
    v: Real
    """(S, C) mean phase-to-neutral voltage, V"""
    transformer_w: Real
    transformer_v: Real
    """(S,) the same at the transformer, import positive; NaN where it has no meter"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "connection_id": Strings(per_connection=False),
        "start": Numbers("S", of=int),
        "duration_s": Numbers(of=int, low=0, above=True, high=DAY_S),
        "import_w": READ_EACH,
        "v": READ_EACH,
        "transformer_w": READ,
        "transformer_v": READ,
    }

    def __post_init__(self) -> None:
        names = self.RULES["connection_id"]("connection_id", self.connection_id, UNKNOWN)
        starts = self.RULES["start"]("start", self.start, UNKNOWN)
        validate(self, {"S": len(starts), "C": names})
        if DAY_S % self.duration_s:
            raise BadProblem(f"duration_s: {self.duration_s} does not divide a day")
        consecutive("start", self.start, self.duration_s)

    @property
    def total_w(self) -> Real:
        """(S,) net import of all: by the transformer's own meter, else the sum scaled up for missing meters."""
        known = np.isfinite(self.import_w)
        enough = known.mean(axis=1) >= LEAST_KNOWN
        sums = np.where(known, self.import_w, 0.0).sum(axis=1) / np.maximum(known.mean(axis=1), 1e-9)
        return np.where(np.isfinite(self.transformer_w), self.transformer_w, np.where(enough, sums, np.nan))

    @property
    def days(self) -> int:
        """Days from the first reading to the last."""
        return int(-(-(int(self.start[-1]) + self.duration_s - int(self.start[0])) // DAY_S))

    def critical(self, name: str = "") -> tuple[str, CriticalVoltage]:
        """The connection whose voltage moves most with what all draw together, or the named one; and its line."""
        if name and name not in self.connection_id:
            raise BadProblem(f"no readings of connection {name!r}")
        found: dict[str, CriticalVoltage] = {}
        refusal = BadProblem("no usable voltages")
        for who in (name,) if name else self.connection_id:
            try:
                found[who] = CriticalVoltage.regress(self.total_w, self.v[:, self.connection_id.index(who)])
            except BadProblem as wrong:
                refusal = BadProblem(f"connection {who}: {wrong.detail}")
        if not found:
            raise refusal
        return min(found.items(), key=lambda item: item[1].slope_v_per_w)

    def day_ahead(self, rating_va: float, flex_gen_w: Real, flex_load_w: Real) -> Unmodelled:
        """The day after the readings: each time of day as it was on average, (T, C) flexibility beyond it as given."""
        steps = self.steps
        port = (self.start % DAY_S) // self.duration_s
        base = np.full((steps, len(self.connection_id)), np.nan)
        for k in range(steps):
            of_port = self.import_w[port == k]
            known = np.isfinite(of_port)
            count = known.sum(axis=0)
            base[k] = np.where(count > 0, np.where(known, of_port, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        if not np.isfinite(base).all():
            step, column = np.argwhere(~np.isfinite(base))[0]
            at = f"{step * self.duration_s // 3600:02d}:{step * self.duration_s % 3600 // 60:02d} UTC"
            raise BadProblem(f"connection {self.connection_id[column]} has no reading at {at} on any day")
        end = int(self.start[-1]) + self.duration_s
        first = -(-end // DAY_S) * DAY_S
        starts = steps_from(first, self.duration_s, steps)
        return Unmodelled(self.connection_id, starts, self.duration_s, rating_va, base, flex_gen_w, flex_load_w)

    @property
    def steps(self) -> int:
        """Intervals in a day."""
        return DAY_S // self.duration_s


def read_meters(path: Path, transformer: str = "") -> Meters:
    """Readings of an AMI file; rows of `transformer` are the transformer's own meter. Times without a zone are UTC."""
    cells: dict[tuple[int, str], tuple[float, float]] = {}
    durations: set[int] = set()
    names: list[str] = []
    for row in read_csv(path, COLUMNS, optional=OPTIONAL):
        name, at = row.text("connection_id"), row.epoch_s("interval_start")
        if (at, name) in cells:
            raise row.wrong("interval_start", f"{name} has this interval twice")
        durations.add(_duration(row, durations))
        cells[at, name] = _watts(row), _volts(row)
        names.append(name)
    if not cells:
        raise FileError(path, "no readings", field="connection_id")
    known = tuple(dict.fromkeys(name for name in names if name != transformer))
    if transformer and transformer not in names:
        raise FileError(path, f"no readings of transformer {transformer}", field="connection_id")
    starts = np.array(sorted({at for at, _ in cells}), dtype=np.int64)
    return _tables(cells, starts, (*known, transformer), durations.pop())


def _tables(
    cells: dict[tuple[int, str], tuple[float, float]], starts: NDArray[np.int64], names: Sequence[str], duration_s: int
) -> Meters:
    """Readings in rows and columns; the last name is the transformer's."""
    row = {int(at): k for k, at in enumerate(starts)}
    column = {name: k for k, name in enumerate(names)}
    found = np.full((2, len(starts), len(names)), np.nan)
    for (at, name), values in cells.items():
        found[:, row[at], column[name]] = values
    (watts, volts), last = found, len(names) - 1
    return Meters(
        tuple(names[:last]), starts, duration_s, watts[:, :last], volts[:, :last], watts[:, last], volts[:, last]
    )


def _duration(row: Row, known: set[int]) -> int:
    duration_s = row.number("duration_s")
    if duration_s <= 0 or duration_s != int(duration_s) or DAY_S % int(duration_s):
        raise row.wrong("duration_s", f"{duration_s:g} does not divide a day")
    if known and int(duration_s) not in known:
        raise row.wrong("duration_s", f"{duration_s:g}, where others last {min(known)}: all must last the same")
    return int(duration_s)


def _watts(row: Row) -> float:
    amounts = row.number("import_wh"), row.number("export_wh", 0.0)
    if min(amounts) < 0.0:
        raise row.wrong("import_wh" if amounts[0] < 0.0 else "export_wh", f"{min(amounts):g} is negative")
    return (amounts[0] - amounts[1]) * 3600.0 / row.number("duration_s")


def _volts(row: Row) -> float:
    value = row.number("v_avg", math.nan)
    if value < 0.0:
        raise row.wrong("v_avg", f"{value:g} is negative")
    return value
