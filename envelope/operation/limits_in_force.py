"""Limits still in force at clients from an earlier run, and the remaining steps of the horizon."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.operation import net_to_device
from envelope.operation.clients import Clients, clients_at
from envelope.problem import Problem
from envelope.problem.step_ranges import from_step
from gridmodel.arrays import Real
from sep2.operations import inherited
from sep2.operations.controls import limits_of
from sep2.rules.defaults import limits_of as served_limits
from sep2.rules.limits import Limits
from sep2.store import connections, controls, defaults
from sep2.store.connection import Connection
from sep2.store.controls import Control

NO_BASE = net_to_device.Band(0, 0)


async def with_limits_in_force(db: Connection, problem: Problem, now: int) -> Problem:
    """Return the rest of a problem's horizon, with the limits that clients may still hold from an earlier run."""
    adoption_s = problem.adoption_s
    current = int(np.searchsorted(problem.step_start, now, side="right")) - 1
    rest = from_step(problem, current) if current > 0 else problem
    until = max(now, int(rest.step_start[0])) + adoption_s
    touched = max(int(np.searchsorted(rest.step_start, until)), 1)
    bands = net_to_device.bands(rest.connection_id, rest.load_lo_w[:touched], rest.load_hi_w[:touched])
    chargers = frozenset(np.array(rest.connection_id, dtype=object)[rest.is_charger].tolist())
    imports, exports = await in_force(
        db, rest.connection_id, now, adoption_s=adoption_s, bands=bands, chargers=chargers
    )
    return replace(rest, in_force_import_w=imports, in_force_export_w=exports, in_force_until=until)


def without_limits_in_force(problem: Problem) -> Problem:
    """Return the same problem as if no client held a limit yet."""
    return replace(problem, in_force_import_w=None, in_force_export_w=None, in_force_until=None)


async def in_force(
    db: Connection,
    names: Sequence[str],
    now: int,
    *,
    adoption_s: int = 0,
    bands: Mapping[str, net_to_device.Band] | None = None,
    chargers: Collection[str] = (),
) -> tuple[Real, Real]:
    """Return the loosest import and export limit that a client may hold until it has adopted new ones, (C,) W each.

    Until then a client continues with its standing controls, also with those that begin meanwhile. 0: it has none.
    bands: of the base load meanwhile, to convert limits of load and generation to the connection; None: no base load.
    chargers: connections whose import is limited as load of a charger, and so given here.
    """
    found = np.zeros((2, len(names)))
    at = await clients_at(db, names)
    served = {one.device_id: served_limits(one.default) for one in await inherited.at_connections(db, names)}
    until = _Until(now, now + adoption_s)
    for column, name in enumerate(names):
        known = await connections.by_name(db, name)
        if known is None:
            continue
        band = (bands or {}).get(name, NO_BASE)
        for limits in await _limits_at(db, known.device_group_id, (at.get(name, ()), served), until):
            net = net_to_device.charger_of(limits) if name in chargers else net_to_device.net_of(limits, band)
            for side, value in enumerate(net[:2]):
                found[side, column] = max(found[side, column], float(value or 0))
    return found[0], found[1]


class _Until(NamedTuple):
    """Time within which a client adopts new limits."""

    now: int
    until: int


async def _limits_at(
    db: Connection, group_id: int, of: tuple[Clients, Mapping[int, Limits]], time: _Until
) -> list[Limits]:
    """Return what a connection's clients may hold together; of: the clients, and by device the default it is served."""
    clients, served = of
    holder = next((served.get(one.device_id) for one in clients if one.holds_net_limit), None)
    others = [
        _loosest(await _held(db, one.own_group_id, served.get(one.device_id), time))
        for one in clients
        if one.own_group_id is not None
    ]
    has_holder = any(client.holds_net_limit for client in clients)
    found = []
    for limits in [*await _held(db, group_id, holder, time), *([_sum(others)] if others else [])]:
        adds = others and has_holder and net_to_device.is_of_device(limits)
        found.append(_sum([limits, *others]) if adds else limits)
    return found


async def _held(db: Connection, group_id: int, default: Limits | None, time: _Until) -> list[Limits]:
    """Return the limits that a group's member may hold: of all controls that it is served, and of its default.

    Operators' programs come first; those of larger groups count only while the group's own has no active control.
    default: as the member is served it; None: the group has no member, and its own default counts.
    """
    rows = [row for row in await _served(db, group_id, time) if row.earliest_start <= time.until]
    begun = [limits_of(row) for row in rows]
    if default is not None:
        return [*begun, default]
    own = await defaults.of_group(db, group_id)
    return begun if own is None else [*begun, limits_of(own)]


async def _served(db: Connection, group_id: int, time: _Until) -> list[Control]:
    """Return the standing controls of a group's members, of every source."""
    own = await controls.standing(db, group_id, time.now)
    primacies = {row.device_group_id: row.primacy for row in await controls.programs_around(db, [group_id])}
    if not primacies:
        return own
    others = [
        row
        for row in await controls.standing_around(db, group_id, time.now, time.until)
        if row.device_group_id != group_id
    ]
    is_active = any(row.earliest_start <= time.now < row.latest_end for row in own)
    return own + [row for row in others if not is_active or primacies[row.device_group_id] < primacies[group_id]]


def _loosest(several: Sequence[Limits]) -> Limits:
    """Return the largest limits of generation and load; 0 where there is none."""
    return Limits(
        gen_w=max((one.gen_w or 0 for one in several), default=0),
        load_w=max((one.load_w or 0 for one in several), default=0),
    )


def _sum(several: Sequence[Limits]) -> Limits:
    """Return the sum of limits of generation and load."""
    return Limits(gen_w=sum(one.gen_w or 0 for one in several), load_w=sum(one.load_w or 0 for one in several))
