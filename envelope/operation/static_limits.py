"""Static limits: the default or the contract, published in place of envelopes.

As `publication`, in three passes: collect, decide, issue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from envelope.operation import handover, net_to_device
from envelope.operation.clients import Clients, Sharing, clients_at, see_devices_only, with_own_groups
from envelope.operation.group_state import default_of, standing_of
from envelope.operation.group_update import GroupUpdate
from envelope.operation.handover import Recipient
from envelope.operation.mode import StaticLimits
from envelope.operation.publication import issue
from envelope.operation.publication_terms import SOURCE, PublicationReport
from envelope.problem import Problem
from envelope.schedule.findings import NO_SAFE, some
from gridmodel.model.devices import DEVICE
from sep2.operations.controls import MOST_AHEAD
from sep2.rules.floors import raised
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, evidence
from sep2.store.connection import Connection

DAY_S = 86_400
UNKNOWN = Limits()


class ConnectionBasis(NamedTuple):
    """One connection, with the data from which its static limits are computed."""

    row: Any
    """Of the connection's table."""
    clients: Clients
    firm: Limits
    """Contract in the plan."""
    band: net_to_device.Band | None
    """Band of the base load; None: not known."""
    of_device: bool
    """Whether no client there can keep net limits."""
    sharing: Sharing

    @property
    def contract(self) -> Limits:
        """Registered contract, and the plan's where none is registered."""
        return _first(Limits(self.row.firm_import_w, self.row.firm_export_w), self.firm)

    @property
    def contract_of_devices(self) -> Limits:
        """Contract less the base load, as limits of generation and load; unset where the base load is not known."""
        return UNKNOWN if self.band is None else net_to_device.less_base(self.contract, self.band)

    @property
    def recipients(self) -> list[Recipient]:
        """Groups that receive the limits, the connection's own first."""
        return handover.recipients_of(self.row.device_group_id, self.clients, of_device=self.of_device)

    def limits(self, recipient: Recipient, default: Limits, which: StaticLimits) -> Limits:
        """Return the static limits of one recipient: contract or default, and the other where one is not known.

        default: limits of the recipient's default.
        """
        if recipient.part is None and not self.of_device:
            contract, net = self.contract, default._replace(gen_w=None, load_w=None)
            of_other_kind = not net_to_device.is_whole(net) and net_to_device.is_whole(default)
            if of_other_kind and not net_to_device.is_whole(contract):
                return default
            default = net
        else:
            contract, default = self.contract_of_devices, default._replace(import_w=None, export_w=None)
            if recipient.part is not None:
                contract = self.sharing.parts(contract, self.clients)[recipient.part]
        found = _first(contract, default) if which is StaticLimits.CONTRACT else _first(default, contract)
        clients = self.clients if recipient.part is None else self.clients[recipient.part : recipient.part + 1]
        return raised(found, sum(client.least_load_w for client in clients))


@dataclass(frozen=True)
class FeederBasis:
    """Data of a feeder's problem from which its static limits are computed."""

    firm: Mapping[str, Limits] = field(default_factory=dict)
    bands: Mapping[str, net_to_device.Band] = field(default_factory=dict)
    of_device: frozenset[str] = frozenset()
    sharing: Sharing = field(default_factory=Sharing)
    adoption_s: int = 0

    def at(self, row: Any, clients: Clients) -> ConnectionBasis:
        """Return the basis of one connection."""
        name = row.connection_id
        of_device = name in self.of_device or see_devices_only(clients)
        firm, band = self.firm.get(name, UNKNOWN), self.bands.get(name)
        return ConnectionBasis(row, clients, firm, band, of_device, self.sharing)


class _State(NamedTuple):
    """State of one recipient: its default and the engine's standing controls."""

    default: Limits
    standing: Sequence[Interval]


Collected = tuple[ConnectionBasis, dict[Recipient, _State]]


async def names_of(
    db: Connection, problem: Problem | None, now: int, *, besides: Callable[[], Collection[str]] = tuple
) -> Sequence[str]:
    """Return the connections of a feeder; where its plan cannot be read, those that have an envelope.

    besides: returns the connections of other plans, which are not among these.
    """
    if problem is not None:
        return problem.connection_id
    others = set(besides())
    return [name for name in await evidence.limited(db, SOURCE, now) if name not in others]


