"""Who decides: the programs of a place in their order, and what is in force of all that they say."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple


class Role(StrEnum):
    """What a group is for."""

    BACKSTOP = "backstop"
    """zero export or generation of the whole system or of a substation, before everything else"""
    GROUP = "group"
    """a set of devices that operators made"""
    CONNECTION = "connection"
    """a connection's own program: its envelope, and the default by contract"""
    DEVICE = "device"
    """the own program of a device beside the one that holds its connection's limits"""
    OVERRIDE = "override"
    """an operator's override of one place"""
    WIDE_OVERRIDE = "wide-override"
    """a place's share of an override of many"""
    SCHEDULE = "schedule"
    """what operators send to one place in the ordinary course"""


OVERRIDE, LOOSENING, BACKSTOP, DRILL = "override", "loosening", "backstop", "drill"
"""Kinds of overrides: of an operator in the ordinary course, the last resort, and the rehearsal of that."""
OWN = (Role.CONNECTION, Role.DEVICE)
OPERATORS = (Role.OVERRIDE, Role.WIDE_OVERRIDE, Role.SCHEDULE)
"""The programs of one place that only people write to, the most important first."""
COMMANDS = (Role.BACKSTOP, *OPERATORS)
"""Programs that hold commands only: who is in one of them is not thereby in a group that an operator made."""
ONLY_OVERRIDES = (Role.BACKSTOP, Role.OVERRIDE, Role.WIDE_OVERRIDE)
"""Programs that nothing but overrides and backstops are sent to."""
NAMES = {
    Role.OVERRIDE: "override of {}",
    Role.WIDE_OVERRIDE: "wide override of {}",
    Role.SCHEDULE: "schedule of {}",
}
"""What the operators' programs of a place are called, by the name of its own."""
SOURCES = {
    Role.CONNECTION: "envelope",
    Role.DEVICE: "envelope",
    Role.BACKSTOP: "backstop",
    Role.OVERRIDE: "override",
    Role.WIDE_OVERRIDE: "override",
    Role.SCHEDULE: "schedule",
}
"""Who says what a program's controls say, by its role; of others it is the group itself."""
OPERATOR = "operator"
"""Who writes down what people send, as `source` of a control."""


def said_by(role: str, written_by: str | None = None) -> str | None:
    """Who says what a control says: by its program's role, and by its own source where the engine has the program.

    None for a group that operators made: what is said there is said by the group.
    """
    of_role = Role(role)
    return OPERATOR if of_role in OWN and written_by == OPERATOR else SOURCES.get(of_role)


REASONS = (
    "network_access",
    "overload",
    "voltage",
    "islanding",
    "market",
    "test",
    "commissioning",
    "emergency",
    "other",
)
"""Why an operator overrides."""
MOST_PROGRAMS = 15
"""A CSIP client need not follow more (CORE-011)."""


class Primacies(NamedTuple):
    """The primacy of each program of a place; the lower wins."""

    override: int = 1
    wide_override: int = 2
    schedule: int = 3
    own: int = 4
    backstop: int = 0

    def of(self, role: Role) -> int:
        """That of one kind of program."""
        return {
            Role.BACKSTOP: self.backstop,
            Role.OVERRIDE: self.override,
            Role.WIDE_OVERRIDE: self.wide_override,
            Role.SCHEDULE: self.schedule,
        }.get(role, self.own)


PRIMACIES = Primacies()


class Said(NamedTuple):
    """A control, as far as it decides what is in force from `start` until `end`; mRIDs are compared as numbers."""

    mrid: int
    created: int
    start: int
    end: int
    modes: Mapping[str, Any]


class Program(NamedTuple):
    """A DERProgram of a device: what it says by its controls, and by its default where none of them says anything."""

    mrid: int
    primacy: int
    controls: Sequence[Said] = ()
    default: Mapping[str, Any] = {}
    default_mrid: int | None = None


class Holding(NamedTuple):
    """The value of one mode in force, the program that says so, and its control; without one it is its default."""

    value: Any
    program: int
    control: int | None
    until: int | None
    default: int | None = None


def effective(programs: Iterable[Program], now: int) -> dict[str, Holding]:
    """What is in force at `now`, mode by mode (2030.5 10.2.3.3 f, n).

    Of the controls that hold, the one of the program with the lowest primacy; at equal primacy the one that was created
    later. Where none says anything of a mode, the default of the most important program that does.
    """
    ordered = _ordered(programs)
    running = [(program, said) for program in ordered for said in program.controls if said.start <= now < said.end]
    return _held(_defaults(ordered), running)


_Running = tuple[Program, Said]
"""A control that holds, and its program."""


def _ordered(programs: Iterable[Program]) -> list[Program]:
    return sorted(programs, key=lambda program: (program.primacy, -program.mrid))


def _defaults(ordered: Sequence[Program]) -> dict[str, Holding]:
    found: dict[str, Holding] = {}
    for program in reversed(ordered):
        for mode, value in program.default.items():
            found[mode] = Holding(value, program.mrid, None, None, program.default_mrid)
    return found


def _held(defaults: Mapping[str, Holding], running: Sequence[_Running]) -> dict[str, Holding]:
    found = dict(defaults)
    for program, said in sorted(running, key=lambda one: strength(one[0].primacy, *one[1][:2]), reverse=True):
        for mode, value in said.modes.items():
            found[mode] = Holding(value, program.mrid, said.mrid, said.end)
    return found


def strength(primacy: int, mrid: int, created: int) -> tuple[int, int, int]:
    """What controls are ordered by, the strongest first: lower primacy, later creationTime, larger mRID."""
    return primacy, -created, -mrid


class Stretch(NamedTuple):
    """What is in force from `start` until `end`."""

    start: int
    end: int
    modes: Mapping[str, Holding]


def course(programs: Sequence[Program], start: int, end: int) -> list[Stretch]:
    """What is in force over a time, one stretch for each time between two changes."""
    ordered = _ordered(programs)
    edges = {edge for program in ordered for said in program.controls for edge in (said.start, said.end)}
    cuts = sorted({start, end, *(edge for edge in edges if start < edge < end)})
    # Each control is looked at in the stretches that it holds in, not in all of them.
    running: list[list[_Running]] = [[] for _ in cuts]
    for program in ordered:
        for said in program.controls:
            for place in range(bisect_left(cuts, said.start), bisect_left(cuts, said.end)):
                running[place].append((program, said))
    held = zip(pairwise(cuts), running, strict=False)
    defaults = _defaults(ordered)
    return [Stretch(one, other, _held(defaults, there)) for (one, other), there in held]
