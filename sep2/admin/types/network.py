"""The network as operators look at it: places with the worst that is expected below them, and feeders step by step."""

from msgspec import Struct, field

from sep2.admin.types.territory import NetworkPlace
from sep2.rest.types import Asked, Epoch, Span


class Figure(Struct, frozen=True, kw_only=True):
    """The worst figure of a kind that is expected: a share of the rating, or a part of the nominal voltage."""

    value: float
    limit: float
    at: int
    where: str
    feeder: str

    @property
    def is_beyond(self) -> bool:
        """Whether it is beyond its limit, which is an upper one above 1 and for loading, and else a lower one."""
        return self.value > self.limit if self.limit >= 1 else self.value < self.limit


class PlaceState(Struct, frozen=True, kw_only=True):
    """A place and the worst that is expected at the feeders below it; null where no feeder there is modelled."""

    place: NetworkPlace
    loading: Figure | None
    high: Figure | None
    low: Figure | None


class NetworkQuery(Span, frozen=True, kw_only=True):
    """The places below one; the outermost ones where none is named."""

    place: str | None = None


class NetworkBelow(Struct, frozen=True, kw_only=True):
    """What lies directly below a place, which chain of places it lies below, and the feeders that are modelled there.

    `feeders` are those of the place itself; `around` those of the narrowest place around it that has any.
    """

    place: PlaceState | None
    path: list[str]
    """from the outermost place to this one"""
    below: list[PlaceState]
    total: int
    next: str | None
    feeders: list[str]
    around: list[str]


class FeederListed(Struct, frozen=True, kw_only=True):
    """A feeder that is modelled: its place, the run that it comes from, for which time, and the worst of it."""

    feeder: str
    place: str | None
    run: str
    made: int
    since: int = field(name="from")
    until: int
    report: str
    loading: Figure | None
    high: Figure | None
    low: Figure | None


class FeederQuery(Asked, frozen=True, kw_only=True):
    """At which moment; now where nothing is said."""

    at: Epoch | None = None


class NodeState(Struct, frozen=True, kw_only=True):
    """A node: its place in the drawing, and its voltages as parts of the nominal one; null: not known."""

    id: str
    x: float
    y: float
    nominal_v: float
    low_limit: float
    high_limit: float
    connections: list[str]
    low: float | None
    high: float | None
    measured_low: float | None
    measured_high: float | None
    measured_w: float | None
    """import positive, of all its connections whose power was measured of late"""


class BranchState(Struct, frozen=True, kw_only=True):
    """A branch between two nodes by their positions, and its loading as a share of its rating; null: no rating."""

    id: str
    kind: str
    start: int
    end: int
    loading: float | None


class BranchHours(Struct, frozen=True, kw_only=True):
    """The highest loading of a branch in each hour of the run, as a share of its rating; null: not known."""

    id: str
    kind: str
    loading: list[float | None]


class StepState(Struct, frozen=True, kw_only=True):
    """The worst of one step."""

    start: int
    loading: float | None
    low: float | None
    high: float | None


class FeederShown(Struct, frozen=True, kw_only=True):
    """A feeder at a moment as it is expected under the published limits, what was measured now, and its course.

    Expected is the worst of three cases: the base load alone, all connections export what they may, all import what
    they may.
    """

    feeder: FeederListed
    step_s: int
    at: int
    """the beginning of the step that is shown"""
    nodes: list[NodeState]
    branches: list[BranchState]
    course: list[StepState]
    hours: list[BranchHours]
    """the most loaded branches, the most loaded first, by hours from the start of the run"""
    connections: int
    measured_power: int
    """connections whose power was measured of late"""
    measured_voltage: int
