"""Single values that a machine hands over, such as a SCADA gateway: into the store, as an import of a file would."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from gridmodel.errors import GridError
from gridmodel.meter_data import series_index
from gridmodel.meter_data.quantities import DIMENSION, LARGEST, Quality, Quantity
from gridmodel.meter_data.staging import Counts, Series, Staging, Values
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore, day_numbered, require
from gridmodel.meter_data.upkeep import compact

AHEAD_S = 300
"""How far a measurement may lie ahead of the clock: that of the machine it comes from may be wrong by so much."""


class LiveValue(NamedTuple):
    """One mean over an interval, or the state of a point that holds for `duration_s`, in SI units."""

    kind: Kind
    series: Series
    start: int
    """epoch seconds"""
    duration_s: int
    value: float
    quality: Quality = Quality.MEASURED


@dataclass(frozen=True)
class LiveBatch:
    """Values that arrived together."""

    store: MeasurementStore
    values: Sequence[LiveValue]
    arrived: int
    """epoch seconds"""
    keep_from: int = 0

    def check(self) -> None:
        """Refuse a value that can not be one; GridError names it."""
        require()
        for number, one in enumerate(self.values):
            where, most = f"measurements[{number}]", LARGEST.get(DIMENSION[Quantity(one.series.quantity)], 1e9)
            if not abs(one.value) <= most:  # also where it is no number
                raise GridError(f"{where}: value: {one.value:g} is not within {most:g}")
            if one.series.quantity in (Quantity.IMPORT, Quantity.EXPORT, Quantity.VOLTAGE) and one.value < 0.0:
                raise GridError(f"{where}: value: {one.value:g} is below 0")
            latest = self.arrived + AHEAD_S
            if one.kind is not Kind.WEATHER and one.start > latest:
                raise GridError(f"{where}: start: {one.start} is more than {AHEAD_S} s ahead of {self.arrived}")

    def compare(self) -> Counts:
        """Return what writing would do; nothing is written."""
        return self._each(write=False)

    def write(self) -> Counts:
        """Write what the store does not know."""
        return self._each(write=True)

    def _each(self, *, write: bool) -> Counts:
        total = Counts()
        for kind in sorted({one.kind for one in self.values}):
            with Staging(self.store, kind, keep_from=self.keep_from) as staging:
                staging.add(_block([one for one in self.values if one.kind is kind]), self.arrived)
                counts = self._written(staging, kind) if write else staging.compare()
            for name in vars(total):
                setattr(total, name, getattr(total, name) + getattr(counts, name))
        return total

    def _written(self, staging: Staging, kind: Kind) -> Counts:
        batch = f"{datetime.fromtimestamp(self.arrived, UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        with self.store.writing():
            if len(staging):
                series_index.widen(self.store, kind, staging.spans)
            counts = staging.write(batch)
            days = {one.start // DAY_S for one in self.values if one.kind is kind and one.start >= self.keep_from}
            compact(self.store, kind, [day_numbered(day) for day in sorted(days)])
        return counts


def _block(values: Sequence[LiveValue]) -> Values:
    names = tuple(dict.fromkeys(one.series for one in values))
    position = {series: k for k, series in enumerate(names)}
    return Values(
        names,
        np.array([position[one.series] for one in values], dtype=np.intp),
        np.array([one.start for one in values], dtype=np.int64),
        np.array([one.duration_s for one in values], dtype=np.int64),
        np.array([one.value for one in values], dtype=np.float64),
        np.array([one.quality for one in values], dtype=np.uint8),
    )
