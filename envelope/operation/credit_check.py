"""Whether inverters do what limits rely on: the mode published and enabled, and measured var or watts as it asks.

A connection where the mode is not published, is not among the enabled modes of its devices, or is contradicted by the
latest measurement that could tell, loses its credit with the next round. Where a measurement contradicted it, only a
later measurement gives the credit back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from envelope.constraints.response_credit import without_credit
from envelope.operation.clients import Clients
from envelope.operation.measurements import Measured, Quantity
from envelope.operation.plan_folders import mark_of
from envelope.operation.relied_modes import ReliedMode, modes_since, relied_mode
from envelope.problem import AsForecast, ConstantVar, Credit, FixedPowerFactor, Problem, VoltVar, VoltWatt
from envelope.schedule import findings
from gridmodel.arrays import Real
from sep2.operations import reported
from sep2.store import connections, defaults, documents, marks
from sep2.store.connection import Connection

MARK = "envelope.not_followed"
"""Mark of the connections whose measurements have contradicted the mode."""
LEAST_VAR, LEAST_W = 200.0, 200.0
"""Response from which a measurement can tell whether it came."""
ENOUGH = 0.5
"""Part of the response that must be measured."""


async def following(
    db: Connection,
    problem: Problem,
    clients: Mapping[str, Clients],
    measured: Sequence[Measured],
    *,
    plan: str = "",
) -> tuple[bool, ...] | None:
    """Return for each connection whether its inverters are credited; None where nothing is relied on.

    plan: name of the plan's folder below `feeders`; empty: the server's own.
    """
    relied = relied_mode(problem)
    if relied is None:
        return None
    telling = await _after_adoption(db, problem, measured, plan)
    known = set(json.loads(await marks.value(db, mark_of(MARK, plan)) or "[]"))
    refuted = contradicted(problem, telling, known)
    found = []
    for name in problem.connection_id:
        counts = name not in relied.connections
        found.append(counts or (name not in refuted and await _enabled(db, name, relied, clients.get(name, ()))))
    return tuple(found)


async def record_contradicted(db: Connection, problem: Problem, measured: Sequence[Measured], plan: str = "") -> None:
    """Keep which connections' measurements have contradicted the mode, beyond the time that measurements are read."""
    mark = mark_of(MARK, plan)
    before = await marks.value(db, mark) or "[]"
    known = set(json.loads(before))
    telling = await _after_adoption(db, problem, measured, plan)
    found = set[str]() if relied_mode(problem) is None else contradicted(problem, telling, known)
    if (after := json.dumps(sorted(found))) != before:
        await marks.put(db, mark, after)


async def _after_adoption(db: Connection, problem: Problem, measured: Sequence[Measured], plan: str) -> list[Measured]:
    """Return the measurements of the time in which devices have adopted the published mode."""
    since = await modes_since(db, plan)
    return [] if since is None else [one for one in measured if one.start >= since + problem.adoption_s]


async def _enabled(db: Connection, name: str, relied: ReliedMode, clients: Clients) -> bool:
    """Return whether the mode is in the connection's program, and enabled in all its devices' DERSettings."""
    row = await connections.by_name(db, name)
    default = None if row is None else await defaults.of_group(db, row.device_group_id)
    if default is None or relied.name not in json.loads(default.modes) or not clients:
        return False
    for client in clients:
        body = await documents.body(db, client.device_id, "DERSettings")
        said: dict[str, Any] = {} if body is None else reported.said("DERSettings", body)
        if relied.name not in said.get("modesEnabled", ()):
            return False
    return True


def contradicted(problem: Problem, measured: Iterable[Measured], known: set[str]) -> set[str]:
    """Return the connections whose latest telling measurement contradicts the mode.

    known: those found before, which stay without a later measurement that tells otherwise.
    """
    judge = _JUDGES.get(type(problem.reactive))
    found, column = set(known), {name: k for k, name in enumerate(problem.connection_id)}
    together: dict[tuple[int, str], dict[Quantity, float]] = {}
    for one in measured:
        together.setdefault((one.start, one.place), {})[one.quantity] = one.value
    for (start, name), values in sorted(together.items()):
        if judge is None or name not in column:
            continue
        step = int(np.searchsorted(problem.step_start, start, side="right")) - 1
        if not 0 <= step < problem.steps:
            continue
        came = judge(problem, (step, column[name]), values)
        if came is not None:
            (found.discard if came >= ENOUGH else found.add)(name)
    return found


