"""What the operator API gives of a moment or a day as a whole: sources in force, limits over a time, probes."""

from typing import Literal

from msgspec import Struct, field

from sep2.rest.types import Asked, Epoch


class InForceCounts(Struct, frozen=True, kw_only=True):
    """Connections by the most important source whose control is active there; the rest hold defaults.

    `unreached` are connections without a device: nobody there can be told a limit.
    """

    at: int
    override: int
    schedule: int
    envelope: int
    group: int
    default: int
    unreached: int


class LimitsQuery(Asked, frozen=True, kw_only=True):
    """From when until when; the day before now and the day after it where nothing is said."""

    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    earlier: bool = False
    """Also what is from before the connection's present customer moved in."""


class LimitRun(Struct, frozen=True, kw_only=True):
    """A time in which one limit held or will hold: watts, who says it, by which control (none: a default), and why."""

    direction: Literal["import", "export", "generation", "load"]
    start: int
    end: int
    watts: int
    source: str
    group: str
    control: str | None
    reason: str


class ReachRun(Struct, frozen=True, kw_only=True):
    """A time in which one thing bound a connection's limit: what it could reach without one, and what binds."""

    direction: str
    start: int
    end: int
    reach_w: int
    binding: str
    """empty: the limit is no smaller than what it could reach"""


class DeviceLimits(Struct, frozen=True, kw_only=True):
    """The limits of a device beside the one that holds those of its connection: what is its own part."""

    device: str
    name: str
    runs: list[LimitRun]
    not_done: dict[str, str]


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """The limits of one connection over a time; of the device that holds them, null where there is none.

    Controls are shown as they were; defaults as they are now, because what they were before is not on record.
    """

    connection: str
    device: str | None
    since: int = field(name="from")
    until: int
    now: int
    runs: list[LimitRun]
    not_done: dict[str, str]
    """by direction, why the device does not do a limit that a control says"""
    others: list[DeviceLimits]
    """the first of the other devices there, which have limits of their own"""
    other_devices: int
    """how many there are"""
    reaches: list[ReachRun]
    """what it could reach without a limit, as the engine expects it; empty where no engine counts with it"""
    engine_run: str
    """that they come from"""


class Probe(Struct, frozen=True, kw_only=True):
    """One thing that has to be so for all to be well; `unknown` where nobody has looked at it lately."""

    name: str
    state: Literal["ok", "bad", "unknown"]
    detail: str
    age_s: int | None
    """How long ago it was last known; null where that is now or never was."""
