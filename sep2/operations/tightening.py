"""How an override may only tighten: at every moment the tighter of it and of what would hold without it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.in_force import floor_over, limits_in, programs_from, writers
from sep2.operations.issuing import NewControl
from sep2.operations.places import Place
from sep2.rules.authority import Holding, Program, Role, Stretch, course, effective, said_by
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, coarsened, merged, tighter
from sep2.store import controls, listing_register
from sep2.store.connection import Connection
from sep2.store.controls import Control, Seen

MOST_PARTS = 6
"""Parts of one override at one place; where more would be needed, it is tighter than it need be."""

Part = Interval


class After(NamedTuple):
    """What holds once an override has ended: in words, whether it is looser, and whether a control says so."""

    said: str
    loosens: bool
    by_control: bool


@dataclass(frozen=True)
class Below:
    """What would hold at a place without an override."""

    programs: Sequence[Program]
    names: Mapping[int, Row[Any]]
    """groups by the mRID of their program"""
    span: tuple[int, int]
    stretches: Sequence[Stretch]
    writers: Mapping[int, str]
    """the source of each control by its mRID"""

    @property
    def held(self) -> tuple[Part, ...]:
        """The limits that would hold, each for its time."""
        return tuple(merged([Interval(one.start, one.end, limits_in(one.modes)) for one in self.stretches]))

    def tightened(self, asked: NewControl, beside: Sequence[Interval] = ()) -> tuple[tuple[Part, ...], bool]:
        """An override in parts of which none is looser than what would hold; and whether any of them is tighter.

        beside: limits that bound it as well, each while it holds.
        """
        parts, tightens = [], bool(asked.modes)
        for one in self._bounds(beside):
            parts.append(one._replace(limits=_within(asked.limits, one.limits)))
            tightens |= _is_tighter(asked.limits, one.limits)
        joined = merged(parts)
        return tuple(coarsened(joined, max(0, len(joined) - MOST_PARTS), -1)), tightens

    def loosens(self, asked: NewControl) -> bool:
        """Whether what is asked for is at any moment more than what would hold."""
        return any(_is_looser(asked.limits, limits_in(stretch.modes)) for stretch in self.stretches)

    def _bounds(self, beside: Sequence[Interval]) -> Iterator[Interval]:
        """What would hold, and the tightest of what is beside it."""
        for stretch in self.stretches:
            edges = {edge for one in beside for edge in (one.start, one.end) if stretch.start < edge < stretch.end}
            for start, end in pairwise(sorted({stretch.start, stretch.end, *edges})):
                limits = limits_in(stretch.modes)
                for one in beside:
                    limits = tighter(limits, one.limits) if one.start <= start < one.end else limits
                yield Interval(start, end, limits)

    def replaced(self, asked: NewControl, part: Part) -> tuple[str, ...]:
        """The sources that a part of it takes the place of: those of what would hold meanwhile of what it says."""
        meanwhile = [one for one in self.stretches if one.start < part.end and part.start < one.end]
        found = {
            self._source(one) for stretch in meanwhile for mode, one in stretch.modes.items() if mode in asked.asks
        }
        return tuple(sorted(found)) or ("nothing",)

    def after(self, asked: NewControl, last: Limits) -> After:
        """What holds once the override has ended."""
        holds = effective(self.programs, self.span[1])
        said = {mode: holds.get(mode) for mode in sorted(asked.asks)}
        sources = sorted({"nothing" if one is None else self._source(one) for one in said.values()})
        then = limits_in({mode: one for mode, one in said.items() if one is not None})
        is_control = any(one is not None and one.control is not None for one in said.values())
        return After(" and ".join(sources), _is_tighter(last, then) or bool(asked.modes), is_control)

    def _source(self, one: Holding) -> str:
        if one.control is None:
            return "default"
        group = self.names[one.program]
        return said_by(group.role, self.writers.get(one.control)) or f"group {group.name}"


class There(NamedTuple):
    """The programs of a place with their defaults, and the controls that stand in them."""

    programs: Sequence[Row[Any]]
    controls: Sequence[Control]


async def there_at(db: Connection, places: Sequence[Place], now: int) -> list[There]:
    """What is there at each of some places, in their order."""
    devices = [place.devices[0].id for place in places if place.devices]
    programs = await listing_register.defaults_over_each(db, devices)
    standing = await controls.standing_for_each(db, devices, now)
    found = []
    for place in places:
        if place.devices:
            number = place.devices[0].id
            found.append(There(programs.get(number, ()), standing.get(number, ())))
            continue
        rows = await listing_register.defaults_at(db, connection_id=place.connection_id)
        alone = [one for row in rows for one in await controls.standing(db, row.device_group_id, now)]
        found.append(There(rows, alone))
    return found


async def look(
    db: Connection,
    place: Place,
    primacy: int,
    *,
    now: int,
    span: tuple[int, int],
    without: Collection[Role] = (),
    only: Collection[Role] | None = None,
    there: There | None = None,
) -> Below:
    """What holds at a place over a time by what is there already, and not more important.

    without: roles of programs that are left out. only: the roles of the programs that count, where not all do, nor
    what the utility has as default. there: what is there, where it was looked up for many places.
    """
    seen = Seen(now)
    rows, standing = there or (await there_at(db, [place], now))[0]
    weaker = [row for row in rows if row.primacy >= primacy and row.role not in without]
    weaker = [row for row in weaker if only is None or row.role in only]
    programs = programs_from(weaker, standing, seen)
    if place.devices and only is None:
        programs.append(await floor_over(db, rows))
    names = {int(row.program_mrid, 16): row for row in weaker}
    return Below(programs, names, span, course(programs, max(now, span[0]), span[1]), writers(standing))


def _within(asked: Limits, below: Limits) -> Limits:
    """Of each limit that is asked for the tighter one."""
    least = tighter(asked, below)
    return Limits(*(None if watts is None else bound for watts, bound in zip(asked, least, strict=True)))


def _is_looser(asked: Limits, below: Limits) -> bool:
    sides = zip(asked, below, strict=True)
    return any(watts is not None and bound is not None and watts > bound for watts, bound in sides)


def _is_tighter(asked: Limits, below: Limits) -> bool:
    sides = zip(asked, below, strict=True)
    return any(watts is not None and (bound is None or watts < bound) for watts, bound in sides)