Values = Mapping[Quantity, float]
_Place = tuple[int, int]


def _part(problem: Problem, at: _Place, values: Values, wanted_var: float) -> float | None:
    """Return the part of wanted var, produced positive, that was measured in addition to the base load's."""
    if Quantity.VAR not in values or abs(wanted_var) < LEAST_VAR:
        return None
    return (float(problem.base_load_var[at]) - values[Quantity.VAR]) / wanted_var


def _of_volt_var(problem: Problem, at: _Place, values: Values) -> float | None:
    policy = problem.reactive
    assert isinstance(policy, VoltVar)
    if Quantity.VOLTAGE not in values or policy.curve is None:
        return None
    share = float(policy.curve.at(np.asarray(values[Quantity.VOLTAGE] / policy.reference_v)))
    return _part(problem, at, values, share * _of(policy.most_var, at))


def _of_volt_watt(problem: Problem, at: _Place, values: Values) -> float | None:
    """Return 1 or 0: whether export stays below what the curve leaves, where that is less than the sun could feed."""
    policy = problem.reactive
    assert isinstance(policy, VoltWatt)
    if not {Quantity.VOLTAGE, Quantity.POWER} <= values.keys() or policy.curve is None:
        return None
    size = _of(policy.size_w, at)
    most = float(policy.curve.at(np.asarray(values[Quantity.VOLTAGE] / policy.reference_v))) * size
    if most > float(problem.flex_gen_w[at]) - LEAST_W:
        return None
    return 1.0 if -values[Quantity.POWER] <= most + LEAST_W else 0.0


def _of_power_factor(problem: Problem, at: _Place, values: Values) -> float | None:
    policy = problem.reactive
    assert isinstance(policy, FixedPowerFactor)
    export = max(-values.get(Quantity.POWER, 0.0), 0.0)
    return _part(problem, at, values, -policy.tan_phi * export)


def _of_constant_var(problem: Problem, at: _Place, values: Values) -> float | None:
    policy = problem.reactive
    assert isinstance(policy, ConstantVar)
    return _part(problem, at, values, _of(policy.var, at))


def _of(value: Real | float, at: _Place) -> float:
    return float(np.broadcast_to(value, (at[1] + 1,))[at[1]] if np.ndim(value) == 0 else np.asarray(value)[at[1]])


_JUDGES: Mapping[type[AsForecast], Callable[[Problem, _Place, Values], float | None]] = {
    VoltVar: _of_volt_var,
    VoltWatt: _of_volt_watt,
    FixedPowerFactor: _of_power_factor,
    ConstantVar: _of_constant_var,
}


def with_following(problem: Problem, follows: tuple[bool, ...] | None) -> Problem:
    """Return the problem with credit only where inverters follow; the same object where all of them do."""
    policy = problem.reactive
    if follows is None:
        return problem
    mask = np.array(follows, dtype=bool)
    if isinstance(policy, VoltVar | VoltWatt):
        unnamed = policy.credit is Credit.DECLARED and not policy.declared_by.strip()
        relied = relied_mode(problem)
        who = [relied is not None and name in relied.connections for name in problem.connection_id]
        if unnamed or not mask[who].any():
            return replace(problem, reactive=without_credit(problem))
    if mask.all() or not isinstance(policy, VoltVar | VoltWatt | FixedPowerFactor | ConstantVar):
        return problem
    return replace(problem, reactive=replace(policy, follows=mask if policy.follows is None else mask & policy.follows))


def not_followed(problem: Problem, follows: tuple[bool, ...] | None) -> list[str]:
    """Return findings about connections that lose the credit of a mode."""
    relied = relied_mode(problem)
    if relied is None or follows is None:
        return []
    names = [name for name, is_so in zip(problem.connection_id, follows, strict=True) if not is_so]
    return findings.not_followed(names, relied.name)
