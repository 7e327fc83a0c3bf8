"""What came of an override: whom it told what, and what was withdrawn with it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.places import Place
from sep2.operations.tightening import Part


class Told(NamedTuple):
    """What one place is sent: controls, what they take the place of, and what holds after them."""

    place: Place
    created: tuple[int, ...]
    parts: tuple[Part, ...]
    replaced: tuple[tuple[str, ...], ...]
    """the sources that each part takes the place of"""
    after: str
    latest_end: int
    programs: tuple[int, ...]
    program: int
    """the one that it is sent in"""
    loosens: bool = False
    """of one that gives more: whether it is more than what would hold, at any moment"""
    before: tuple[Part, ...] = ()
    """what would hold there meanwhile without it"""

    @property
    def replaces(self) -> tuple[str, ...]:
        """The sources that all of it takes the place of."""
        return tuple(sorted({source for several in self.replaced for source in several}))


@dataclass(frozen=True, slots=True)
class Sent:
    """An override that was sent: what every place was told, and why others were not."""

    id: int
    told: tuple[Told, ...]
    untold: tuple[tuple[Row[Any], str], ...] = ()
    left_out: tuple[Place, ...] = ()
    """protected places that are not told"""
    named: tuple[str, ...] = ()
    """protected connections that are told, because they are named"""


@dataclass(frozen=True, slots=True)
class Released:
    """An override that was withdrawn; devices have gone over to what holds without it by `until`."""

    id: int
    cancelled: tuple[int, ...]
    reissued: tuple[int, ...]
    until: int
