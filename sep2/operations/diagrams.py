"""Feeders as an engine expects them: kept by the engine, read by operators step by step.

A series of a feeder has for each step the loading of every branch, in parts of a thousand of its rating, then the
lowest and the highest voltage at every node, in parts of ten thousand of the nominal one; -1 stands for what is not
known.
"""

import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.operations import readings
from sep2.store import diagrams, territory
from sep2.store.connection import Connection
from sep2.store.listing_readings import Of

LOADING_PARTS, VOLTAGE_PARTS, UNKNOWN = 1000, 10_000, -1
HOUR_S = 3600
FRESH_S = 3600
"""A reading that is older than this says nothing about now."""
WATT, VOLT, ALL_PHASES = 38, 29, 0
"""UomType, and the PhaseCode of a series that is of no phase in particular."""
MEANS = (0, 2)
"""DataQualifierType of series that are no extremes."""
ROUNDING = 6
"""Of VOLTAGE_PARTS: what a voltage may lie beyond its limit because it was rounded."""
MOST_SERIES = 8
"""Of the two quantities at one connection."""


class Node(msgspec.Struct, frozen=True, array_like=True):
    """A node of the diagram: its place in the drawing, its limits in parts of the nominal voltage, its connections."""

    id: str
    x: float
    y: float
    nominal_v: float
    low_limit: float
    high_limit: float
    connections: list[str]


class Branch(msgspec.Struct, frozen=True, array_like=True):
    """A branch between two nodes by their positions; of several in series that the drawing joins, the weakest."""

    id: str
    kind: str
    start: int
    end: int


class Model(msgspec.Struct, frozen=True, array_like=True):
    """What stands where."""

    nodes: list[Node]
    branches: list[Branch]


class Reach(msgspec.Struct, frozen=True, array_like=True):
    """A time in which a connection's limit has one reason: what it could reach, and what binds the limit."""

    direction: str
    start: int
    end: int
    reach_w: int
    binding: str
    """empty: the limit is no smaller than what it could reach"""


class Worst(NamedTuple):
    """The worst figure of a kind, when, and where."""

    value: float
    at: int
    where: str
    limit: float = 1.0


class Expected(NamedTuple):
    """A feeder over a time as an engine expects it under the limits that it published."""

    feeder: str
    run: str
    start: int
    step_s: int
    model: Model
    loading: Sequence[Sequence[int]]
    low: Sequence[Sequence[int]]
    high: Sequence[Sequence[int]]
    """per step, see above"""
    report: str
    reaches: Mapping[str, Sequence[Reach]]
    """by connection"""


class Step(NamedTuple):
    """The state at one step; None: not known."""

    loading: list[float | None]
    low: list[float | None]
    high: list[float | None]


class Point(NamedTuple):
    """The worst of one step."""

    start: int
    loading: float | None
    low: float | None
    high: float | None


class Hours(NamedTuple):
    """The highest loading of a branch in each hour, as a share of its rating; None: not known."""

    branch: Branch
    loading: list[float | None]


async def keep(db: Connection, found: Expected, now: int) -> None:
    """Have this stand for the feeder until the next run."""
    row = {
        "feeder": found.feeder,
        "place_id": await _common(db, await diagrams.places_of(db, list(found.reaches))),
        "run": found.run,
        "made": now,
        "start": found.start,
        "step_s": found.step_s,
        "steps": len(found.loading),
        **_worst_columns(found),
        "report": found.report,
        "model": _packed(found.model),
        "series": _series(found),
    }
    await diagrams.put(db, row, {name: _packed(one) for name, one in found.reaches.items()})


def _packed(value: Any) -> bytes:
    return zlib.compress(msgspec.json.encode(value), 6)


def _series(found: Expected) -> bytes:
    values = array("h")
    for step in zip(found.loading, found.low, found.high, strict=True):
        for part in step:
            values.extend(part)
    return zlib.compress(values.tobytes(), 6)


