"""One plan of an aggregator: a picture of plan, band, envelope and what is deliverable, and its steps as a table."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from sep2.admin.market import plans
from sep2.desk.door import Visit
from sep2.partner import plan_types as t
from sep2.partner.plans import envelopes
from sep2.rest.types import Asked

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 860.0, 260.0, 70.0, 12.0, 26.0
MOST_NODES = 50


class PlanPageQuery(Asked, frozen=True, kw_only=True):
    """Which plan, in which version (left out: the one that stands), at which of its nodes (left out: the first)."""

    id: Annotated[str, Meta(pattern=r"^\d{1,15}$(?!\n)")]
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    node: Annotated[str, Meta(max_length=100)] = ""


class Picture(NamedTuple):
    """Paths of an SVG: areas and lines over the time of a plan, ticks of power, and places of steps that are not ok."""

    deliverable: str
    band: str
    plan: str
    envelope: str
    ticks: list[tuple[float, str]]
    wrong: list[tuple[float, float, str]]
    zero: float


class _Scale(NamedTuple):
    """From times and watts to points."""

    start: int
    end: int
    low_w: float
    high_w: float

    def x(self, at: int) -> float:
        return LEFT + (WIDTH - LEFT) * (at - self.start) / max(1, self.end - self.start)

    def y(self, watts: float) -> float:
        part = (watts - self.low_w) / max(1.0, self.high_w - self.low_w)
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - part)


async def show_plan(visit: Visit, asked: PlanPageQuery) -> dict[str, Any]:
    """A version of a plan, and the picture of one of its nodes."""
    found: t.PlanShown = await visit.ask(plans.show_plan, t.VersionQuery(version=asked.version), plan=asked.id)
    node = next((one for one in found.nodes if one.node == asked.node), found.nodes[0])
    room = await envelopes(visit.db, found.id, found.version, node.node, now=visit.now)
    return {
        "plan": found,
        "node": node,
        "rows": _merged(node.steps, found.step_s),
        "picture": drawn(node.steps, found.step_s, room),
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "nodes": [one.node for one in found.nodes[:MOST_NODES]],
        "last": found.verdicts[-1] if found.verdicts else None,
    }


def _merged(steps: Sequence[t.PlanStep], step_s: int) -> list[tuple[t.PlanStep, int]]:
    """Steps with their ends, equal neighbours as one."""
    rows: list[tuple[t.PlanStep, int]] = []
    for one in steps:
        if rows and rows[-1][1] == one.start and msgspec.structs.replace(rows[-1][0], start=one.start) == one:
            rows[-1] = rows[-1][0], one.start + step_s
        else:
            rows.append((one, one.start + step_s))
    return rows


def drawn(steps: Sequence[t.PlanStep], step_s: int, room: Sequence[tuple[int, int] | None]) -> Picture:
    """The picture of a node's steps; room: what published limits alone let its members do, where that is known."""
    values = [0.0, *(watts for one in steps for watts in (one.low_w, one.high_w))]
    values += [float(watts) for one in steps for watts in (one.min_w, one.max_w) if watts is not None]
    values += [float(watts) for both in room if both is not None for watts in both]
    scale = _Scale(steps[0].start, steps[-1].start + step_s, min(values), max(values))
    spans = [(scale.x(one.start), scale.x(one.start + step_s)) for one in steps]
    known = [None if one.min_w is None or one.max_w is None else (one.min_w, one.max_w) for one in steps]
    level = (scale.high_w - scale.low_w) / 4 or 1.0
    return Picture(
        deliverable=_area(spans, known, scale.y),
        band=_area(spans, [(one.low_w, one.high_w) for one in steps], scale.y),
        plan=_line(spans, [one.plan_w for one in steps], scale.y),
        envelope=" ".join(
            _line(spans, [None if both is None else both[side] for both in room], scale.y) for side in (0, 1)
        ),
        ticks=[(scale.y(watts), f"{watts / 1000:.1f}") for watts in (scale.low_w + level * n for n in range(5))],
        wrong=[(x, end - x, one.state) for one, (x, end) in zip(steps, spans, strict=True) if one.state != "ok"],
        zero=scale.y(0.0),
    )


def _line(spans: Sequence[tuple[float, float]], watts: Sequence[float | None], y: Callable[[float], float]) -> str:
    """A stepped line with gaps where nothing is known."""
    said, pen = [], False
    for (x, end), value in zip(spans, watts, strict=True):
        if value is None:
            pen = False
            continue
        said.append(f"{'L' if pen else 'M'}{x:.1f} {y(value):.1f}H{end:.1f}")
        pen = True
    return "".join(said)


def _area(
    spans: Sequence[tuple[float, float]],
    bounds: Sequence[tuple[float, float] | None],
    y: Callable[[float], float],
) -> str:
    """One rectangle per step between two powers."""
    return "".join(
        f"M{x:.1f} {y(both[0]):.1f}H{end:.1f}V{y(both[1]):.1f}H{x:.1f}Z"
        for (x, end), both in zip(spans, bounds, strict=True)
        if both is not None
    )
