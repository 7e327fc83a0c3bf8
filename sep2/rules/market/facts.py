"""Facts with two times: when they hold, and when they were known. What a new one leaves of those that it overlaps."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Fact(NamedTuple):
    """What holds in [start, end); one without an end holds on."""

    start: int
    end: int | None
    said: Mapping[str, Any]

    def overlaps(self, start: int, end: int | None) -> bool:
        """Whether it holds at any moment of [start, end)."""
        return (end is None or self.start < end) and (self.end is None or start < self.end)


class Amended(NamedTuple):
    """Which of the known facts are superseded, by their positions, and which take their place."""

    superseded: list[int]
    added: list[Fact]


def amended(known: Sequence[Fact], new: Fact) -> Amended:
    """The new fact in place of what it overlaps; before its start and after its end the known facts hold on."""
    superseded = [n for n, one in enumerate(known) if one.overlaps(new.start, new.end)]
    rest = [piece for n in superseded for piece in _outside(known[n], new.start, new.end)]
    return Amended(superseded, [*rest, new])


def ended(known: Sequence[Fact], start: int, end: int | None = None) -> Amended:
    """Nothing holds in [start, end) any more."""
    superseded = [n for n, one in enumerate(known) if one.overlaps(start, end)]
    return Amended(superseded, [piece for n in superseded for piece in _outside(known[n], start, end)])


def _outside(one: Fact, start: int, end: int | None) -> list[Fact]:
    found = []
    if one.start < start:
        found.append(one._replace(end=start))
    if end is not None and (one.end is None or end < one.end):
        found.append(one._replace(start=end))
    return found