def firm_in(names: Sequence[str], fields: Mapping[str, Any]) -> dict[str, Limits]:
    """Return the contracts of these connections from the fields of a problem."""
    sides = fields.get("firm_import_w"), fields.get("firm_export_w")
    return {
        name: Limits(*(None if side is None else int(np.broadcast_to(side, (len(names),))[k]) for side in sides))
        for k, name in enumerate(names)
    }


def basis_of(names: Sequence[str], fields: Mapping[str, Any], sharing: Sharing) -> FeederBasis:
    """Return the basis of static limits from the fields of a problem."""
    points = fields.get("control_point") or ()
    of_device = frozenset(name for name, point in zip(names, points, strict=False) if point == DEVICE)
    adoption_s = int(fields.get("adoption_s", 0))
    return FeederBasis(firm_in(names, fields), net_to_device.bands_in(names, fields), of_device, sharing, adoption_s)


async def publish_static(
    db: Connection,
    names: Sequence[str],
    which: StaticLimits,
    now: int,
    *,
    basis: FeederBasis,
    horizon_events: int = MOST_AHEAD,
) -> PublicationReport:
    """Issue every connection's static limits, until the end of tomorrow at least.

    A connection without known static limits keeps its controls and is named in a finding.
    """
    collected, missing = await _collect(db, names, now, basis)
    updates, unknown, parts = list[GroupUpdate](), list[str](), 0
    for connection, states in collected:
        decided = _decide(connection, states, which, (now, basis.adoption_s, horizon_events))
        if decided is None:
            unknown.append(connection.row.connection_id)
            continue
        updates += decided
        parts += len(handover.sharing_recipients(list(states)))
    report = await issue(db, updates, now)
    finding = f"{NO_SAFE}: neither contract nor default of {some(unknown)} is known"
    return replace(
        report,
        connections=len(collected) - len(unknown),
        parts=parts,
        missing=tuple(missing),
        findings=(finding,) if unknown else (),
    )


async def _collect(
    db: Connection, names: Sequence[str], now: int, basis: FeederBasis
) -> tuple[list[Collected], list[str]]:
    """Read the state of every recipient; and the names of connections that are not registered."""
    found, missing = list[Collected](), list[str]()
    at = await with_own_groups(db, await clients_at(db, names), now)
    for name in names:
        row = await connections.by_name(db, name)
        if row is None:
            missing.append(name)
            continue
        connection = basis.at(row, at.get(name, ()))
        states = {}
        for recipient in connection.recipients:
            default, _ = await default_of(db, recipient.group_id)
            states[recipient] = _State(default, await standing_of(db, recipient.group_id, now))
        found.append((connection, states))
    return found, missing


def _decide(
    connection: ConnectionBasis, states: Mapping[Recipient, _State], which: StaticLimits, when: tuple[int, int, int]
) -> list[GroupUpdate] | None:
    """Return the controls of one connection's groups, growing parts waiting for shrinking ones; None: not known."""
    now, adoption_s, horizon_events = when
    limits = {recipient: connection.limits(recipient, state.default, which) for recipient, state in states.items()}
    if not all(map(net_to_device.is_whole, limits.values())):
        return None
    sharing = handover.sharing_recipients(list(limits))
    changes_hands = any(states[recipient].standing for recipient in sharing)
    updates = []
    for recipient, own in limits.items():
        state = states[recipient]
        end = max([(now // DAY_S + 2) * DAY_S, *(old.end for old in state.standing)])
        wanted = [Interval(now, end, own)]
        if changes_hands and recipient in sharing:
            wanted = handover.until_adopted(wanted, state.standing, state.default, now + adoption_s)
        updates.append(GroupUpdate(recipient.group_id, wanted, horizon_events))
    return updates


def _first(one: Limits, other: Limits) -> Limits:
    """Return of each limit the first that is set."""
    return Limits(*(b if a is None else a for a, b in zip(one, other, strict=True)))
