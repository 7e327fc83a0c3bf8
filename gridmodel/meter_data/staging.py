"""Values that were read from files, on their way into the store: only what the store does not know is written.

A value is unknown if, at its time of arrival, the store held none or another for its series and interval. So the same
file twice writes nothing, and a correction is written beside what it corrects.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Index, Mask, Real, Whole
from gridmodel.meter_data.store import (
    DAY_S,
    KEY,
    Kind,
    MeasurementStore,
    connect,
    day_numbered,
    parquet_of,
)

if TYPE_CHECKING:
    import duckdb

AT_ONCE = 4_000_000
"""rows that are compared and written together"""
ROUNDING = 1e-9
"""relative difference of two values that are the same"""


class Series(NamedTuple):
    """One sequence of values of a place."""

    place: str
    register: str
    """of several that measure the same quantity at a place; "" where there is one"""
    quantity: str
    phase: str
    """a, b, c, or "" for all together"""


@dataclass(frozen=True)
class Values:
    """A block of N values as read from a file."""

    names: tuple[Series, ...]
    series: Index
    """(N,) index into names"""
    start: Whole
    """(N,) epoch seconds"""
    duration: Whole
    """(N,) s"""
    value: Real
    """(N,) in SI units; NaN for a cell that says that there is none"""
    quality: NDArray[np.uint8]
    arrived: Whole | None = None
    """(N,) epoch seconds, where the file says so"""

    def __len__(self) -> int:
        return len(self.start)


@dataclass
class Counts:
    """Number of values by what became of them."""

    new: int = 0
    revised: int = 0
    """another value for an interval that had one"""
    unchanged: int = 0
    """known to the store already"""
    repeated: int = 0
    """twice in the files, with the same value"""
    contradicting: int = 0
    """twice in the files, with another value: the later one in the file counts"""
    too_old: int = 0
    """older than is kept"""
    missing: int = 0
    """cells without a value"""
    written: int = field(default=0, repr=False)


class Staging(AbstractContextManager["Staging"]):
    """Values of one import, in a table that goes on on disk where memory does not suffice."""

    def __init__(self, store: MeasurementStore, kind: Kind, *, keep_from: int = 0) -> None:
        self.store, self.kind, self.keep_from = store, kind, keep_from
        self.series: dict[Series, int] = {}
        self.counts = Counts()
        self._sequence = 0
        store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.db: duckdb.DuckDBPyConnection = connect(store.folder)
        self.db.execute(
            "CREATE TABLE staged (series INTEGER, start BIGINT, duration INTEGER, value DOUBLE, quality UTINYINT, "
            "arrived BIGINT, sequence BIGINT)"
        )

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.close()

    def add(self, found: Values, arrived: int) -> None:
        """Take a block of values; those whose file does not say when they arrived arrived then."""
        import pyarrow as pa

        codes = np.array([self.series.setdefault(one, len(self.series)) for one in found.names], dtype=np.int32)
        known = np.isfinite(found.value)
        kept = known & (found.start >= self.keep_from)
        self.counts.missing += int((~known).sum())
        self.counts.too_old += int((known & ~kept).sum())
        times = np.full(len(found), arrived, dtype=np.int64) if found.arrived is None else found.arrived
        block = pa.table(
            {
                "series": codes[found.series[kept]] if len(codes) else np.zeros(0, np.int32),
                "start": found.start[kept].astype(np.int64),
                "duration": found.duration[kept].astype(np.int32),
                "value": found.value[kept],
                "quality": found.quality[kept].astype(np.uint8),
                "arrived": times[kept],
                "sequence": np.arange(self._sequence, self._sequence + int(kept.sum()), dtype=np.int64),
            }
        )
        self._sequence += len(block)
        self.db.register("block", block)
        self.db.execute("INSERT INTO staged SELECT * FROM block")
        self.db.unregister("block")

    def __len__(self) -> int:
        return self._sequence

    @property
    def spans(self) -> Any:
        """Arrow table of the series and the time that each spans, as the list of series has them."""
        self._rank(sorted(self.series))
        statement = f"""
            SELECT {", ".join(KEY)}, min(start) AS first, max(start + duration) AS until,
                min(duration) AS shortest, max(duration) AS longest
            FROM staged JOIN ranks USING (series) GROUP BY ALL
        """
        return self.db.sql(statement).to_arrow_table()

    def compare(self) -> Counts:
        """What writing would do; nothing is written."""
        return self._go_through(write=None)

    def write(self, batch: str) -> Counts:
        """Write what the store does not know; the caller holds the store's lock."""
        return self._go_through(write=batch)

    def _go_through(self, write: str | None) -> Counts:
        counts = Counts(too_old=self.counts.too_old, missing=self.counts.missing)
        names = sorted(self.series)
        self._rank(names)
        for since, until in self._spans():
            rows = self._rows(since, until)
            fresh = unknown(rows, counts)
            counts.written += int(fresh.sum())
            if write is not None and fresh.any():
                self._write_days(names, {name: column[fresh] for name, column in rows.items()}, write)
        return counts

    def _rank(self, names: list[Series]) -> None:
        """Number the series in the order in which files are sorted."""
        import pyarrow as pa

        columns = {key: [one[k] for one in names] for k, key in enumerate(KEY)}
        codes = np.array([self.series[one] for one in names], dtype=np.int32)
        ranks = pa.table({"series": codes, "rank": np.arange(len(names), dtype=np.int32), **columns})
        self.db.register("ranks_block", ranks)
        self.db.execute("CREATE OR REPLACE TABLE ranks AS SELECT * FROM ranks_block")
        self.db.unregister("ranks_block")

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Consecutive spans of whole days with about AT_ONCE rows each, as epoch seconds."""
        query = f"SELECT start // {DAY_S} AS day, count(*) FROM staged GROUP BY day ORDER BY day"
        since = until = None
        rows = 0
        for day, count in self.db.execute(query).fetchall():
            if since is not None and until is not None and rows + count > AT_ONCE:
                yield since, until
                since, rows = None, 0
            since = int(day) * DAY_S if since is None else since
            until, rows = (int(day) + 1) * DAY_S, rows + count
        if since is not None and until is not None:
            yield since, until

    def _rows(self, since: int, until: int) -> dict[str, Any]:
        """Rows of the store (`fresh` 0) and of this import (1) in a span, by day, series, interval and arrival."""
        stored = parquet_of(self.store.files(self.kind, since, until))
        key = " AND ".join(f"o.{name} = r.{name}" for name in KEY)
        within = f"start >= {since} AND start < {until}"
        former = self.db.execute(f"""
            SELECT r.rank, o.start, o.duration, o.arrived, 0 AS fresh, 0::BIGINT AS sequence, o.value, o.quality
            FROM (SELECT * FROM {stored} WHERE {within}) o JOIN ranks r ON {key}
        """).fetchnumpy()
        fresh = self.db.execute(f"""
            SELECT r.rank, s.start, s.duration, s.arrived, 1 AS fresh, s.sequence, s.value, s.quality
            FROM (SELECT * FROM staged WHERE {within}) s JOIN ranks r USING (series)
        """).fetchnumpy()
        rows = {name: np.concatenate([former[name], fresh[name]]) for name in fresh}
        order = in_order(rows, since)
        return {name: column[order] for name, column in rows.items()}

    def _write_days(self, names: list[Series], rows: dict[str, Any], batch: str) -> None:
        day = rows["start"] // DAY_S
        edges = np.flatnonzero(np.diff(day)) + 1
        parts = []
        for first, last in zip([0, *edges], [*edges, len(day)], strict=True):
            part = {name: column[first:last] for name, column in rows.items()}
            parts.append((day_numbered(day[first]), arrow_of(names, part, batch)))
        self.store.write_days(self.kind, parts)


def in_order(rows: dict[str, Any], since: int) -> Index:
    """(N,) order of rows by day, series, start, duration, arrival; stored ones first, then as in the files."""
    seconds = rows["start"] - since
    key = (seconds // DAY_S << 41) + (rows["rank"].astype(np.int64) << 17) + seconds % DAY_S
    order = np.argsort(key, kind="stable")
    tied = np.diff(key[order]) == 0
    if tied.any():
        later = np.flatnonzero(tied) + 1
        if not _follow(rows, order[later - 1], order[later]).all():
            return np.lexsort([rows[name] for name in ("sequence", "fresh", "arrived", "duration")] + [key])
    return order


def _follow(rows: dict[str, Any], some: Index, others: Index) -> Mask:
    """Whether each of the others belongs after its partner, of the same series and start."""
    after, equal = np.zeros(len(some), dtype=np.bool_), np.ones(len(some), dtype=np.bool_)
    for name in ("duration", "arrived", "fresh", "sequence"):
        step = rows[name][others] - rows[name][some]
        after |= equal & (step > 0)
        equal &= step == 0
    return after | equal


def unknown(rows: dict[str, Any], counts: Counts) -> Mask:
    """(N,) the rows of the import to be written; counts what becomes of each. rows: ordered as `_rows` does."""
    fresh = rows["fresh"] == 1
    same_key = np.zeros(len(fresh), dtype=np.bool_)
    if len(fresh) > 1:
        same_key[1:] = np.all([np.diff(rows[name]) == 0 for name in ("rank", "start", "duration")], axis=0)
    same_arrival = np.zeros_like(same_key)
    same_arrival[1:] = same_key[1:] & (np.diff(rows["arrived"]) == 0)
    # Of several rows of one interval and arrival in the files, the last counts.
    twice = np.zeros_like(same_key)
    twice[:-1] = same_arrival[1:] & fresh[1:] & fresh[:-1]
    first = np.flatnonzero(twice)
    repeated = int(_equal(rows, first, first + 1).sum())
    counts.repeated, counts.contradicting = counts.repeated + repeated, counts.contradicting + len(first) - repeated
    before = _previous(~twice)
    known = fresh & ~twice & (before >= 0)
    at, former = np.flatnonzero(known), before[known]
    in_key = np.cumsum(~same_key, dtype=np.intp)
    same_series = in_key[at] == in_key[former]
    at, former = at[same_series], former[same_series]
    equal = _equal(rows, at, former)
    ties = ~equal & ~fresh[former] & (rows["arrived"][at] == rows["arrived"][former])
    equal[ties] = _settle_ties(rows, np.asarray(at[ties]), in_key)
    written = fresh & ~twice
    written[at[equal]] = False
    counts.unchanged += int(equal.sum())
    counts.revised += int((~equal).sum())
    counts.new += int(written.sum()) - int((~equal).sum())
    return np.asarray(written)


def _equal(rows: dict[str, Any], some: Index, others: Index) -> Mask:
    """Whether pairs of rows say the same; a value that went through another unit may differ in its last digits."""
    one, other = rows["value"][some], rows["value"][others]
    near = np.abs(one - other) <= ROUNDING * (1.0 + np.maximum(np.abs(one), np.abs(other)))
    return np.asarray(near & (rows["quality"][some] == rows["quality"][others]))


def _previous(wanted: Mask) -> Index:
    """(N,) position of the nearest wanted row before each one, -1 where there is none."""
    at = np.where(wanted, np.arange(len(wanted)), -1)
    return np.asarray(np.concatenate([[-1], np.maximum.accumulate(at)[:-1]]) if len(at) else at, dtype=np.intp)


def _settle_ties(rows: dict[str, Any], ties: Index, in_key: Index) -> Mask:
    """Which of the rows that claim the arrival of a stored one, with another value, are what the store has since.

    The others arrived after it: a second later, so that they count.
    """
    stored = np.maximum.accumulate(np.where(rows["fresh"] == 0, np.arange(len(in_key)), -1))
    latest = stored[np.searchsorted(in_key, in_key[ties], side="right") - 1]
    equal = _equal(rows, ties, latest)
    rows["arrived"][ties[~equal]] = rows["arrived"][latest[~equal]] + 1
    return np.asarray(equal)


def arrow_of(names: list[Series], rows: dict[str, Any], batch: str) -> Any:
    """An Arrow table of rows, with the names of their series as dictionaries."""
    import pyarrow as pa

    columns = {}
    for k, key in enumerate(KEY):
        words = sorted({one[k] for one in names})
        code = {word: n for n, word in enumerate(words)}
        of_rank = np.array([code[one[k]] for one in names], dtype=np.int32)
        columns[key] = pa.DictionaryArray.from_arrays(of_rank[rows["rank"]], pa.array(words, pa.string()))
    size = len(rows["start"])
    return pa.table(
        {
            **columns,
            "start": pa.array(rows["start"], pa.int64()),
            "duration": pa.array(rows["duration"], pa.int32()),
            "value": pa.array(rows["value"], pa.float64()),
            "quality": pa.array(rows["quality"], pa.uint8()),
            "arrived": pa.array(rows["arrived"], pa.int64()),
            "batch": pa.DictionaryArray.from_arrays(np.zeros(size, dtype=np.int32), pa.array([batch], pa.string())),
        }
    )
