"""Rows as columns in which equal neighbours are written once: how settled intervals stand in evidence packs.

A column is a list. `[n, value]` in it stands for `value` n times, any other entry for itself: 0, 0, 0, 5 is
`[[3, 0], 5]`. A column of times holds the first time and then, in the same way, by how much each is later.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise
from typing import Any


def runs(values: Sequence[Any]) -> list[Any]:
    """A column, of numbers, texts and None."""
    if not values:
        return []
    first = values[0]
    if values.count(first) == len(values):
        return [[len(values), first]] if len(values) > 1 else [first]
    found = []
    for value, several in groupby(values):
        count = sum(1 for _ in several)
        found.append(value if count == 1 else [count, value])
    return found


def steps(times: Sequence[int]) -> list[Any]:
    """A column of times."""
    return [times[0], *runs([later - one for one, later in pairwise(times)])] if times else []


def times(column: Sequence[Any]) -> Iterator[int]:
    """What a column of times stands for."""
    return accumulate(values(column))


def values(column: Sequence[Any]) -> Iterator[Any]:
    """What a column stands for."""
    for one in column:
        if isinstance(one, list):
            yield from [one[1]] * one[0]
        else:
            yield one
