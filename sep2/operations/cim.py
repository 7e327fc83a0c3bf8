"""What an ADMS is told of the groups of DER that the network's places make."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict
from sep2.operations.limit_course import LimitRun, limit_course
from sep2.operations.state_out import power_at
from sep2.rules import cim
from sep2.store import overrides, territory
from sep2.store.connection import Connection

MOST_DEVICES = 500
"""Devices whose limits ahead are looked up for one message."""
FLOWS = {"import": "forward", "export": "reverse"}


class PlaceTooLarge(BadValue):
    """Limits ahead are told of no more than 500 devices at once; ask for the places below it one by one."""


class NothingKnown(Conflict):
    """Nothing bounds any device of the place over this time, and nobody knows their size: set contracts, or limits."""


async def groups(db: Connection, row: Row[Any]) -> str:
    """A place and every place below it, each with the devices below it."""
    return cim.groups([await _group(db, one) for one in await territory.tree(db, row.id)])


async def statuses(db: Connection, row: Row[Any], now: int) -> str:
    """The latest power at a place and at every place below it; time: of the oldest reading that counts."""
    found = []
    for one in await territory.tree(db, row.id):
        there = {device.place_id for device in await _devices(db, one)} - {None}
        power = (await power_at(db, sorted(there))).values()
        watts, at = sum(each.watts for each in power), min((each.end for each in power), default=now)
        found.append((_named(one), cim.Measured(watts, at, len(power), len(there))))
    return cim.statuses(found)


async def dispatches(db: Connection, row: Row[Any], span: tuple[int, int], step_s: int) -> str:
    """The sums of limits at a place over a time: in each step the least, where a device has none its contract or size.

    A device of which neither is known is not counted, and the message says of how many of how many devices it is.
    """
    (row, *_) = await territory.tree(db, row.id)
    holders = [device for device in await _devices(db, row) if device.holds_net_limit]
    if len(holders) > MOST_DEVICES:
        raise PlaceTooLarge(f"{row.name} has {len(holders)}")
    steps = range(span[0], span[1], step_s)
    known: dict[str, list[list[int]]] = {flow: [] for flow in FLOWS.values()}
    for device in holders:
        runs = await limit_course(db, device.id, span, at_once=False)
        for direction, flow in FLOWS.items():
            bounds = [run for run in runs if run.direction == direction]
            theirs = _in_steps(bounds, steps, getattr(device, f"firm_{direction}_w") or device.nameplate_w)
            known[flow] += [theirs] if theirs is not None else []
    counted = {
        flow: cim.Schedule([sum(one) for one in zip(*each, strict=True)], len(each)) for flow, each in known.items()
    }
    limits = cim.Limits(span[0], step_s, {flow: one for flow, one in counted.items() if one.devices}, len(holders))
    if not limits.by_flow:
        raise NothingKnown(f"{row.name}: {len(holders)} devices")
    return cim.dispatches([(_named(row), limits)])


def _in_steps(runs: Sequence[LimitRun], steps: range, size: int | None) -> list[int] | None:
    """The least limit in each step; None where there is a step without any, and the size is unknown."""
    found = []
    for at in steps:
        said = [run.watts for run in runs if run.start < at + steps.step and at < run.end]
        if not said and size is None:
            return None
        found.append(min(said, default=size or 0))
    return found


async def _group(db: Connection, row: Row[Any]) -> cim.Group:
    members = [cim.Member(one.lfdi, one.connection_name or one.lfdi) for one in await _devices(db, row)]
    return _named(row)._replace(members=members)


def _named(row: Row[Any]) -> cim.Group:
    return cim.Group(row.program_mrid, row.name, row.kind)


async def _devices(db: Connection, row: Row[Any]) -> Sequence[Row[Any]]:
    return await overrides.devices_in(db, "place", row.id)
