"""Control points: where a client keeps net limits or limits of its own device, and directions that can be limited.

Where several clients stand behind one connection, one of them may hold its net limits; what its generation and load may
come to is divided over all of its devices by a stated policy.
"""

from __future__ import annotations

from collections.abc import Sequence

from envelope.field_rules import BadProblem
from envelope.problem.steps import select
from gridmodel.model.devices import DEVICE, HOLDERS, SITE, Device, settled

DIRECTIONS = {
    # opModMaxLimW caps generation; the 2018 edition has no limit on import (utility practice: DRLC for chargers).
    "csip": (False, True),
    "csip-aus-1.2": (True, True),
    "csip-aus-1.3": (True, True),
    "2030.5-2023": (True, True),
    "": (False, False),
}
"""per client profile, "" where no client answers: whether its import and its export can be limited"""


class ConnectionTaken(BadProblem):
    """Another device holds the import and export limits of this connection."""

    status = 409


def directions(profile: str, *, drlc: bool = False) -> tuple[bool, bool]:
    """Whether a client of this profile can be told an import and an export limit.

    drlc: it answers EndDeviceControls of demand response and load control.
    """
    if profile not in DIRECTIONS:
        raise BadProblem(f"no client profile {profile!r}; there are {', '.join(filter(None, DIRECTIONS))}")
    imports, exports = DIRECTIONS[profile]
    return imports or (drlc and bool(profile)), exports


def holders(devices: Sequence[Device]) -> dict[str, Device]:
    """Per connection the device that holds its net limits; refuses a second one."""
    found: dict[str, Device] = {}
    for device in settled(devices):
        if device.control_point in HOLDERS:
            first = found.setdefault(device.connection_id, device)
            if first is not device:
                raise ConnectionTaken(f"connection {device.connection_id}: {first.id} and {device.id}")
    return found


def control_points_of(connection_id: Sequence[str], devices: Sequence[Device]) -> tuple[str, ...]:
    """(C,) that of the holder of a connection's limits; `device` where none of its devices is one, else `site`."""
    holds = holders(devices)
    with_devices = {device.connection_id for device in devices}
    select(connection_id, sorted(with_devices))
    return tuple(
        holds[name].control_point if name in holds else DEVICE if name in with_devices else SITE
        for name in connection_id
    )
