"""What clients may still hold of an earlier run, and the rest of a horizon that has begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from envelope.operation import net_to_device
from envelope.operation.clients import clients_at
from envelope.problem import Problem
from gridmodel.arrays import Real
from sep2.operations import inherited
from sep2.operations.controls import limits_of
from sep2.rules.defaults import limits_of as served_limits
from sep2.rules.limits import Limits
from sep2.store import connections, controls, defaults
from sep2.store.connection import Connection
from sep2.store.controls import Control

NO_BASE = net_to_device.Band(0, 0)
BY_STEP = ("step_start", "rating_factor", "transformer_factor", "low_pu", "high_pu", "part")
"""fields whose arrays of one dimension are per step; those of other names are per connection"""


def from_step(problem: Problem, first: int) -> Problem:
    """The same problem without the steps before `first`."""
    cut: Problem = _cut(problem, problem.steps, first)
    return cut


def _cut(value: Any, steps: int, first: int, name: str = "") -> Any:
    """A value without its first steps; (T,) arrays are known by name, larger ones by their shape."""
    if isinstance(value, np.ndarray):
        if value.ndim == 3 and value.shape[1] == steps:
            return value[:, first:]
        by_step = value.ndim == 2 or name in BY_STEP
        return value[first:] if by_step and value.ndim and len(value) == steps else value
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(_cut(one, steps, first) for one in value)
    if not is_dataclass(value) or isinstance(value, type) or name == "reduced":
        return value
    mine = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    new = {key: _cut(one, steps, first, key) for key, one in mine.items()}
    return replace(value, **{key: one for key, one in new.items() if one is not mine[key]})


async def in_force(
    db: Connection,
    names: Sequence[str],
    now: int,
    *,
    adoption_s: int = 0,
    bands: Mapping[str, net_to_device.Band] | None = None,
) -> tuple[Real, Real]:
    """(C,) and (C,) loosest import and export limit that a client may hold from now until it has adopted new ones.

    One that has not heard of them yet goes on with what it has: also with what begins meanwhile. 0: nothing was said.
    bands: of the base load meanwhile, for what limits of load and generation come to at the connection; else none.
    """
    found = np.zeros((2, len(names)))
    at = await clients_at(db, names)
    served = {one.device_id: served_limits(one.default) for one in await inherited.at_connections(db, names)}
    for column, name in enumerate(names):
        known = await connections.by_name(db, name)
        if known is None:
            continue
        said = partial(_said, db, now=now, until=now + adoption_s)
        clients = at.get(name, ())
        holder = next((served.get(one.device_id) for one in clients if one.holds_net_limit), None)
        others = [
            await said(group, served.get(one.device_id)) for one in clients if (group := one.own_group_id) is not None
        ]
        beside = [_loosest(group) for group in others]
        member = any(client.holds_net_limit for client in clients)
        band = (bands or {}).get(name, NO_BASE)
        for limits in [*await said(known.device_group_id, holder), *([_together(beside)] if beside else [])]:
            whole = _together([limits, *beside]) if beside and member and net_to_device.is_of_device(limits) else limits
            net = net_to_device.net_of(whole, band)
            for side, value in enumerate(net[:2]):
                found[side, column] = max(found[side, column], float(value or 0))
    return found[0], found[1]


async def _said(db: Connection, group_id: int, default: Limits | None, *, now: int, until: int) -> list[Limits]:
    """Limits that a group's member may hold from now until then: of all controls that it is served, and of its default.

    Operators' programs come first; those of larger groups count only while the group's own says nothing.
    default: as the member is served it; None: there is no member, and the group's own counts.
    """
    rows = [row for row in await _served(db, group_id, now, until) if row.earliest_start <= until]
    begun = [limits_of(row) for row in rows]
    if default is not None:
        return [*begun, default]
    own = await defaults.of_group(db, group_id)
    return begun if own is None else [*begun, limits_of(own)]


async def _served(db: Connection, group_id: int, now: int, until: int) -> list[Control]:
    """What stands for a group's members, whoever has said it."""
    own = await controls.standing(db, group_id, now)
    primacies = {row.device_group_id: row.primacy for row in await controls.programs_around(db, group_id)}
    if not primacies:
        return own
    others = [
        row for row in await controls.standing_around(db, group_id, now, until) if row.device_group_id != group_id
    ]
    speaks = any(row.earliest_start <= now < row.latest_end for row in own)
    return own + [row for row in others if not speaks or primacies[row.device_group_id] < primacies[group_id]]


def _loosest(several: Sequence[Limits]) -> Limits:
    """The largest limits of generation and load; 0 where nothing was said."""
    return Limits(
        gen_w=max((one.gen_w or 0 for one in several), default=0),
        load_w=max((one.load_w or 0 for one in several), default=0),
    )


def _together(several: Sequence[Limits]) -> Limits:
    """What limits of generation and load come to in all."""
    return Limits(gen_w=sum(one.gen_w or 0 for one in several), load_w=sum(one.load_w or 0 for one in several))
