"""Measurements of any source; by default those that clients' meters have mirrored to the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sep2.rules.metering import ReadingSign
from sep2.store import evidence
from sep2.store.connection import Connection

HEAD = ""
"""The place of measurements at the head of the feeder."""
V, W, VAR, FORWARD, REVERSE, WHOLE = 29, 38, 63, 1, 19, 0
"""UomType, FlowDirectionType and PhaseCode (all phases together) of IEEE 2030.5."""
MEANS = (0, 2)
"""DataQualifierType of means: not applicable, and average."""
AT_THE_CONNECTION = 1 << 1
"""RoleFlagsType: a premises aggregation point, which measures the whole connection."""


class Quantity(StrEnum):
    """Kind of a measurement."""

    VOLTAGE = "V"
    """Phase to neutral."""
    POWER = "W"
    """Net import of a connection."""
    VAR = "var"
    """Net reactive power of a connection, consumption positive."""
    CURRENT = "A"
    """Of a monitored branch and phase, such as "line L23, phase b"."""


class Measured(NamedTuple):
    """Mean of a quantity over a time."""

    place: str
    """A connection, a branch and phase, or HEAD."""
    quantity: Quantity
    start: int
    duration: int
    value: float

    @property
    def end(self) -> int:
        """End of its time."""
        return self.start + self.duration


Measurements = Callable[[Connection, Sequence[str], int, int], Awaitable[Sequence[Measured]]]
"""Return the measurements at these connections and at the feeder from a begin to an end, epoch seconds."""


async def from_mirrors(db: Connection, names: Sequence[str], since: int, until: int) -> list[Measured]:
    """Return voltages, and net power and var of proven sign, that meters of whole connections have mirrored."""
    power: dict[tuple[str, Quantity, int, int, int], float] = {}
    found = []
    for row in await evidence.mirrored(db, names, since, until):
        if not row.role_flags & AT_THE_CONNECTION or row.data_qualifier not in MEANS:
            continue
        value = row.value * 10.0**row.multiplier
        if row.uom == V:
            found.append(Measured(row.connection_id, Quantity.VOLTAGE, row.start, row.duration, value))
        elif row.uom in (W, VAR) and row.phase == WHOLE and row.reading_sign != ReadingSign.UNPROVEN:
            quantity = Quantity.POWER if row.uom == W else Quantity.VAR
            key = row.connection_id, quantity, row.mirror_usage_point_id, row.start, row.duration
            power[key] = power.get(key, 0.0) + _signed(row, value)
    for (name, quantity, _, start, duration), value in power.items():
        found.append(Measured(name, quantity, start, duration, value))
    return found


def _signed(row: Any, value: float) -> float:
    """Return the value with import positive; some meters have a series per direction, others one signed series."""
    value *= ReadingSign(row.reading_sign).factor
    return -value if row.flow_direction == REVERSE else value
