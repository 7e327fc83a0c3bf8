"""Measurements of many places over a time as arrays, with gaps and quality, as they were known at a time.

    store = MeasurementStore(folder)
    net = net_import_w(store, connections, Window(since, until, 1800, as_of=yesterday))
    net.value      # (T, C) W, NaN where it is not known
    net.quality    # (T, C) Quality

A step's value is the mean over the step; a step that is not measured to its end has none. Where values of one series
lie over each other, one of them counts (`overlaps`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Index, Mask, Real, Whole
from gridmodel.errors import GridError
from gridmodel.meter_data.overlaps import without_overlaps
from gridmodel.meter_data.quantities import MEANS_OF_SEVERAL, Quality, Quantity
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.store import KEY, Kind, MeasurementStore

CELLS_AT_ONCE = 8_000_000
"""steps times series that are held at once"""
FEW_SERIES = 32
"""that a statement names itself"""
COMPLETE = 0.999
"""share of a step that must be measured"""
NET = {Quantity.IMPORT: 1.0, Quantity.EXPORT: -1.0, Quantity.NET: 1.0}
NET_VAR = {Quantity.IMPORT_VAR: 1.0, Quantity.EXPORT_VAR: -1.0, Quantity.NET_VAR: 1.0}


@dataclass(frozen=True)
class Window:
    """Steps of equal length, and the time at which the values were known."""

    since: int
    """epoch seconds"""
    until: int
    step_s: int = 1800
    as_of: int | None = None
    """epoch seconds; None: all that is known now"""

    def __post_init__(self) -> None:
        if self.step_s <= 0 or self.until <= self.since or (self.until - self.since) % self.step_s:
            raise GridError(
                f"from {self.since} to {self.until} is no whole number of steps of {self.step_s} s, at least one"
            )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return (self.until - self.since) // self.step_s

    @property
    def start(self) -> Whole:
        """(T,) start of each step, epoch seconds."""
        return self.since + self.step_s * np.arange(self.steps, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class MeasuredTable:
    """Means of T steps at C places."""

    window: Window
    places: tuple[str, ...]
    value: Real
    """(T, C), NaN where it is not known"""
    quality: NDArray[np.uint8]
    """(T, C) the largest `Quality` of what a value is made of; MISSING in gaps"""

    @property
    def known(self) -> Mask:
        """(T, C) whether there is a value."""
        return np.isfinite(self.value)


def read(
    store: MeasurementStore,
    places: Sequence[str],
    quantity: Quantity,
    window: Window,
    *,
    kind: Kind = Kind.AMI,
    phase: str = "",
) -> MeasuredTable:
    """A quantity at these places; of a place with values per phase only, their sum, or of a voltage their mean.

    phase: a, b or c for the values of one phase.
    """
    signs = {quantity: 1.0}
    mean = quantity in MEANS_OF_SEVERAL or quantity in (Quantity.LOWEST_VOLTAGE, Quantity.HIGHEST_VOLTAGE)
    return _read(store, _Asked(tuple(places), signs, kind, phase, mean), window)


def net_import_w(store: MeasurementStore, places: Sequence[str], window: Window, *, kind: Kind = Kind.AMI) -> Any:
    """Net import of these places, W: import less export of all their registers."""
    return _read(store, _Asked(tuple(places), NET, kind, "", False), window)


def net_import_var(store: MeasurementStore, places: Sequence[str], window: Window, *, kind: Kind = Kind.AMI) -> Any:
    """Net reactive import of these places, var."""
    return _read(store, _Asked(tuple(places), NET_VAR, kind, "", False), window)


def summed(table: MeasuredTable, groups: Sequence[str], *, least_known: float = 0.9) -> MeasuredTable:
    """Sums over groups of places, such as the customers of each transformer.

    groups: the group of each place, "" for none. A sum in which some places are not known is scaled up to all, and is
    estimated; where fewer than `least_known` of a group's places are known it is a gap.
    """
    names = tuple(dict.fromkeys(name for name in groups if name))
    of = np.array([[name == group for group in names] for name in groups], dtype=np.float64).reshape(len(groups), -1)
    known = table.known
    share = (known @ of) / np.maximum(of.sum(axis=0), 1.0)
    total = np.where(known, table.value, 0.0) @ of
    usable = share >= max(least_known, 1e-9)
    value = np.where(usable, total / np.where(usable, share, 1.0), np.nan)
    quality = np.full(value.shape, Quality.MISSING, dtype=np.uint8)
    for g in range(len(names)):
        own = of[:, g] > 0
        worst = np.where(known[:, own], table.quality[:, own], 0).max(axis=1, initial=0)
        partly = np.where(share[:, g] < 1.0, np.maximum(worst, Quality.ESTIMATED), worst)
        quality[:, g] = np.where(usable[:, g], partly, Quality.MISSING)
    return MeasuredTable(table.window, names, value, quality)


@dataclass(frozen=True)
class _Asked:
    """What is asked of a store."""

    places: tuple[str, ...]
    signs: Mapping[Quantity, float]
    kind: Kind
    phase: str
    mean: bool


def _read(store: MeasurementStore, asked: _Asked, window: Window) -> MeasuredTable:
    column = {name: k for k, name in enumerate(asked.places)}
    if len(column) != len(asked.places):
        raise GridError("a place is asked for twice")
    series = _counted(known_series(store, asked.kind, asked.places, asked.signs), asked.phase)
    shape = window.steps, len(asked.places)
    value = np.full(shape, np.nan)
    quality = np.full(shape, Quality.MISSING, dtype=np.uint8)
    if series:
        of_place = np.array([column[one.series.place] for one in series], dtype=np.intp)
        signs = np.array([asked.signs[Quantity(one.series.quantity)] for one in series])
        for first, last in _blocks(window, len(series)):
            part = Window(first, last, window.step_s, window.as_of)
            means, worst = _means(store, asked.kind, series, part)
            rows = slice((first - window.since) // window.step_s, (last - window.since) // window.step_s)
            _combine(means * signs, worst, _Parts(of_place, _active(series, part), asked.mean), value[rows])
            quality[rows] = _worst(worst, of_place, value[rows])
    return MeasuredTable(window, asked.places, value, quality)


def _counted(series: list[KnownSeries], phase: str) -> list[KnownSeries]:
    """Without what is counted already: phases beside their sum, net beside import and export."""
    if phase:
        return [one for one in series if one.series.phase == phase]
    whole = {(one.series.place, one.series.quantity) for one in series if not one.series.phase}
    kept = [one for one in series if not one.series.phase or (one.series.place, one.series.quantity) not in whole]
    directed = {one.series.place for one in kept if one.series.quantity in (Quantity.IMPORT, Quantity.IMPORT_VAR)}
    nets = (Quantity.NET, Quantity.NET_VAR)
    return [one for one in kept if one.series.quantity not in nets or one.series.place not in directed]


def _blocks(window: Window, series: int) -> Iterator[tuple[int, int]]:
    """Spans of steps that fit in memory."""
    steps = max(CELLS_AT_ONCE // max(series, 1), 1)
    for first in range(window.since, window.until, steps * window.step_s):
        yield first, min(first + steps * window.step_s, window.until)


def _means(
    store: MeasurementStore, kind: Kind, series: list[KnownSeries], window: Window
) -> tuple[Real, NDArray[np.uint8]]:
    """(T, S) mean of each series in each step, NaN where it is not complete, and (T, S) its worst quality."""
    rows = fetch(store, kind, series, window)
    if kind is Kind.SCADA:
        hold(rows)
    shape = window.steps, len(series)
    if _is_aligned(rows, window):
        return _placed(rows, window, shape)
    rows = without_overlaps(rows)
    weight, total = np.zeros(shape), np.zeros(shape)
    worst = np.zeros(shape, dtype=np.uint8)
    for row, step, seconds in _overlaps(rows["start"], rows["duration"], window):
        at = step * shape[1] + rows["code"][row]
        weight += np.bincount(at, seconds, minlength=weight.size).reshape(shape)
        total += np.bincount(at, seconds * rows["value"][row], minlength=total.size).reshape(shape)
        doubtful = rows["quality"][row] > 0
        np.maximum.at(worst.reshape(-1), at[doubtful], rows["quality"][row][doubtful])
    complete = weight >= COMPLETE * window.step_s
    return np.where(complete, total / np.where(complete, weight, 1.0), np.nan), worst


def _is_aligned(rows: dict[str, Any], window: Window) -> bool:
    """Whether every value is that of one step, as where a store's intervals are those that are asked for."""
    offset = rows["start"] - window.since
    return bool(
        (offset >= 0).all() and (rows["duration"] == window.step_s).all() and not (offset % window.step_s).any()
    )


