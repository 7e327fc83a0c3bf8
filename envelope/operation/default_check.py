"""Check of defaults: what holds without an active control must be inside the verified limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from envelope.operation import net_to_device
from envelope.operation.clients import CSIP
from envelope.problem import Direction
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.findings import LOOSE, some
from envelope.schedule.schedule import whole_w_below
from gridmodel.arrays import Real
from sep2.operations import inherited
from sep2.rules.defaults import limits_of
from sep2.rules.limits import Limits
from sep2.store.connection import Connection

Pair = tuple[int | None, int | None]


class InEffect(NamedTuple):
    """Default at a connection as import and export, W: of the holder of its net limits, and of all others together.

    Import of a holder is load where it limits a charger.
    """

    net: Pair | None
    parts: Pair | None
    """None: there is no such client. A limit in it that is None is not set."""


async def in_effect(db: Connection, schedule: EnvelopeSchedule) -> dict[str, InEffect]:
    """Return the default at each connection that has a device, as its devices are served it."""
    of_devices: dict[str, dict[int, Limits]] = {}
    holders: dict[str, int] = {}
    for one in await inherited.at_connections(db, schedule.connection_id):
        of_devices.setdefault(one.connection_id, {})[one.device_id] = limits_of(one.default)
        if one.holds_net_limit and one.profile != CSIP:
            holders[one.connection_id] = one.device_id
    found = {}
    for column, name in enumerate(schedule.connection_id):
        if name in of_devices:
            holder = None if net_to_device.is_device(schedule, column) else holders.get(name)
            found[name] = _in_effect(of_devices[name], holder, is_charger=net_to_device.is_charger(schedule, column))
    return found


def _in_effect(devices: Mapping[int, Limits], holder: int | None, *, is_charger: bool) -> InEffect:
    others = [limits for device, limits in devices.items() if device != holder]
    parts = (_sum([one.load_w for one in others]), _sum([one.gen_w for one in others])) if others else None
    if holder is None:
        return InEffect(None, parts)
    own = net_to_device.charger_of(devices[holder]) if is_charger else devices[holder]
    return InEffect(own[:2], parts)


def _sum(several: Sequence[int | None]) -> int | None:
    """Return the sum; None where one is not limited."""
    known = [watts for watts in several if watts is not None]
    return sum(known) if len(known) == len(several) else None


def looser(schedule: EnvelopeSchedule, default: Mapping[str, InEffect], now: int, *, counted: bool = True) -> list[str]:
    """Return the connections that could exceed a limit from now on while they hold these defaults.

    counted: whether limits up to the default that the schedule was verified with are accepted.
    """
    ahead = slice(max(int(np.searchsorted(schedule.step_start, now, side="right")) - 1, 0), None)
    beyond = np.zeros(len(schedule.connection_id), dtype=bool)
    for position, direction in enumerate((Direction.IMPORT, Direction.EXPORT)):
        side, limit = schedule.side(direction), schedule.kept_limit_w(direction)[ahead]
        most = np.stack([_most(schedule, default, k, position)[ahead] for k in range(len(side.default_w))], axis=1)
        verified = np.maximum(limit, side.default_w) if counted else limit
        # Limits at capacity are whole watts too.
        reachable = np.minimum(most, whole_w_below(np.maximum(side.capacity_w[ahead], 0.0)))
        beyond |= ((reachable > verified) & side.binding.is_network[ahead]).any(axis=0)
    return [name for name, is_beyond in zip(schedule.connection_id, beyond, strict=True) if is_beyond]


def finding(names: Sequence[str]) -> tuple[str, ...]:
    """Return the finding that names these connections; nothing where there are none."""
    return (f"{LOOSE}: on their default, {some(names)} could go beyond a published limit",) if names else ()


def _most(schedule: EnvelopeSchedule, default: Mapping[str, InEffect], column: int, side: int) -> Real:
    """Return the most that a connection reaches on its default, (T,) W; infinite where no limit is set."""
    net, device_w, own = (
        (schedule.kept_limit_w("import"), schedule.load_limit_w, schedule.default_import_w),
        (schedule.export_limit_w, schedule.gen_limit_w, schedule.default_export_w),
    )[side]
    known = default.get(schedule.connection_id[column])
    if known is None:
        return np.full(schedule.steps, float(own[column]))
    found = np.full(schedule.steps, -np.inf)
    if known.net is not None:
        found = np.maximum(found, _or_infinite(known.net[side]))
    if known.parts is not None:
        found = np.maximum(found, _or_infinite(known.parts[side]) + (net - device_w)[:, column])
    return found


def _or_infinite(watts: int | None) -> float:
    """Return a limit, infinite where none is set."""
    return np.inf if watts is None else float(watts)
