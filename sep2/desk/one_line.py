"""A feeder drawn as one line: where each mark stands, what it means, and what is said of it."""

from typing import NamedTuple

from sep2.admin import types as t

COLUMN, ROW, EDGE = 34.0, 25.0, 26.0
"""Distances in the drawing, in its own unit, which is a pixel at full size."""
WIDEST = 1180.0
HIGH, OVER = 0.8, 1.0
"""Loadings from which a branch is drawn as highly loaded, and as overloaded."""
NEAR = 0.01
"""A voltage that is nearer to its limit than this part of the nominal one is drawn as near it."""


class Mark(NamedTuple):
    """A node: its place, its shape and kind, and the sentence about it; `link` is the connection that it opens."""

    x: float
    y: float
    kind: str
    """ok, near, high, low or unknown"""
    said: str
    link: str
    label: str


class Wire(NamedTuple):
    """A branch as a path from left to right, its kind, and the sentence about it."""

    path: str
    kind: str
    """ok, loaded, over or unknown"""
    said: str
    x: float
    y: float
    label: str


class Drawing(NamedTuple):
    """A feeder as it is drawn."""

    width: float
    height: float
    marks: list[Mark]
    wires: list[Wire]


def drawing(feeder: t.FeederShown, *, measured: bool) -> Drawing:
    """The drawing of a feeder; measured: by what meters said now, and not by what is expected at the moment."""
    columns = max((node.x for node in feeder.nodes), default=0.0)
    step = min(COLUMN, (WIDEST - 6 * EDGE) / max(columns, 1.0))
    places = [(EDGE + node.x * step, EDGE + node.y * ROW) for node in feeder.nodes]
    height = max((y for _, y in places), default=0.0) + EDGE
    return Drawing(
        EDGE * 6 + columns * step,
        height,
        [_mark(node, place, measured=measured) for node, place in zip(feeder.nodes, places, strict=True)],
        [_wire(branch, places, measured=measured) for branch in feeder.branches],
    )


def _mark(node: t.NodeState, place: tuple[float, float], *, measured: bool) -> Mark:
    low, high = (node.measured_low, node.measured_high) if measured else (node.low, node.high)
    kind = voltage_kind(node, low, high)
    name = ", ".join(node.connections[:3]) or node.id
    said = f"{name}: {_voltage(node, low, high)}"
    if measured and node.measured_w is not None:
        said += f", {node.measured_w / 1000:+.2f} kW (import positive)"
    link = node.connections[0] if node.connections else ""
    label = f"{'▲' if kind == 'high' else '▼'} {name} {_voltage(node, low, high)}" if kind in ("high", "low") else ""
    return Mark(*place, kind if node.connections or kind != "unknown" else "plain", said, link, label)


def voltage_kind(node: t.NodeState, low: float | None, high: float | None) -> str:
    """How a node's voltages stand to its limits: ok, near, high, low or unknown."""
    if low is None or high is None:
        return "unknown"
    if high > node.high_limit:
        return "high"
    if low < node.low_limit:
        return "low"
    return "near" if high > node.high_limit - NEAR or low < node.low_limit + NEAR else "ok"


def _voltage(node: t.NodeState, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "voltage not known"
    found = f"{low * node.nominal_v:.1f} V"
    if high - low > 1e-4:
        found += f" to {high * node.nominal_v:.1f} V"
    band = f"{node.low_limit * node.nominal_v:.0f} to {node.high_limit * node.nominal_v:.0f} V"
    return f"{found} ({100 * low:.1f} to {100 * high:.1f} % of nominal; allowed {band})"


def _wire(branch: t.BranchState, places: list[tuple[float, float]], *, measured: bool) -> Wire:
    (x1, y1), (x2, y2) = places[branch.start], places[branch.end]
    loading = None if measured else branch.loading
    kind = loading_kind(loading)
    said = f"{branch.kind} {branch.id}: " + (
        "loading not known" if loading is None else f"{100 * loading:.0f} % of rating"
    )
    label = ""
    if branch.kind == "transformer" or kind == "over":
        label = f"{'◆ ' if kind == 'over' else ''}{branch.id}" + ("" if loading is None else f" {100 * loading:.0f} %")
    return Wire(f"M{x1:.1f} {y1:.1f}V{y2:.1f}H{x2:.1f}", kind, said, (x1 + x2) / 2, y2 - 4, label)


def loading_kind(loading: float | None) -> str:
    """How a loading stands to the rating: ok, loaded, over or unknown."""
    if loading is None:
        return "unknown"
    return "over" if loading > OVER else "loaded" if loading >= HIGH else "ok"