def _placed(rows: dict[str, Any], window: Window, shape: tuple[int, int]) -> tuple[Real, NDArray[np.uint8]]:
    means, worst = np.full(shape, np.nan), np.zeros(shape, dtype=np.uint8)
    at = (rows["start"] - window.since) // window.step_s, rows["code"]
    means[at], worst[at] = rows["value"], rows["quality"]
    return means, worst


def fetch(store: MeasurementStore, kind: Kind, series: Sequence[KnownSeries], window: Window) -> dict[str, Any]:
    """Values of these series that touch a window, as last known: code (index into series), start, duration, value,
    quality, arrived."""
    longest = max(one.longest_s for one in series)
    since = window.since - longest
    places = sorted({one.series.place for one in series})
    # Files are sorted by place: a bound on it leaves out most of each.
    bounds = [since, window.until, places[0], places[-1]]
    known = "" if window.as_of is None else f"AND arrived <= {int(window.as_of)}"
    wanted, names, tables = _wanted(series, len(bounds))
    statement = f"""
        SELECT w.code, r.start, r.duration, r.value, r.quality, r.arrived
        FROM (SELECT * FROM rows WHERE start >= $1 AND start < $2 AND place >= $3 AND place <= $4 {known}) r
        JOIN {wanted} w USING ({", ".join(KEY)})
        WHERE r.start + r.duration > {window.since}
    """
    rows = dict(store.query(statement, store.files(kind, since, window.until), [*bounds, *names], **tables))
    return _latest(rows)


