"""Registered clients of each connection: which limits they can keep, and their parts of the connection's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from envelope.operation import plants
from envelope.operation.least_loads import least_by_connection, parts_of_load, with_least_loads
from envelope.problem import Policy, Problem
from envelope.problem.control_points import directions
from gridmodel.arrays import Real
from gridmodel.model.devices import CHARGER, DEVICE, SITE, Device
from sep2.operations.groups import give_own_group
from sep2.rules.limits import Limits
from sep2.rules.reach import has_load_control, uses_of
from sep2.store import devices
from sep2.store.connection import Connection

CSIP = "csip"
"""Profile whose only limit, opModMaxLimW, caps generation and does not refer to the connection's meter."""


LIMIT_LOAD = ("csip-aus-1.2", "csip-aus-1.3")
"""Profiles with limits of load."""


class Client(NamedTuple):
    """One EndDevice at a connection, and what its client can keep."""

    device_id: int
    lfdi: str
    profile: str
    """Empty where the device or its client is disabled."""
    holds_net_limit: bool
    set_max_w: int | None
    own_group_id: int | None
    least_load_w: int = 0
    """What a rule guarantees to its controllable loads."""
    is_protected: bool = False
    """Whether the customer depends on the supply (life support, critical): import is not limited."""
    aggregator: str = ""
    """Name of the aggregator that acts for it; empty: it is a client of its own."""
    load_control_w: int | None = None
    """What it draws at most, where it follows EndDeviceControls."""
    generates: bool = True
    draws: bool = True
    """False: its category and what it has reported say that it does not."""

    @property
    def sees_net(self) -> bool:
        """Whether it can keep limits of import and export at the connection (it sees the meter)."""
        return self.holds_net_limit and self.profile != CSIP


PLANT = Client(0, "", LIMIT_LOAD[-1], holds_net_limit=True, set_max_w=None, own_group_id=None)
"""Stands for a plant without IEEE 2030.5, which keeps net limits; it has no EndDevice."""
Clients = tuple[Client, ...]
NO_CLIENTS: Mapping[str, Clients] = {}


async def clients_at(db: Connection, names: Sequence[str]) -> dict[str, Clients]:
    """Return the clients at each connection that has any, in order of registration."""
    found: dict[str, Clients] = {}
    for row in await devices.at_connections(db, names):
        profile = row.profile if row.enabled else ""
        generates, draws = uses_of(row)
        known = Client(row.id, row.lfdi, profile, row.holds_net_limit, row.set_max_w, row.own_group_id)
        client = known._replace(
            least_load_w=row.least_load_w or 0,
            is_protected=row.protected != "none",
            load_control_w=row.load_control_w,
            generates=generates,
            draws=draws,
            aggregator=row.client_name if row.client_kind == "aggregator" else "",
        )
        found[row.connection_name] = (*found.get(row.connection_name, ()), client)
    for plant in await plants.known(db):
        # Its set-points go another way, and bound the whole connection.
        if plant.connection_id in names and plant.connection_id not in found:
            found[plant.connection_id] = (PLANT,)
    return found


async def with_own_groups(db: Connection, at: Mapping[str, Clients], now: int) -> dict[str, Clients]:
    """Return the same clients, each that holds no net limits with a group of its own, which is made where it has none.

    Registration makes these groups, so that this rarely writes anything.
    """
    return {name: tuple([await _with_own_group(db, client, now) for client in clients]) for name, clients in at.items()}


async def _with_own_group(db: Connection, client: Client, now: int) -> Client:
    if client.holds_net_limit or client.own_group_id is not None:
        return client
    return client._replace(own_group_id=await give_own_group(db, client.device_id, now))


def see_devices_only(clients: Clients) -> bool:
    """Return whether there are clients, and none of them sees the connection's meter."""
    return bool(clients) and not any(client.sees_net for client in clients)


@dataclass(frozen=True)
class Sharing:
    """How the devices of one connection share its limits of generation and load."""

    policy: Policy = Policy.PROPORTIONAL
    devices: tuple[Device, ...] = ()
    """Devices of the feeder with their sizes, identified by LFDI."""

    @cached_property
    def _known(self) -> dict[str, Device]:
        return {device.lfdi.upper(): device for device in self.devices if device.lfdi}

    def size(self, client: Client) -> tuple[float, float]:
        """Return most generation and most load, W; infinite where not known."""
        known = self._known.get(client.lfdi)
        if known is not None:
            return known.max_gen_w, known.max_load_w
        sides = (client.generates, client.set_max_w), (client.draws, client.load_control_w)
        gen_w, load_w = (0.0 if not uses else np.inf if most is None else float(most) for uses, most in sides)
        return gen_w, load_w

    def parts(self, limits: Limits, clients: Clients) -> list[Limits]:
        """Return each client's part of a connection's limits of generation and load; a single client receives all.

        Each part is monotonic in the shared limit. So the sum of what devices hold, each from any moment or from the
        default, does not exceed the largest of the connection's limits at these moments.
        """
        if len(clients) == 1:
            return [limits]
        size = np.array([self.size(client) for client in clients])
        least = np.array([float(client.least_load_w) for client in clients])
        nothing = [None] * len(clients)
        gen, load = (
            nothing if watts is None else parts_of_load(watts, size[:, side], guaranteed, self.policy)
            for side, (watts, guaranteed) in enumerate(((limits.gen_w, 0.0 * least), (limits.load_w, least)))
        )
        return [_told(*one) for one in zip(clients, size, gen, load, strict=True)]

    def can_limit(self, client: Client) -> tuple[bool, bool]:
        """Return whether a client's import and export can be limited; true for a direction that it does not use.

        Import at protected connections is not limited: they keep all that they can draw, whatever the network.
        """
        gen_w, load_w = self.size(client)
        imports, exports = directions(client.profile, drlc=has_load_control(client))
        if client.profile == CSIP and client.set_max_w is None:
            # Its limit is a percentage of setMaxW, which it has not reported, so that no limit is sent.
            exports = False
        return (imports and not client.is_protected) or load_w == 0.0, exports or gen_w == 0.0


