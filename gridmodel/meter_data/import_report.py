"""What an import took, in figures and in sentences that a person reads before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from gridmodel.meter_data import doubts
from gridmodel.meter_data.local_times import unusual_days, zone_of
from gridmodel.meter_data.quantities import Quality
from gridmodel.meter_data.staging import Counts, Staging
from gridmodel.meter_data.store import Kind

NAMED = 3


@dataclass(frozen=True)
class FileTaken:
    """A file, and how it was read."""

    path: str
    sha256: str
    format: str
    values: int
    assumed: tuple[str, ...]
    """sign, interval edge, zone and units, as sentences"""
    left_out: dict[str, int]
    qualities: dict[str, int]
    unknown_qualities: dict[str, int]
    read_as: str = ""
    """digest of how it was read"""
    arrived: int | None = None
    """epoch seconds at which the same file, read so, was taken first; None: it was not taken before"""


@dataclass(frozen=True)
class LongDay:
    """A local day of 23 or 25 hours, and how many values it has per series."""

    day: str
    hours: float
    values_per_series: float
    series: int


@dataclass
class ImportReport:
    """Figures of an import."""

    kind: Kind
    zone: str
    batch: str = ""
    at: int = 0
    files: list[FileTaken] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    places: int = 0
    series: int = 0
    since: int = 0
    until: int = 0
    durations_s: list[int] = field(default_factory=list)
    qualities: dict[str, int] = field(default_factory=dict)
    gaps: int = 0
    """intervals missing between the first and the last of a series"""
    gap_series: int = 0
    worst_gaps: list[tuple[str, int]] = field(default_factory=list)
    unusual_days: list[LongDay] = field(default_factory=list)
    unknown_places: list[str] = field(default_factory=list)
    """places that no connection of the server has"""
    unlikely: list[str] = field(default_factory=list)
    """sentences on values that look as if their unit had slipped"""

    def fields(self) -> dict[str, Any]:
        """The report as plain values."""
        return {**asdict(self), "kind": str(self.kind), "written": self.counts.written}


def summarise(report: ImportReport, staging: Staging, beside: Iterable[str]) -> None:
    """Fill in the figures that the values of an import give; beside: `doubts.of_stored`, of the store before it."""
    report.series = len(staging.series)
    report.places = len({one.place for one in staging.series})
    db = staging.db
    ((first, last),) = db.execute("SELECT min(start), max(start + duration) FROM staged").fetchall()
    if first is None or last is None:
        return
    report.since, report.until = int(first), int(last)
    report.qualities = {
        Quality(code).name.lower(): int(count)
        for code, count in db.execute(
            "SELECT quality, count(*) FROM staged GROUP BY quality ORDER BY quality"
        ).fetchall()
    }
    found = db.execute(
        "SELECT duration, count(*) AS n FROM staged GROUP BY duration ORDER BY n DESC LIMIT 5"
    ).fetchall()
    report.durations_s = [int(one[0]) for one in found]
    if report.kind is Kind.AMI:
        _gaps(report, staging)
        report.unlikely = [*doubts.of_meters(staging), *doubts.of_overlaps(staging), *beside]
    if report.kind is not Kind.WEATHER:
        report.unlikely += doubts.of_times(staging, report.at)
    _long_days(report, staging)


def _gaps(report: ImportReport, staging: Staging) -> None:
    distinct = report.counts.repeated + report.counts.contradicting > 0
    table = "(SELECT DISTINCT series, start, duration FROM staged)" if distinct else "staged"
    statement = f"""
        SELECT series, (max(start + duration) - min(start) - sum(duration)) / min(duration) AS missing
        FROM {table} GROUP BY series HAVING missing >= 1 ORDER BY missing DESC
    """
    rows = staging.db.execute(statement).fetchall()
    names = list(staging.series)
    report.gaps, report.gap_series = sum(int(row[1]) for row in rows), len(rows)
    report.worst_gaps = [(f"{names[code].place} {names[code].quantity}", int(count)) for code, count in rows[:NAMED]]


def _long_days(report: ImportReport, staging: Staging) -> None:
    report.unusual_days = []
    for day, begin, end in unusual_days(zone_of(report.zone), report.since, report.until):
        statement = f"SELECT count(*), count(DISTINCT series) FROM staged WHERE start >= {begin} AND start < {end}"
        ((count, series),) = staging.db.execute(statement).fetchall()
        if series:
            hours = (end - begin) / 3600
            report.unusual_days.append(LongDay(day.isoformat(), hours, int(count) / int(series), int(series)))


def sentences(report: ImportReport) -> Iterator[str]:
    """The report for a person: how files were read, what they hold, and what would become of it."""
    shown: set[tuple[str, ...]] = set()
    for one in report.files:
        if one.assumed not in shown:
            more = sum(other.assumed == one.assumed for other in report.files) - 1
            yield f"{one.path}{f' and {more} more' if more else ''}: {one.format}"
            yield from (f"  {line}" for line in one.assumed)
        if one.arrived is not None:
            yield f"  {one.path} was taken before, at {_time(one.arrived)}: what it says was known then"
        shown.add(one.assumed)
    c = report.counts
    if not report.series:
        yield f"No values{_of_missing(c)}."
        yield from _doubts(report)
        return
    yield (
        f"{report.places:,} places, {report.series:,} series, from {_time(report.since)} to {_time(report.until)}, "
        f"intervals of {', '.join(f'{one} s' for one in report.durations_s)}"
    )
    yield "quality: " + ", ".join(f"{name} {count:,}" for name, count in report.qualities.items())
    if report.gaps:
        worst = ", ".join(f"{name} {count:,}" for name, count in report.worst_gaps)
        yield f"gaps: {report.gaps:,} intervals missing in {report.gap_series:,} series (most: {worst})"
    elif report.kind is Kind.AMI:
        yield "gaps: none between the first and the last value of each series"
    if c.repeated or c.contradicting:
        same, other = f"{c.repeated:,} with the same value", f"{c.contradicting:,} with another (the later row counts)"
        yield f"twice in the files: {same}, {other}"
    if c.missing:
        yield f"cells without a value: {c.missing:,}"
    for day in report.unusual_days:
        values = f"{day.values_per_series:g} values in each of {day.series:,} series"
        yield f"{day.day} has {day.hours:g} h in {report.zone}: {values}"
    yield from _doubts(report)
    yield f"new {c.new:,}, revised {c.revised:,}, known already {c.unchanged:,}" + (
        f", older than is kept {c.too_old:,}" if c.too_old else ""
    )


def _of_missing(counts: Counts) -> str:
    return f"; {counts.missing:,} cells without one" if counts.missing else ""


def _doubts(report: ImportReport) -> Iterator[str]:
    left_out, known, unknown = (
        _summed(found)
        for found in zip(*((one.left_out, one.qualities, one.unknown_qualities) for one in report.files), strict=True)
    )
    if known:
        yield "quality as the files say it: " + ", ".join(f"{word} ({count:,})" for word, count in known.items())
    if left_out:
        yield "not taken: " + ", ".join(f"{word} ({count:,} values)" for word, count in left_out.items())
    if unknown:
        said = ", ".join(f"{word!r} ({count:,})" for word, count in unknown.items())
        yield f"quality words taken as suspect, since nothing says what they mean: {said}"
    yield from report.unlikely
    if report.unknown_places:
        named = ", ".join(report.unknown_places[:NAMED])
        more = len(report.unknown_places) - NAMED
        yield f"no connection of this server: {named}" + (f" and {more:,} more" if more > 0 else "")


def _summed(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for word, count in part.items():
            total[word] = total.get(word, 0) + count
    return total


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%MZ}"