def _worst_columns(found: Expected) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, worst in (
        ("loading", worst_loading(found)),
        ("high", _worst_voltage(found, found.high, "high_limit", 1)),
        ("low", _worst_voltage(found, found.low, "low_limit", -1)),
    ):
        values = (None, None, "") if worst is None else worst[:3]
        columns |= dict(zip((name, f"{name}_at", f"{name}_where"), values, strict=True))
        if name != "loading":
            columns[f"{name}_limit"] = None if worst is None else worst.limit
    return columns


def worst_loading(found: Expected) -> Worst | None:
    """The highest loading of all, as a share of the rating."""
    best = max(
        ((value, -step, -k) for step, row in enumerate(found.loading) for k, value in enumerate(row)),
        default=(UNKNOWN, 0, 0),
    )
    value, step, k = best
    if value == UNKNOWN:
        return None
    branch = found.model.branches[-k]
    return Worst(value / LOADING_PARTS, found.start - step * found.step_s, f"{branch.kind} {branch.id}")


def _worst_voltage(found: Expected, rows: Sequence[Sequence[int]], limit: str, way: int) -> Worst | None:
    """The voltage that is farthest beyond its limit, or nearest to it; way: 1 above, -1 below."""
    limits = [getattr(node, limit) for node in found.model.nodes]
    best = max(
        (
            (way * (value / VOLTAGE_PARTS - limits[k]), -step, -k)
            for step, row in enumerate(rows)
            for k, value in enumerate(row)
            if value != UNKNOWN
        ),
        default=None,
    )
    if best is None:
        return None
    step, k = -best[1], -best[2]
    return Worst(rows[step][k] / VOLTAGE_PARTS, found.start + step * found.step_s, found.model.nodes[k].id, limits[k])


async def place_again(db: Connection, connection_ids: Sequence[int] | None = None) -> None:
    """Find the places of feeders anew, after these connections were moved; None: after places were."""
    for feeder, places in (await diagrams.spread(db, connection_ids)).items():
        await diagrams.set_place(db, feeder, await _common(db, places))


async def _common(db: Connection, place_ids: Sequence[int]) -> int | None:
    """The narrowest place that all these are, or lie below."""
    chains = [[row.id for row in await territory.above(db, place_id)][::-1] for place_id in place_ids]
    common: int | None = None
    for level in zip(*chains, strict=False):
        if len(set(level)) > 1:
            break
        common = level[0]
    return common


def model_of(row: Row[Any]) -> Model:
    """What stands where in a stored feeder."""
    return msgspec.json.decode(zlib.decompress(bytes(row.model)), type=Model)


def _values(row: Row[Any]) -> "array[int]":
    values = array("h")
    values.frombytes(zlib.decompress(bytes(row.series)))
    return values


