"""Values of one series that lie over each other in time: which of them counts, and when.

As where a meter went from half-hours to five minutes, or an hourly summary stands beside its quarter-hours. What
arrived last counts, as a later version of meter data replaces an earlier one (AEMO's MDFF does so by day); of what
arrived together the shorter interval. The others count for the time that is left of theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gridmodel.arrays import Index, Whole

SERIES_BIT = 36
"""times in seconds are below it, so that a series and a time are one number"""


def without_overlaps(rows: dict[str, Any]) -> dict[str, Any]:
    """Rows (code, start, duration, arrived and others) cut to the times in which they count; in any order."""
    code = rows["code"].astype(np.int64) << SERIES_BIT
    order = np.lexsort([rows["start"], rows["code"]])
    group = _groups(code[order] + rows["start"][order], code[order] + rows["start"][order] + rows["duration"][order])
    size = np.bincount(group) if len(group) else np.zeros(0, dtype=np.intp)
    if (size <= 1).all():
        return rows
    several = size[group] > 1
    disputed = order[several]
    owner, start, duration = _pieces({name: column[disputed] for name, column in rows.items()}, group[several])
    alone = order[~several]
    found = {name: np.concatenate([column[alone], column[disputed][owner]]) for name, column in rows.items()}
    found["start"][len(alone) :] = start
    found["duration"][len(alone) :] = duration
    return found


def _groups(begin: Whole, end: Whole) -> Index:
    """(N,) number of the group of rows that hang together by overlaps; begin in order."""
    if not len(begin):
        return np.zeros(0, dtype=np.intp)
    latest = np.maximum.accumulate(end)
    return np.concatenate([[0], np.cumsum(begin[1:] >= latest[:-1], dtype=np.intp)])


def _pieces(rows: dict[str, Any], group: Index) -> tuple[Index, Whole, Whole]:
    """Position of the row that counts, start and duration of each piece of time."""
    _, number = np.unique(group, return_inverse=True)
    base = number.astype(np.int64) << SERIES_BIT
    begin, end = base + rows["start"], base + rows["start"] + rows["duration"]
    edges = np.unique(np.concatenate([begin, end]))
    first, last = np.searchsorted(edges, begin), np.searchsorted(edges, end)
    rank = np.lexsort([rows["start"], -rows["duration"], rows["arrived"]])
    count = (last - first)[rank]
    segment = np.repeat(first[rank] - (np.cumsum(count) - count), count) + np.arange(count.sum())
    owner = np.full(len(edges), -1, dtype=np.intp)
    # Where an index stands several times, the last value stays: that of the highest rank.
    owner[segment] = np.repeat(rank, count)
    begins = np.flatnonzero(np.append(True, np.diff(owner) != 0) & (owner >= 0))
    following = np.append(np.flatnonzero(np.diff(owner) != 0) + 1, len(owner) - 1)
    ends = following[np.searchsorted(following, begins, side="right")]
    at = owner[begins]
    return at, np.asarray(edges[begins] - base[at]), np.asarray(edges[ends] - edges[begins])