def _wanted(series: Sequence[KnownSeries], before: int) -> tuple[str, list[str], dict[str, Any]]:
    """Series with their position as a table of a statement, its parameters behind so many others, and tables.

    A few stand in the statement itself, which takes less time than a further table.
    """
    if len(series) > FEW_SERIES:
        import pyarrow as pa

        columns = {name: [one.series[k] for one in series] for k, name in enumerate(KEY)}
        return "wanted", [], {"wanted": pa.table({**columns, "code": np.arange(len(series), dtype=np.int32)})}
    rows = []
    for n in range(len(series)):
        first = before + 1 + n * len(KEY)
        rows.append(f"({', '.join(f'${first + k}' for k in range(len(KEY)))}, {n})")
    listed = f"(SELECT * FROM (VALUES {', '.join(rows)}) v({', '.join(KEY)}, code))"
    return listed, [name for one in series for name in one.series], {}


def _latest(rows: dict[str, Any]) -> dict[str, Any]:
    """Of several values of one interval the one that arrived last."""
    if len(rows["start"]) and rows["arrived"].min() != rows["arrived"].max():
        order = np.lexsort([rows[name] for name in ("arrived", "duration", "start", "code")])
        rows = {name: column[order] for name, column in rows.items()}
        again = np.all([np.diff(rows[name]) == 0 for name in ("code", "start", "duration")], axis=0)
        last = np.append(~again, True)
        rows = {name: column[last] for name, column in rows.items()}
    return rows


def hold(rows: dict[str, Any]) -> None:
    """Let each value of a point hold until the next one."""
    order = np.lexsort([rows["start"], rows["code"]])
    for name in rows:
        rows[name] = rows[name][order]
    following = np.diff(rows["start"])
    same = np.diff(rows["code"]) == 0
    rows["duration"][:-1] = np.where(same, np.minimum(rows["duration"][:-1], following), rows["duration"][:-1])


def _overlaps(start: Whole, duration: Whole, window: Window) -> Iterator[tuple[Index, Index, Real]]:
    """(row, step, seconds) of every overlap of a value with a step, in blocks."""
    begin = np.maximum(start, window.since) - window.since
    end = np.minimum(start + duration, window.until) - window.since
    first, last = begin // window.step_s, -(-end // window.step_s) - 1
    inside = np.flatnonzero(first == last)
    yield inside, first[inside].astype(np.intp), (end - begin)[inside].astype(np.float64)
    wide = np.flatnonzero(last > first)
    if len(wide):
        count = (last - first + 1)[wide]
        row = np.repeat(wide, count)
        step = np.repeat(first[wide], count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        left, right = np.maximum(begin[row], step * window.step_s), np.minimum(end[row], (step + 1) * window.step_s)
        yield row, step.astype(np.intp), (right - left).astype(np.float64)


def _active(series: list[KnownSeries], window: Window) -> Mask:
    """(T, S) whether a series had begun, and not ended: outside that it is no gap."""
    first = np.array([one.first for one in series])
    until = np.array([one.until for one in series])
    start = window.start[:, None]
    return np.asarray((start >= first) & (start < until))


@dataclass(frozen=True)
class _Parts:
    """How the series of places are put together."""

    of_place: Index
    """(S,)"""
    active: Mask
    """(T, S)"""
    mean: bool


def _combine(means: Real, worst: NDArray[np.uint8], parts: _Parts, into: Real) -> None:
    """Put the sum, or the mean, of each place's series into (T, C); a gap where one that is active has none."""
    if len(parts.of_place) == len(set(parts.of_place.tolist())):
        into[:, parts.of_place] = means
        return
    places = into.shape[1]
    of = np.zeros((len(parts.of_place), places))
    of[np.arange(len(parts.of_place)), parts.of_place] = 1.0
    known = np.isfinite(means)
    count, lacking = known @ of, (parts.active & ~known) @ of
    total = np.where(known, means, 0.0) @ of
    if parts.mean:
        into[:] = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    else:
        into[:] = np.where((count > 0) & (lacking == 0), total, np.nan)


def _worst(worst: NDArray[np.uint8], of_place: Index, value: Real) -> NDArray[np.uint8]:
    """(T, C) worst quality of each place's series."""
    found = np.zeros(value.shape, dtype=np.uint8)
    for s, place in enumerate(of_place):
        np.maximum(found[:, place], worst[:, s], out=found[:, place])
    return np.where(np.isfinite(value), found, np.uint8(Quality.MISSING))
