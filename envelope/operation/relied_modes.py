"""Modes of inverters that limits rely on: which they are, and their publication in each connection's own program.

A mode stands in the default of the connection's group, so that it holds whether a control is active or not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from envelope.operation.clients import Clients
from envelope.operation.plan_folders import mark_of
from envelope.problem import ConstantVar, Credit, FixedPowerFactor, Problem, VoltVar, VoltWatt
from gridmodel.flow import inverters
from sep2.operations.controls import limits_of
from sep2.operations.curves import create_curve
from sep2.operations.defaults import Beside, set_default
from sep2.rules.curves import MODES, Curve, Point
from sep2.store import connections, defaults, marks
from sep2.store.connection import Connection

MARK = "envelope.modes"
"""Mark of the modes that the engine has published, by group, so that it withdraws no mode of an operator."""
SINCE_MARK = "envelope.modes_since"
"""Mark of the time of their latest change."""
OF_MAX_W, HUNDREDTHS = 1, 10_000.0
"""DERUnitRefType of percentages of setMaxW, and the hundredths of a percent in all of it."""
PF_DIGITS = 3


class ReliedMode(NamedTuple):
    """A mode that limits rely on, and the (C,) connections where they do."""

    name: str
    connections: frozenset[str]
    curve: inverters.Curve | None = None
    """in per unit of the nominal voltage, and share of the rating; None: the mode has no curve"""


def relied_mode(problem: Problem) -> ReliedMode | None:
    """The mode that a problem's limits rely on; None where they take nothing for granted about inverters."""
    policy, names = problem.reactive, problem.connection_id
    generates = problem.flex_gen_w.max(axis=0) > 0.0
    if isinstance(policy, FixedPowerFactor) and policy.tan_phi:
        return ReliedMode("opModFixedPFInjectW", _names(names, generates))
    if isinstance(policy, ConstantVar):
        return ReliedMode("opModFixedVar", _names(names, np.broadcast_to(policy.var, len(names)) != 0.0))
    if isinstance(policy, VoltVar | VoltWatt) and policy.credit is not Credit.NONE:
        size = policy.most_var if isinstance(policy, VoltVar) else policy.size_w
        where = _names(names, np.broadcast_to(size, len(names)) > 0.0)
        return ReliedMode("opModVoltVar" if isinstance(policy, VoltVar) else "opModVoltWatt", where, policy.curve)
    return None


def _names(names: tuple[str, ...], where: Any) -> frozenset[str]:
    return frozenset(name for name, is_so in zip(names, where.tolist(), strict=True) if is_so)


async def publish_modes(
    db: Connection, problem: Problem, clients: Mapping[str, Clients], now: int, *, plan: str = ""
) -> None:
    """Write the modes that limits rely on into each connection's default, and withdraw those of an earlier plan.

    plan: name of the plan's folder below `feeders`; empty: the server's own.
    """
    mark = mark_of(MARK, plan)
    relied, before = relied_mode(problem), json.loads(await marks.value(db, mark) or "{}")
    after: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(problem.connection_id):
        row = await connections.by_name(db, name)
        if row is None:
            continue
        group, said = row.device_group_id, dict[str, Any]()
        if relied is not None and name in relied.connections:
            said = await _modes_at(db, group, (problem, relied, column), clients.get(name, ()), now=now)
        if said or str(group) in before:
            await _write(db, group, before.get(str(group), {}), said, now=now)
        if said:
            after[str(group)] = said
    if after != before:
        await marks.put(db, mark, json.dumps(after, sort_keys=True))
        await marks.put(db, mark_of(SINCE_MARK, plan), str(now))


async def modes_since(db: Connection, plan: str = "") -> int | None:
    """Return the time of the latest change of the published modes; None: none are published."""
    since = await marks.value(db, mark_of(SINCE_MARK, plan))
    return None if since is None else int(since)


async def _modes_at(
    db: Connection, group_id: int, of: tuple[Problem, ReliedMode, int], clients: Clients, *, now: int
) -> dict[str, Any]:
    """Return the modes of one connection by wire name, their curve made known in its program."""
    problem, relied, column = of
    policy = problem.reactive
    if isinstance(policy, FixedPowerFactor):
        value = {"displacement": round(policy.power_factor * 10**PF_DIGITS), "excitation": policy.absorbing}
        return {relied.name: value | {"multiplier": -PF_DIGITS}}
    if isinstance(policy, ConstantVar):
        size_w = sum(client.set_max_w or 0 for client in clients)
        var = float(np.broadcast_to(policy.var, len(problem.connection_id))[column])
        # A percentage of setMaxW says nothing where that is not known, or is exceeded.
        if not size_w or abs(var) > size_w:
            return {}
        return {relied.name: {"refType": OF_MAX_W, "value": math.trunc(HUNDREDTHS * var / size_w)}}
    assert relied.curve is not None
    curve = Curve(kind=MODES[relied.name], points=[_point(*point) for point in relied.curve.points])
    return {relied.name: (await create_curve(db, group_id, curve, now, description="envelope")).id}


def _point(v_pu: float, share: float) -> Point:
    return Point(round(100.0 * v_pu, 3), round(100.0 * share, 2))


async def _write(
    db: Connection, group_id: int, before: Mapping[str, Any], said: Mapping[str, Any], *, now: int
) -> None:
    """Replace what the engine had said in a group's default; modes that an operator has set stay."""
    row = await defaults.of_group(db, group_id)
    if row is None:
        return
    known = json.loads(row.modes)
    kept = {name: value for name, value in known.items() if before.get(name) != value}
    beside = Beside(
        modes={**said, **kept},
        set_grad_w=row.set_grad_w,
        set_soft_grad_w=row.set_soft_grad_w,
        enter_service=json.loads(row.enter_service),
    )
    if beside.modes != known:
        await set_default(db, group_id, limits_of(row), now=now, beside=beside)