def step_of(row: Row[Any], model: Model, at: int) -> Step:
    """The state of a stored feeder at a time within its horizon."""
    k = min(max((at - row.start) // row.step_s, 0), row.steps - 1)
    branches, nodes = len(model.branches), len(model.nodes)
    width = branches + 2 * nodes
    part = _values(row)[k * width : (k + 1) * width]
    return Step(
        [_share(one, LOADING_PARTS) for one in part[:branches]],
        [_share(one, VOLTAGE_PARTS) for one in part[branches : branches + nodes]],
        [_share(one, VOLTAGE_PARTS) for one in part[branches + nodes :]],
    )


def _share(value: int, parts: int) -> float | None:
    return None if value == UNKNOWN else value / parts


def course_of(row: Row[Any], model: Model) -> list[Point]:
    """The worst of each step of a stored feeder."""
    values, branches, nodes = _values(row), len(model.branches), len(model.nodes)
    width = branches + 2 * nodes
    found = []
    for k in range(row.steps):
        part = values[k * width : (k + 1) * width]
        low = min((one for one in part[branches : branches + nodes] if one != UNKNOWN), default=UNKNOWN)
        found.append(
            Point(
                row.start + k * row.step_s,
                _share(max(part[:branches], default=UNKNOWN), LOADING_PARTS),
                _share(low, VOLTAGE_PARTS),
                _share(max(part[branches + nodes :], default=UNKNOWN), VOLTAGE_PARTS),
            )
        )
    return found


class Beyond(NamedTuple):
    """A step in which something is expected beyond its limit: the worst loading, and the worst voltage."""

    loading: Worst | None
    voltage: Worst | None


def beyond(row: Row[Any], model: Model) -> list[Beyond]:
    """The steps of a stored feeder in which a rating or a voltage limit is passed by more than rounding does."""
    values, branches, nodes = _values(row), len(model.branches), len(model.nodes)
    width, found = branches + 2 * nodes, []
    for k in range(row.steps):
        at, part = row.start + k * row.step_s, values[k * width : (k + 1) * width]
        loads = [
            Worst(value / LOADING_PARTS, at, f"{branch.kind} {branch.id}")
            for branch, value in zip(model.branches, part[:branches], strict=True)
            if value > LOADING_PARTS + 1
        ]
        volts = [
            Worst(value / VOLTAGE_PARTS, at, node.id, limit)
            for side, way in ((branches, -1), (branches + nodes, 1))
            for node, value in zip(model.nodes, part[side : side + nodes], strict=True)
            if value != UNKNOWN
            and way * (value - VOLTAGE_PARTS * (limit := node.high_limit if way > 0 else node.low_limit)) > ROUNDING
        ]
        if loads or volts:
            worst = max(volts, key=lambda one: abs(one.value - one.limit), default=None)
            found.append(Beyond(max(loads, default=None), worst))
    return found


def hours_of(row: Row[Any], model: Model, most: int) -> list[Hours]:
    """The most loaded branches of a stored feeder hour by hour from its start, the most loaded first."""
    values, branches = _values(row), len(model.branches)
    width, per_hour = branches + 2 * len(model.nodes), max(1, HOUR_S // row.step_s)
    courses = [values[k : row.steps * width : width] for k in range(branches)]
    known = [k for k in range(branches) if max(courses[k], default=UNKNOWN) != UNKNOWN]
    hours = range(0, row.steps, per_hour)
    return [
        Hours(model.branches[k], [_share(max(courses[k][at : at + per_hour]), LOADING_PARTS) for at in hours])
        for k in sorted(known, key=lambda k: -max(courses[k]))[:most]
    ]


async def reaches_of(db: Connection, connection_id: int) -> tuple[str, list[Reach]]:
    """The run that counted with a connection, and what it could reach and what binds it; nothing where none did."""
    row = await diagrams.expected(db, connection_id)
    if row is None:
        return "", []
    return row.run, msgspec.json.decode(zlib.decompress(bytes(row.body)), type=list[Reach])


class Measured(NamedTuple):
    """What a connection's meters said last, not longer ago than FRESH_S: W import positive, V; None: nothing."""

    power_w: float | None
    voltage_v: tuple[float, float] | None
    """the lowest and the highest of its phases"""
    voltage_at: int = 0
    """when the latest of these readings began; 0: there is none"""


async def measured(db: Connection, names: Sequence[str], now: int) -> dict[str, Measured]:
    """What was measured of late at these connections; those without a fresh reading are left out."""
    power: dict[str, dict[int, float]] = {}
    volts: dict[str, list[float]] = {}
    since: dict[str, int] = {}
    of = Of(connections=list(names), uoms=(WATT, VOLT), site_only=True)
    for row in await readings.latest(db, of, limit=MOST_SERIES * max(1, len(names))):
        value = readings.signed(row, row.value)
        if value is None or row.data_qualifier not in MEANS or row.start + row.duration < now - FRESH_S:
            continue
        if row.uom == WATT:
            power.setdefault(row.connection_name, {})[row.phase] = value
        else:
            volts.setdefault(row.connection_name, []).append(value)
            since[row.connection_name] = max(row.start, since.get(row.connection_name, 0))
    return {
        name: Measured(
            _total(power.get(name, {})),
            (min(volts[name]), max(volts[name])) if name in volts else None,
            since.get(name, 0),
        )
        for name in {*power, *volts}
    }


def _total(by_phase: Mapping[int, float]) -> float | None:
    """The power of all phases: what was posted as such, or else the sum of the phases."""
    return by_phase.get(ALL_PHASES, sum(by_phase.values())) if by_phase else None
