"""Return after an outage: limits in stages, and the demand that comes back all at once.

Most of the connections behind a transformer that fall silent while their aggregators speak are without power. From then
on, and for a time after they speak again, generation and controllable load are let out in stages (a quarter of the
return time nothing, then a quarter more in each), and limits hold with the demand multiplied as well as without: cold
loads start together. The multiple falls off exponentially with the return time (Lang, Anderson and Fouad, 1982).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.operation.release import mark_of
from envelope.operation.restrictions import Restrictions
from envelope.problem import Problem, Scenarios
from gridmodel.arrays import Real
from gridmodel.meter_data.readings import upstream
from sep2.operations.silent_places import silent_connections
from sep2.store import devices, marks
from sep2.store.connection import Connection

MARK = "envelope.outages:"
"""Mark with the feeder's name: transformers without power, or whose connections are coming back."""
LEAST, SHARE, BACK_SHARE = 3, 0.6, 0.3
"""Silent connections, at least, and part of those with clients: no power; below the last part: it is back."""
STAGES = 4
LASTS = 3
"""Return times after which demand is as forecast."""
WHOLE_S = 3600
"""Outage after which demand is multiplied in full."""


class Outage(NamedTuple):
    """A transformer whose connections are, or were, without power; times in epoch seconds."""

    transformer: str
    names: tuple[str, ...]
    """the connections behind it"""
    silent: int
    since: int
    until: int | None = None
    """when most of them spoke again; None: they are silent"""

    def sentence(self) -> str:
        """Return it in words."""
        if self.until is None:
            return f"no power behind {self.transformer}: {self.silent} of {len(self.names)} connections are silent"
        many = len(self.names)
        return f"power is back behind {self.transformer}: {many} connections return in stages, and with more demand"


class Return(NamedTuple):
    """How connections return: over which time, 0: at once; and how many times their demand is at first."""

    return_s: int = 3600
    cold_load_times: float = 2.0


RETURN = Return()


async def read(db: Connection, feeder: str) -> tuple[Outage, ...]:
    """Return what the latest round has noted."""
    said = json.loads(await marks.value(db, mark_of(MARK, feeder)) or "[]")
    return tuple(Outage(one[0], tuple(one[1]), *one[2:]) for one in said)


async def keep(db: Connection, feeder: str, outages: Sequence[Outage]) -> None:
    """Note it for later rounds, and for those who look at what the next round would do."""
    await marks.put(db, mark_of(MARK, feeder), json.dumps(outages))


def updated(
    before: Sequence[Outage], problem: Problem, of: tuple[Collection[str], Collection[str]], *, now: int, how: Return
) -> tuple[Outage, ...]:
    """Return the outages as they are now. of: the connections with clients, and of all those that are silent."""
    clients, silent = of
    behind: dict[str, list[str]] = {}
    for name, transformer in zip(problem.connection_id, upstream(problem.reduced.network), strict=True):
        if name in clients:
            behind.setdefault(transformer or "the head of the feeder", []).append(name)
    known = {one.transformer: one for one in before}
    found = []
    for transformer, names in behind.items():
        mute = sum(name in silent for name in names)
        one = known.get(transformer)
        if mute >= max(LEAST, SHARE * len(names)) and (one is None or one.until is not None):
            one = Outage(transformer, tuple(names), mute, now)
        elif one is not None and one.until is None:
            one = one._replace(silent=mute, until=now if mute < BACK_SHARE * len(names) else None)
        if one is not None and (one.until is None or now < one.until + LASTS * how.return_s):
            found.append(one)
    return tuple(found)


def applied(problem: Problem, outages: Sequence[Outage], how: Return) -> Problem:
    """Return the problem with stages and cold loads; the same object where there is no outage."""
    for one in outages if how.return_s else ():
        columns = [k for k, name in enumerate(problem.connection_id) if name in set(one.names)]
        # While it lasts it may end at any time: the next limits are the first stage, which each round puts off again.
        begin = int(problem.step_start[0]) + how.return_s if one.until is None else one.until
        after_s = np.asarray(problem.step_start - begin, dtype=float)
        cold = _cold(problem, columns, _times(after_s, (one.until or int(problem.step_start[0])) - one.since, how))
        problem = _staged(cold, columns, np.clip(np.floor(after_s * STAGES / how.return_s) / STAGES, 0.0, 1.0))
    return problem


def _times(after_s: Real, lasted_s: int, how: Return) -> Real:
    """(T,) by how much demand is multiplied in each step that begins so long after the return."""
    most = (how.cold_load_times - 1.0) * min(1.0, lasted_s / WHOLE_S)
    times = 1.0 + most * np.exp(-np.maximum(after_s, 0) / how.return_s)
    return np.asarray(np.where(after_s < LASTS * how.return_s, times, 1.0))


def _cold(problem: Problem, columns: Sequence[int], times: Real) -> Problem:
    """Return the problem with further paths, or a wider band, in which demand is multiplied: (T,)."""
    if not (times > 1.0).any():
        return problem
    scenarios = problem.scenarios
    if scenarios is None:
        most_w = problem.load_hi_w.copy()
        most_w[:, columns] += np.round(np.maximum(most_w[:, columns], 0.0) * (times[:, None] - 1.0))
        return replace(problem, base_load_hi_w=most_w)
    load_w, load_var = (_multiplied(scenarios, one, columns, times) for one in (scenarios.load_w, scenarios.load_var))
    solar_w, source_v = (
        None if one is None else np.concatenate([one, one]) for one in (scenarios.solar_w, scenarios.source_v)
    )
    made = replace(scenarios, load_w=load_w, load_var=load_var, solar_w=solar_w, source_v=source_v)
    return replace(problem, scenarios=made)


def _multiplied(scenarios: Scenarios, part: Real, columns: Sequence[int], times: Real) -> Real:
    """(2 K, T, M, C) the paths, and the same with what is drawn multiplied."""
    drawn = part if scenarios.solar_w is None or part is scenarios.load_var else part + scenarios.solar_w
    more = np.maximum(drawn[..., columns], 0.0) * (times[None, :, None, None] - 1.0)
    cold = part.copy()
    cold[..., columns] = np.round(cold[..., columns] + more)
    return np.concatenate([part, cold])


def _staged(problem: Problem, columns: Sequence[int], share: Real) -> Problem:
    """Return the problem with ceilings: all that nothing limits, and (T,) a share of capacity beyond it."""
    nothing = Restrictions.none(problem)
    ceiling_w, held = nothing.ceiling_w, np.ix_(np.flatnonzero(share < 1.0), np.array(columns, dtype=np.intp))
    for k, (most_w, flexible_w) in enumerate(
        ((problem.load_hi_w, problem.flex_load_w), (-problem.load_lo_w, problem.flex_gen_w))
    ):
        ceiling_w[k][held] = (np.maximum(most_w, 0.0) + share[:, None] * flexible_w)[held]
    return nothing._replace(ceiling_w=ceiling_w).on(problem)


async def look(
    db: Connection, problem: Problem, before: Sequence[Outage], *, now: int, how: Return
) -> tuple[Outage, ...]:
    """Return the outages as they are now, by who has clients and who of those is silent."""
    clients = {row.connection_name for row in await devices.at_connections(db, problem.connection_id)}
    silent = await silent_connections(db, clients)
    return updated(before, problem, (clients, silent), now=now, how=how)
