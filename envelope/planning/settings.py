"""Inverter settings that a study tries, and the commands that send them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from envelope.problem.inverter_curves import RegionCurves
from gridmodel.flow.inverters import Curve

OVERSIZE = 1.1
"""assumed rating of a plant's inverters in VA over its active power"""


@dataclass(frozen=True)
class Setting:
    """Response of a plant's inverters: reactive power, and less active power at high voltage."""

    name: str
    power_factor: float = 1.0
    """absorbing while it feeds"""
    volt_var: Curve | None = None
    """share of the plant's size, by voltage per unit"""
    volt_watt: Curve | None = None
    source: str = ""

    @property
    def tan_phi(self) -> float:
        """Var produced per W fed; negative absorbs."""
        return -math.tan(math.acos(self.power_factor))

    @property
    def answers(self) -> bool:
        """Whether it depends on the voltage."""
        return self.volt_var is not None or self.volt_watt is not None

    def commands(self, connection: str) -> list[str]:
        """Lines for a shell that send it to a plant's inverters as their default; curves first, by their mRID."""
        if self.power_factor < 1.0:
            return [f"sep2 default set --connection {connection} --power-factor {self.power_factor:g}:absorb"]
        found, flags = [], []
        for kind, curve in (("volt-var", self.volt_var), ("volt-watt", self.volt_watt)):
            if curve is not None:
                points = " ".join(f"{round(100.0 * v, 2):g}:{100.0 * share:g}" for v, share in curve.points)
                name = kind.replace("-", "_").upper()
                made = f"sep2 curve add {kind} {points} --connection {connection} --of setMaxW --json"
                found.append(f"{name}=$({made} | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"mrid\"])')")
                flags.append(f'--curve "${name}"')
        return [*found, f"sep2 default set --connection {connection} {' '.join(flags)}"] if found else []


UNITY = Setting("power factor 1")


def settings_tried(region: RegionCurves) -> list[Setting]:
    """Settings, the simplest first."""
    volt_var, volt_watt, source = region.volt_var.curve, region.volt_watt.curve, region.source
    return [
        UNITY,
        *(Setting(f"power factor {value:g} absorbing", value) for value in (0.98, 0.95, 0.9)),
        Setting("volt-var", volt_var=volt_var, source=source),
        Setting("volt-watt", volt_watt=volt_watt, source=source),
        Setting("volt-var and volt-watt", volt_var=volt_var, volt_watt=volt_watt, source=source),
    ]
