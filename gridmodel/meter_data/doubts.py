"""Values of meters that are unlikely in their unit, and the unit that they are more likely in: said, never refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from gridmodel.meter_data.quantities import DIMENSION, Quantity
from gridmodel.meter_data.series_index import KnownSeries, known_series
from gridmodel.meter_data.staging import Staging
from gridmodel.meter_data.store import Kind
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
WHICH_COUNTS = "what arrived last counts there, of what arrived together the shorter interval"


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
    """Sentences on values of the files that lie over others of the same series (`overlaps`)."""
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
        yield f"intervals that lie over others of the same series: {said}; {WHICH_COUNTS}"


def of_stored(staging: Staging) -> Iterator[str]:
    """Sentences on the same time in the store: in intervals of another length, or under another register."""
    lengths, registers = [], []
    known: dict[tuple[str, str, str], list[KnownSeries]] = {}
    for one in known_series(staging.store, staging.kind, {s.place for s in staging.series}):
        known.setdefault((one.series.place, one.series.quantity, one.series.phase), []).append(one)
    for row in staging.spans.to_pylist():
        name = f"{row['place']} {row['quantity']}"
        of_place = known.get((row["place"], row["quantity"], row["phase"]), [])
        # A register that the store has already was counted with its others before.
        is_new = all(old.series.register != row["register"] for old in of_place)
        for old in of_place:
            if not (old.first < row["until"] and row["first"] < old.until):
                continue
            if old.series.register != row["register"]:
                registers += [f"{name} {row['register']} beside {old.series.register or 'one without a name'}"] * is_new
            elif (old.shortest_s, old.longest_s) != (row["shortest"], row["longest"]):
                lengths.append(name)
    if lengths:
        yield f"stored in intervals of another length over the same time: {_some(lengths)}; {WHICH_COUNTS}"
    if registers and staging.kind is Kind.AMI:
        yield f"a further register of a place and quantity over the same time, added to the others: {_some(registers)}"


def _some(names: list[str]) -> str:
    """The first of some names."""
    return ", ".join(sorted(names)[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


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
