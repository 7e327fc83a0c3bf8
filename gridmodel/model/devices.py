"""What stands behind a connection: generation, storage and loads that can be told something, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

SITE, DEVICE, CHARGER = "site", "device", "charger"
CONTROL_POINTS = (SITE, DEVICE, CHARGER)
"""`site`: holds the net limits, measured at the connection; `device`: limits of its own generation and load;
`charger`: holds the export limit, measured at the connection, and a limit of the load of chargers behind it"""
HOLDERS = (SITE, CHARGER)
"""control points of which a connection has one at most"""


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a connection, or one gateway, as its installer registered it."""

    id: str
    connection_id: str
    type: str
    max_gen_w: float = 0.0
    max_load_w: float = 0.0
    aggregator_id: str = ""
    """who speaks for it; empty: the device itself"""
    control_point: str = ""
    """one of CONTROL_POINTS; empty where nobody said"""
    phases: str = ""
    """phases it stands on; empty: not known"""
    s_max_va: float = 0.0
    energy_wh: float = 0.0
    lfdi: str = ""
    standard: str = ""
    volt_var: str = ""
    """name of the curve it is set to; empty: none known"""

    @property
    def size_va(self) -> float:
        """Size of its inverter: what is given, or else its greatest generation."""
        return self.s_max_va or self.max_gen_w


def settled(devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices with a control point each: who is alone at a connection holds its net limits, others do not."""
    count: dict[str, int] = {}
    for device in devices:
        count[device.connection_id] = count.get(device.connection_id, 0) + 1
    return tuple(
        device if device.control_point else replace(device, control_point=_usual(count[device.connection_id]))
        for device in devices
    )


def _usual(companions: int) -> str:
    return SITE if companions == 1 else DEVICE
