"""Limits that need no calculation: the default or the contract, published where envelopes are not to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from envelope.operation import handover, net_to_device
from envelope.operation.clients import Clients, Sharing, clients_at, see_devices_only
from envelope.operation.handover import Line
from envelope.operation.mode import Safe
from envelope.operation.publication import SOURCE, Published, Tally, Terms, issue
from envelope.problem import Problem
from envelope.schedule.findings import NO_SAFE, some
from gridmodel.model.devices import DEVICE
from sep2.operations.controls import intervals_of, limits_of
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls, defaults, evidence
from sep2.store.connection import Connection

DAY_S = 86_400
UNKNOWN = Limits()


async def names_of(db: Connection, problem: Problem | None, now: int) -> Sequence[str]:
    """The connections of a feeder; where its plan can not be read, those that have an envelope."""
    return problem.connection_id if problem is not None else await evidence.limited(db, SOURCE, now)


def firm_in(names: Sequence[str], fields: Mapping[str, Any]) -> dict[str, Limits]:
    """The contracts of these connections in the fields of a problem."""
    sides = fields.get("firm_import_w"), fields.get("firm_export_w")
    return {
        name: Limits(*(None if side is None else int(np.broadcast_to(side, (len(names),))[k]) for side in sides))
        for k, name in enumerate(names)
    }


class Place(NamedTuple):
    """One connection, and what its safe limits are made of."""

    known: Any
    clients: Clients
    firm: Limits
    """the plan's contract"""
    band: net_to_device.Band | None
    """of the base load; None: not known"""
    of_device: bool
    """whether nobody there keeps net limits"""
    sharing: Sharing

    @property
    def contract(self) -> Limits:
        """Of the registered contract and the plan's the first that is known."""
        return _first(Limits(self.known.firm_import_w, self.known.firm_export_w), self.firm)

    @property
    def contract_of_devices(self) -> Limits:
        """What the contract leaves to generation and load; not set where the base load is not known."""
        return UNKNOWN if self.band is None else net_to_device.less_base(self.contract, self.band)


@dataclass(frozen=True)
class Known:
    """What is known of a feeder's connections, as far as safe limits need it."""

    firm: Mapping[str, Limits] = field(default_factory=dict)
    bands: Mapping[str, net_to_device.Band] = field(default_factory=dict)
    of_device: frozenset[str] = frozenset()
    sharing: Sharing = field(default_factory=Sharing)
    adoption_s: int = 0

    def place(self, row: Any, clients: Clients) -> Place:
        """One connection of it."""
        name = row.connection_id
        of_device = name in self.of_device or see_devices_only(clients)
        return Place(row, clients, self.firm.get(name, UNKNOWN), self.bands.get(name), of_device, self.sharing)


def known_of(names: Sequence[str], fields: Mapping[str, Any], sharing: Sharing) -> Known:
    """What the fields of a problem say."""
    points = fields.get("control_point") or ()
    of_device = frozenset(name for name, point in zip(names, points, strict=False) if point == DEVICE)
    adoption_s = int(fields.get("adoption_s", 0))
    return Known(firm_in(names, fields), net_to_device.bands_in(names, fields), of_device, sharing, adoption_s)


async def limits_of_line(db: Connection, place: Place, line: Line, which: Safe) -> Limits:
    """The safe limits of one group at a connection: of contract and default the first that is known."""
    row = await defaults.of_group(db, line.group_id)
    said = UNKNOWN if row is None else limits_of(row)
    if line.part is None and not place.of_device:
        contract, default = place.contract, said._replace(gen_w=None, load_w=None)
        if default == UNKNOWN and net_to_device.is_whole(said) and not net_to_device.is_whole(contract):
            return said
    else:
        contract, default = place.contract_of_devices, said._replace(import_w=None, export_w=None)
        if line.part is not None:
            contract = place.sharing.parts(contract, place.clients)[line.part]
    return _first(contract, default) if which is Safe.CONTRACT else _first(default, contract)


async def publish_safe(
    db: Connection, names: Sequence[str], which: Safe, now: int, *, known: Known, terms: Terms
) -> Published:
    """Have every connection's controls say its safe limits, until the end of tomorrow at least.

    A connection of which no safe limit is known keeps what it has, and is named in a finding.
    """
    tally, unknown, at = Tally(), list[str](), await clients_at(db, names)
    for name in names:
        row = await connections.by_name(db, name)
        if row is None:
            tally.missing.append(name)
            continue
        place = known.place(row, at.get(name, ()))
        several = await handover.lines(db, row, place.clients, now, of_device=place.of_device)
        limits = {line: await limits_of_line(db, place, line, which) for line in several}
        if not all(map(net_to_device.is_whole, limits.values())):
            unknown.append(name)
            continue
        tally.connections += 1
        await _tell(db, limits, now, until_s=known.adoption_s, terms=terms, tally=tally)
    return tally.published([f"{NO_SAFE}: neither contract nor default of {some(unknown)} is known"] if unknown else [])


async def _tell(
    db: Connection, limits: Mapping[Line, Limits], now: int, *, until_s: int, terms: Terms, tally: Tally
) -> None:
    """Have the groups of one connection say these limits; parts that grow wait for those that shrink."""
    parted = handover.parted(list(limits))
    tally.parts += len(parted)
    before = {line: intervals_of(await controls.standing(db, line.group_id, now), SOURCE) for line in limits}
    eases = any(before[line] for line in parted)
    for line, safe in limits.items():
        end = max([(now // DAY_S + 2) * DAY_S, *(old.end for old in before[line])])
        wanted = [Interval(now, end, safe)]
        if eases and line in parted:
            floor = await handover.floor_of(db, line.group_id, safe)
            wanted = handover.eased(wanted, before[line], floor.was, now + until_s)
        await issue(db, line.group_id, wanted, now, terms=terms, tally=tally)


def _first(one: Limits, other: Limits) -> Limits:
    """Of each limit the first that is set."""
    return Limits(*(b if a is None else a for a, b in zip(one, other, strict=True)))