def _told(client: Client, size: Real, gen_w: int | None, load_w: int | None) -> Limits:
    """Return a device's part; profile csip is told no limit of zero of what the device does not do."""
    generates, draws = (size > 0.0).tolist()
    if client.profile == CSIP and (generates or draws):
        return Limits(gen_w=gen_w if generates else None, load_w=load_w if draws else None)
    return Limits(gen_w=gen_w, load_w=load_w)


class Controllability(NamedTuple):
    """Which directions can be limited at each connection of a problem, and at which control point."""

    imports: tuple[bool, ...]
    exports: tuple[bool, ...]
    control_point: tuple[str, ...]
    least_load_w: tuple[int, ...] = ()
    """What rules guarantee to the controllable loads of each connection."""
    fleets: tuple[str, ...] = ()
    """The aggregator at each connection, several joined by commas; empty where there is none."""


NOBODY: Mapping[str, frozenset[str]] = {}


def controllability_at(
    problem: Problem, at: Mapping[str, Clients], sharing: Sharing, ignored: Mapping[str, frozenset[str]] = NOBODY
) -> Controllability:
    """Return where the plan allows a limit, a client is registered, and every client there can and does keep it.

    ignored: by connection the directions in which a member of an aggregation there ignores its limits.
    """
    sides = {
        name: [sharing.can_limit(client) for client in at[name]] if at.get(name) else [(False, False)]
        for name in problem.connection_id
    }
    imports, exports = (
        tuple(
            bool(planned) and all(side[place] for side in sides[name]) and direction not in ignored.get(name, ())
            for name, planned in zip(problem.connection_id, problem.controlled(direction), strict=True)
        )
        for place, direction in enumerate(("import", "export"))
    )
    points = tuple(
        _control_point(point, at.get(name, ()))
        for name, point in zip(problem.connection_id, problem.control_points, strict=True)
    )
    fleets = tuple(
        ", ".join(sorted({client.aggregator for client in at.get(name, ()) if client.aggregator}))
        for name in problem.connection_id
    )
    return Controllability(imports, exports, points, least_by_connection(problem.connection_id, at), fleets)


def _control_point(planned: str, clients: Clients) -> str:
    """Return the control point at a connection: the planned one, as far as its clients can keep its limits.

    A limit of load beside the net export limit is for a single client: several would each take all of the load.
    """
    if planned == DEVICE or see_devices_only(clients):
        return DEVICE
    alone = len(clients) == 1 and clients[0].profile in LIMIT_LOAD
    return CHARGER if planned == CHARGER and (alone or not clients) else SITE


def with_controllability(problem: Problem, found: Controllability) -> Problem:
    """Return the problem with this controllability; the same object where it is equal."""
    before = tuple(map(bool, problem.controlled("import"))), tuple(map(bool, problem.controlled("export")))
    if found[:3] != (*before, problem.control_points):
        problem = replace(
            problem,
            controls_import=np.array(found.imports, dtype=bool),
            controls_export=np.array(found.exports, dtype=bool),
            control_point=found.control_point,
        )
    if problem.declared_share is not None and any(found.fleets) and tuple(problem.fleets or ()) != found.fleets:
        # A whole fleet at zero is tried beside a declared band; no other guarantee asks whose devices these are.
        problem = replace(problem, fleets=found.fleets)
    return with_least_loads(problem, found.least_load_w)


def without_client(problem: Problem, at: Mapping[str, Clients]) -> list[str]:
    """Return the connections with flexible power and without a registered client."""
    flexible = np.any((problem.flex_gen_w > 0.0) | (problem.flex_load_w > 0.0), axis=0).tolist()
    return [name for name, is_so in zip(problem.connection_id, flexible, strict=True) if is_so and not at.get(name)]


def uncontrolled_connections(problem: Problem) -> list[str]:
    """Return the connections with flexible power in a direction that cannot be limited."""
    sides = (("import", problem.flex_load_w), ("export", problem.flex_gen_w))
    free = np.any([~problem.controlled(name) & (flexible > 0.0).any(axis=0) for name, flexible in sides], axis=0)
    return [name for name, is_free in zip(problem.connection_id, free.tolist(), strict=True) if is_free]
