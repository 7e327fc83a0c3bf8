"""Restrictions of some connections and hours: decisions, planned outages, and inputs that are too old.

All of it becomes ceilings of a problem, and for static limits the firm minimum too, so that what is published is
calculated and verified like any other run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.operation import limits_in_force, net_to_device
from envelope.operation.clients import Clients
from envelope.operation.mode import Mode, Scope, ScopeKind
from envelope.operation.outage_calendar import Entry
from envelope.operation.publication_terms import SOURCE
from envelope.problem import Problem
from gridmodel.arrays import Real
from gridmodel.meter_data.readings import upstream
from gridmodel.model.network import Network
from sep2.operations.controls import limits_of
from sep2.rules.limits import Limits
from sep2.store import connections, controls, defaults, groups
from sep2.store import devices as stored_devices
from sep2.store.connection import Connection

FREE = np.inf


class Restrictions(NamedTuple):
    """Ceilings and firm minimum of a problem's connections: (2, T, C) and (2, C) W, import first."""

    ceiling_w: Real
    firm_w: Real

    @classmethod
    def none(cls, problem: Problem) -> Restrictions:
        """Return nothing but what the problem says itself."""
        steps, count = problem.base_load_w.shape
        firm = [problem.firm_import_w, problem.firm_export_w]
        return cls(
            np.full((2, steps, count), FREE),
            np.array([np.zeros(count) if one is None else np.broadcast_to(one, (count,)) for one in firm], dtype=float),
        )

    def same_as(self, other: Restrictions | None) -> bool:
        """Whether both hold down the same."""
        return other is not None and all(np.array_equal(a, b) for a, b in zip(self, other, strict=True))

    def on(self, problem: Problem) -> Problem:
        """Return the problem with them; the same object where they say nothing."""
        if self.same_as(Restrictions.none(problem)):
            return problem
        shape = problem.base_load_w.shape
        found = {}
        for k, name in enumerate(("ceiling_import_w", "ceiling_export_w")):
            own = getattr(problem, name)
            before = np.full(shape, FREE) if own is None else own[:, None] if own.ndim == 1 else own
            found[name] = np.minimum(np.broadcast_to(before, shape), self.ceiling_w[k])
        return replace(problem, **found, firm_import_w=self.firm_w[0], firm_export_w=self.firm_w[1])

    def with_static(self, steps: slice | np.ndarray, columns: Sequence[int], static_w: Real) -> Restrictions:
        """Return the same with (2, C) static limits as ceilings in these steps."""
        ceiling = self.ceiling_w.copy()
        for column in columns:
            ceiling[:, steps, column] = np.minimum(ceiling[:, steps, column], static_w[:, column, None])
        return self._replace(ceiling_w=ceiling)


class HoldingDown(NamedTuple):
    """Decisions about some connections, planned outages, and columns whose inputs are late."""

    scopes: Sequence[Scope] = ()
    calendar: Sequence[Entry] = ()
    late: Sequence[int] = ()


async def held_down(
    db: Connection, problem: Problem, what: HoldingDown, clients: Mapping[str, Clients], *, now: int
) -> Restrictions:
    """Return what holds the limits of a problem down."""
    found = await scopes_on(db, problem, what.scopes, clients, now=now)
    found = await with_calendar(db, problem, found, what.calendar)
    return await with_published(db, problem, found, (what.late, clients, now)) if what.late else found


async def scopes_on(
    db: Connection, problem: Problem, scopes: Sequence[Scope], clients: Mapping[str, Clients], *, now: int
) -> Restrictions:
    """Return what an operator's decisions about some connections hold down."""
    found = Restrictions.none(problem)
    held: list[int] = []
    for scope in scopes:
        columns = await columns_of(db, problem, scope.kind, scope.name)
        if scope.mode is Mode.HOLD:
            held += columns
            continue
        static = await static_limits_w(db, problem)
        found = found.with_static(slice(None), columns, static)
        found.firm_w[:, columns] = static[:, columns]
    return await with_published(db, problem, found, (held, clients, now), firm=True) if held else found


async def with_calendar(
    db: Connection, problem: Problem, found: Restrictions, entries: Sequence[Entry]
) -> Restrictions:
    """Return restrictions with static limits where switching or an outage is planned: no model knows that network."""
    ends = problem.step_start + problem.step_s
    for entry in entries:
        steps = np.flatnonzero((problem.step_start < entry.end) & (ends > entry.start))
        if not steps.size:
            continue
        columns = list(range(len(problem.connection_id)))
        if entry.kind is not None:
            columns = await columns_of(db, problem, entry.kind, entry.name)
        least = np.minimum(await static_limits_w(db, problem), await _default_w(db, problem))
        found = found.with_static(steps, columns, least)
    return found


