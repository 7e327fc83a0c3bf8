"""Values of meters that are unlikely in their unit, and the unit that they are more likely in: said, never refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from gridmodel.meter_data.quantities import DIMENSION, Quantity
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.staging import Series, Staging
from gridmodel.plausible import LARGE_CUSTOMER_W, LOW_V, LOW_VOLTAGE_V, SMALL_CUSTOMER_W

FEW = 3
"""places: fewer may well use next to nothing"""


class Bounds(NamedTuple):
    """The range in which the largest magnitude of customers' values lies, in SI units."""

    least: float
    most: float
    where_less: str
    """what a smaller one was likely given in"""
    where_more: str
    at_least: int = FEW
    """of so many places all have to be smaller to be named"""


POWER = Bounds(SMALL_CUSTOMER_W, LARGE_CUSTOMER_W, "a unit 1,000 times as large", "a unit 1,000 times as small")
VOLTAGE = Bounds(LOW_V, LOW_VOLTAGE_V, "kV, or per unit", "mV, or at medium voltage", at_least=1)
OF_DIMENSION = {"W": POWER, "var": POWER._replace(least=0.0), "VA": POWER, "V": VOLTAGE}
"""Export and reactive power may be small at everybody; see `of_meters`."""
NAMED = 3


def of_meters(staging: Staging) -> Iterator[str]:
    """Sentences on series beyond the bounds above, and on quantities that are too small at every place."""
    names = list(staging.series)
    statement = "SELECT series, max(abs(value)), arg_max(start, abs(value)) FROM staged GROUP BY series ORDER BY 2 DESC"
    peaks: dict[str, list[tuple[str, float, int]]] = {}
    for code, peak, at in staging.db.execute(statement).fetchall():
        if peak is not None:
            peaks.setdefault(names[code].quantity, []).append((names[code].place, float(peak), int(at)))
    for quantity, found in sorted(peaks.items()):
        dimension = DIMENSION[Quantity(quantity)]
        if (bounds := OF_DIMENSION.get(dimension)) is not None:
            yield from _beyond(quantity, dimension, found, bounds)


def of_overlaps(staging: Staging) -> Iterator[str]:
    """Sentences on values that lie over others of the same series, in the files or in the store.

    Where two lie over the same time, a step's value is the mean of both.
    """
    names = list(staging.series)
    uneven = """
        SELECT series FROM staged GROUP BY series
        HAVING min(duration) <> max(duration) OR min(start % duration) <> max(start % duration)
    """
    before = "lag(start + duration) OVER (PARTITION BY series ORDER BY start, duration) AS before"
    distinct = f"SELECT DISTINCT series, start, duration FROM staged WHERE series IN ({uneven})"
    statement = f"""
        SELECT series, count(*) FROM (SELECT series, start, {before} FROM ({distinct})) WHERE before > start
        GROUP BY series ORDER BY 2 DESC
    """
    rows = staging.db.execute(statement).fetchall()
    if rows:
        said = ", ".join(f"{names[code].place} {names[code].quantity} {count:,}" for code, count in rows[:NAMED])
        yield f"intervals that lie over others of the same series, of which a mean is taken: {said}"
    yield from _of_stored(staging)


def _of_stored(staging: Staging) -> Iterator[str]:
    known = {one.series: one for one in known_series(staging.store, staging.kind, {s.place for s in staging.series})}
    found = []
    for row in staging.spans.to_pylist():
        old = known.get(Series(row["place"], row["register"], row["quantity"], row["phase"]))
        if old is None or (old.shortest_s, old.longest_s) == (row["shortest"], row["longest"]):
            continue
        if old.first < row["until"] and row["first"] < old.until:
            found.append(f"{old.series.place} {old.series.quantity}")
    if found:
        said = ", ".join(sorted(found)[:NAMED]) + (f" and {len(found) - NAMED:,} more" if len(found) > NAMED else "")
        yield f"stored in intervals of another length over the same time, of which a mean is taken: {said}"


def of_times(staging: Staging, now: int) -> Iterator[str]:
    """A sentence on values that are measured after now, epoch seconds: their times were misread."""
    statement = f"SELECT count(*), max(start) FROM staged WHERE start >= {now}"
    ((count, last),) = staging.db.execute(statement).fetchall()
    if count:
        yield (
            f"unlikely times: {count:,} values are of after now, the last of {_time(int(last))}; "
            "are zone and order of day and month right?"
        )


def _beyond(quantity: str, unit: str, found: list[tuple[str, float, int]], bounds: Bounds) -> Iterator[str]:
    large = [one for one in found if one[1] > bounds.most]
    if large:
        said = ", ".join(f"{place} {peak:,.0f} {unit} at {_time(at)}" for place, peak, at in large[:NAMED])
        more = f" and {len(large) - NAMED:,} more" if len(large) > NAMED else ""
        yield (
            f"unlikely {quantity}, over {bounds.most:,.0f} {unit} at a customer: {said}{more}; "
            f"was it given in {bounds.where_more}?"
        )
    if quantity != Quantity.EXPORT and len(found) >= bounds.at_least and 0.0 < found[0][1] < bounds.least:
        yield (
            f"unlikely {quantity}, nowhere over {found[0][1]:.3g} {unit} ({bounds.least:,.0f} {unit} is usual); "
            f"was it given in {bounds.where_less}?"
        )


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%MZ}"
