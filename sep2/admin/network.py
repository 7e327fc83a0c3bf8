"""The network as a tree with what is expected at its feeders, and feeders node by node."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin import find
from sep2.admin import types as t
from sep2.admin.territory import as_place
from sep2.errors import UnknownFeeder
from sep2.operations import diagrams
from sep2.operations.diagrams import Measured, Model, Step
from sep2.rest.route import Request, listed, page
from sep2.store import diagrams as stored
from sep2.store import territory

MOST_BRANCHES = 12
"""Branches of which the loading is shown hour by hour: the most loaded ones."""


async def show_network(rq: Request, asked: t.NetworkQuery) -> t.NetworkBelow:
    """What lies below a place, each with the worst that is expected there."""
    place = None if asked.place is None else await find.place(rq.db, asked.place)
    found = await territory.listed(
        rq.db, page(asked), parent_id=None if place is None else place.id, outermost=place is None
    )
    here = [] if place is None else [place]
    worst = await _worst_below(rq, [row.id for row in (*here, *found.rows)])
    chain = [] if place is None else await territory.above(rq.db, place.id)
    feeders, around = await _feeders(rq, [row.id for row in chain])
    return t.NetworkBelow(
        place=None if place is None else _state(place, worst),
        path=[row.name for row in chain][::-1],
        below=sorted((_state(row, worst) for row in found.rows), key=_urgency, reverse=True),
        total=found.total,
        next=found.next,
        feeders=feeders,
        around=around,
    )


async def list_feeders(rq: Request, asked: t.Span) -> t.Listed[t.FeederListed]:
    """Feeders that are modelled, with the worst that is expected of each."""
    found = await stored.listed(rq.db, page(asked))
    return listed(found, [_feeder(row) for row in found.rows])


async def show_feeder(rq: Request, asked: t.FeederQuery) -> t.FeederShown:
    """A feeder at a moment, as it is expected and as it is measured."""
    row = await stored.one(rq.db, rq.ids["feeder"])
    if row is None:
        raise UnknownFeeder(rq.ids["feeder"][:60])
    model = diagrams.model_of(row)
    at = rq.now if asked.at is None else asked.at
    names = [name for node in model.nodes for name in node.connections]
    measured = await diagrams.measured(rq.db, names, rq.now)
    step = diagrams.step_of(row, model, at)
    k = min(max((at - row.start) // row.step_s, 0), row.steps - 1)
    return t.FeederShown(
        feeder=_feeder(row),
        step_s=row.step_s,
        at=row.start + k * row.step_s,
        nodes=_nodes(model, step, measured),
        branches=[
            t.BranchState(id=one.id, kind=one.kind, start=one.start, end=one.end, loading=loading)
            for one, loading in zip(model.branches, step.loading, strict=True)
        ],
        course=[t.StepState(**point._asdict()) for point in diagrams.course_of(row, model)],
        hours=[
            t.BranchHours(id=one.branch.id, kind=one.branch.kind, loading=one.loading)
            for one in diagrams.hours_of(row, model, MOST_BRANCHES)
        ],
        connections=len(names),
        measured_power=sum(one.power_w is not None for one in measured.values()),
        measured_voltage=sum(one.voltage_v is not None for one in measured.values()),
    )


def _nodes(model: Model, step: Step, measured: Mapping[str, Measured]) -> list[t.NodeState]:
    found = []
    for node, low, high in zip(model.nodes, step.low, step.high, strict=True):
        here = [measured[name] for name in node.connections if name in measured]
        volts = [one / node.nominal_v for said in here if said.voltage_v is not None for one in said.voltage_v]
        watts = [said.power_w for said in here if said.power_w is not None]
        found.append(
            t.NodeState(
                id=node.id,
                x=node.x,
                y=node.y,
                nominal_v=node.nominal_v,
                low_limit=node.low_limit,
                high_limit=node.high_limit,
                connections=node.connections,
                low=low,
                high=high,
                measured_low=min(volts, default=None),
                measured_high=max(volts, default=None),
                measured_w=sum(watts) if watts else None,
            )
        )
    return found


async def _worst_below(rq: Request, place_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for row in await stored.below(rq.db, place_ids):
        found.setdefault(row.root, []).append(row)
    return found


async def _feeders(rq: Request, chain: Sequence[int]) -> tuple[list[str], list[str]]:
    """The feeders of the first place of a chain, and those of the next one in it that has any."""
    at: dict[int, list[str]] = {}
    for row in await stored.at_places(rq.db, chain):
        at.setdefault(row.place_id, []).append(row.feeder)
    own = at.get(chain[0], []) if chain else []
    around = next((at[place_id] for place_id in chain[1:] if place_id in at), [])
    return own, around


def _state(place: Row[Any], worst: Mapping[int, Sequence[Row[Any]]]) -> t.PlaceState:
    rows = worst.get(place.id, ())
    return t.PlaceState(
        place=as_place(place),
        loading=_most(figure(row, "loading") for row in rows),
        high=_most(figure(row, "high") for row in rows),
        low=_most(figure(row, "low") for row in rows),
    )


def figure(row: Row[Any], kind: str) -> t.Figure | None:
    """The worst of a kind in a feeder's row."""
    value = getattr(row, kind)
    if value is None:
        return None
    limit = 1.0 if kind == "loading" else getattr(row, f"{kind}_limit")
    at, where = getattr(row, f"{kind}_at"), getattr(row, f"{kind}_where")
    return t.Figure(value=value, limit=limit, at=at, where=where, feeder=row.feeder)


def _beyond(one: t.Figure) -> float:
    """By how much a figure is beyond its limit; negative inside it."""
    return one.value - one.limit if one.limit >= 1 else one.limit - one.value


def _most(several: Iterable[t.Figure | None]) -> t.Figure | None:
    return max((one for one in several if one is not None), key=_beyond, default=None)


def _urgency(state: t.PlaceState) -> float:
    return max((_beyond(one) for one in (state.loading, state.high, state.low) if one is not None), default=-9.0)


def _feeder(row: Row[Any]) -> t.FeederListed:
    return t.FeederListed(
        feeder=row.feeder,
        place=row.place_name,
        run=row.run,
        made=row.made,
        since=row.start,
        until=row.start + row.steps * row.step_s,
        report=row.report,
        loading=figure(row, "loading"),
        high=figure(row, "high"),
        low=figure(row, "low"),
    )