async def with_published(
    db: Connection,
    problem: Problem,
    found: Restrictions,
    of: tuple[Collection[int], Mapping[str, Clients], int],
    *,
    firm: bool = False,
) -> Restrictions:
    """Return restrictions under which limits of these connections do not rise above those that are published.

    of: columns, the clients of each connection, and the time. firm: their lowest published limit is granted too.
    """
    columns, clients, now = of
    published = await published_w(db, problem, columns, clients, now=now)
    ceiling, firm_w = np.minimum(found.ceiling_w, published), found.firm_w.copy()
    if firm:
        chosen = list(columns)
        firm_w[:, chosen] = np.maximum(firm_w[:, chosen], published[:, :, chosen].min(axis=1))
    return Restrictions(ceiling, firm_w)


async def published_w(
    db: Connection, problem: Problem, columns: Collection[int], clients: Mapping[str, Clients], *, now: int
) -> Real:
    """(2, T, C) limits that the engine has published for these connections, W, import first; others infinite.

    Where no control stands, the default holds, and without one nothing but what is firm.
    """
    found = np.full((2, *problem.base_load_w.shape), FREE)
    bands = net_to_device.bands(problem.connection_id, problem.load_lo_w, problem.load_hi_w)
    static = await _default_w(db, problem)
    for column in columns:
        name = problem.connection_id[column]
        known = await connections.by_name(db, name)
        if known is None:
            continue
        if len(clients.get(name, ())) > 1:  # its parts are controls of several groups: what they may hold together now
            both = await limits_in_force.in_force(db, [name], now, bands=bands)
            found[:, :, column] = np.array(both)
            continue
        rows = [row for row in await controls.standing(db, known.device_group_id, now) if row.source == SOURCE]
        found[:, :, column] = static[:, column, None]
        convert = net_to_device.charger_of if problem.is_charger[column] else None
        held = np.zeros(found.shape[:2])
        for row in rows:
            net = convert(limits_of(row)) if convert else net_to_device.net_of(limits_of(row), bands[name])
            steps = (problem.step_start < row.latest_end) & (problem.step_start + problem.step_s > row.start)
            held[:, steps] = np.maximum(held[:, steps], np.array([[_or_free(one)] for one in net[:2]]))
            found[:, steps, column] = held[:, steps]
    return found


async def columns_of(db: Connection, problem: Problem, kind: ScopeKind, name: str) -> list[int]:
    """Return the positions of a scope's connections among the problem's; none where it names nothing here."""
    names = set(await _names_of(db, problem.reduced.network, kind, name))
    return [k for k, one in enumerate(problem.connection_id) if one in names]


async def _names_of(db: Connection, network: Network, kind: ScopeKind, name: str) -> Collection[str]:
    if kind is ScopeKind.CONNECTION:
        return (name,)
    if kind is ScopeKind.TRANSFORMER:
        pairs = zip(network.connections.id, upstream(network), strict=True)
        return [connection for connection, transformer in pairs if transformer == name]
    group = await groups.by_name(db, name)
    if group is None:
        return ()
    members = set(await groups.member_ids(db, group.id))
    rows = await stored_devices.at_connections(db, network.connections.id)
    return [row.connection_name for row in rows if row.id in members]


async def static_limits_w(db: Connection, problem: Problem) -> Real:
    """(2, C) static limits, W, import first: the registered contract, else the plan's firm minimum, or the default."""
    plan, found = Restrictions.none(problem).firm_w, await _default_w(db, problem)
    for column, name in enumerate(problem.connection_id):
        row = await connections.by_name(db, name)
        registered = (None, None) if row is None else (row.firm_import_w, row.firm_export_w)
        for side, watts in enumerate(registered):
            if watts is not None or plan[side, column] > 0.0:
                found[side, column] = plan[side, column] if watts is None else watts
    return found


async def _default_w(db: Connection, problem: Problem) -> Real:
    """(2, C) the default of each connection's own group, W; where it has none, the registered contract, or 0."""
    found = np.zeros((2, len(problem.connection_id)))
    for column, name in enumerate(problem.connection_id):
        row = await connections.by_name(db, name)
        if row is None:
            continue
        own = await defaults.of_group(db, row.device_group_id)
        limits = Limits() if own is None else limits_of(own)
        for side, (default, firm) in enumerate(
            zip(net_to_device.sides(limits), (row.firm_import_w, row.firm_export_w), strict=True)
        ):
            found[side, column] = firm or 0 if default is None else default
    return found


def _or_free(watts: int | None) -> float:
    return FREE if watts is None else float(watts)
