"""Quantities, units and qualities of measurements: each unit is converted once, when a value is read.

Inside, a quantity is the mean over its interval in SI units. Import and export are both positive; net is import
positive. Voltages are phase to neutral.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np

from gridmodel.arrays import Real
from gridmodel.errors import GridError


class Quantity(StrEnum):
    """Kind of a measured value, with its unit."""

    IMPORT = "import_w"
    EXPORT = "export_w"
    NET = "net_w"
    """import less export"""
    IMPORT_VAR = "import_var"
    EXPORT_VAR = "export_var"
    NET_VAR = "net_var"
    APPARENT = "va"
    VOLTAGE = "v"
    LOWEST_VOLTAGE = "v_min"
    HIGHEST_VOLTAGE = "v_max"
    CURRENT = "a"
    TEMPERATURE = "temp_c"
    IRRADIANCE = "ghi_w_m2"
    """global horizontal"""
    CLOUD = "cloud_share"
    WIND = "wind_m_s"
    TAP = "tap"
    STATE = "state"
    """of a switch: 1 closed, 0 open"""


ENERGY_OF = {
    Quantity.IMPORT: "import_wh",
    Quantity.EXPORT: "export_wh",
    Quantity.IMPORT_VAR: "import_varh",
    Quantity.EXPORT_VAR: "export_varh",
}
"""Columns of energies in our own format."""
MEANS_OF_SEVERAL = frozenset(
    {
        Quantity.VOLTAGE,
        Quantity.TEMPERATURE,
        Quantity.IRRADIANCE,
        Quantity.CLOUD,
        Quantity.WIND,
        Quantity.TAP,
        Quantity.STATE,
    }
)
"""Quantities of which the registers of one place are averaged, not summed."""


class Quality(IntEnum):
    """How a value came about; of several values the largest counts."""

    MEASURED = 0
    ESTIMATED = 1
    SUBSTITUTED = 2
    SUSPECT = 3
    FORECAST = 4
    MISSING = 5
    """of a cell without a value; never stored"""


class Unit(NamedTuple):
    """Unit of a file's values."""

    dimension: str
    """W, var, VA, V, A, C, W/m2, share, m/s or none"""
    factor: float
    """by which a value becomes one in SI"""
    is_energy: bool = False
    """the value is a sum over its interval, in W s after the factor"""
    offset: float = 0.0
    """is added before the factor"""


HOUR_S = 3600.0
UNITS: dict[str, Unit] = {
    "w": Unit("W", 1.0),
    "kw": Unit("W", 1e3),
    "mw": Unit("W", 1e6),
    "wh": Unit("W", HOUR_S, is_energy=True),
    "kwh": Unit("W", 1e3 * HOUR_S, is_energy=True),
    "mwh": Unit("W", 1e6 * HOUR_S, is_energy=True),
    "var": Unit("var", 1.0),
    "kvar": Unit("var", 1e3),
    "mvar": Unit("var", 1e6),
    "varh": Unit("var", HOUR_S, is_energy=True),
    "kvarh": Unit("var", 1e3 * HOUR_S, is_energy=True),
    "mvarh": Unit("var", 1e6 * HOUR_S, is_energy=True),
    "va": Unit("VA", 1.0),
    "kva": Unit("VA", 1e3),
    "mva": Unit("VA", 1e6),
    "v": Unit("V", 1.0),
    "kv": Unit("V", 1e3),
    "a": Unit("A", 1.0),
    "ka": Unit("A", 1e3),
    "c": Unit("C", 1.0),
    "f": Unit("C", 5 / 9, offset=-32.0),
    "k": Unit("C", 1.0, offset=-273.15),
    "w/m2": Unit("W/m2", 1.0),
    "kw/m2": Unit("W/m2", 1e3),
    "share": Unit("share", 1.0),
    "percent": Unit("share", 0.01),
    "okta": Unit("share", 0.125),
    "m/s": Unit("m/s", 1.0),
    "km/h": Unit("m/s", 1 / 3.6),
    "mph": Unit("m/s", 0.44704),
    "kn": Unit("m/s", 1852 / 3600),
    "none": Unit("none", 1.0),
}
DIMENSION = {
    Quantity.IMPORT: "W",
    Quantity.EXPORT: "W",
    Quantity.NET: "W",
    Quantity.IMPORT_VAR: "var",
    Quantity.EXPORT_VAR: "var",
    Quantity.NET_VAR: "var",
    Quantity.APPARENT: "VA",
    Quantity.VOLTAGE: "V",
    Quantity.LOWEST_VOLTAGE: "V",
    Quantity.HIGHEST_VOLTAGE: "V",
    Quantity.CURRENT: "A",
    Quantity.TEMPERATURE: "C",
    Quantity.IRRADIANCE: "W/m2",
    Quantity.CLOUD: "share",
    Quantity.WIND: "m/s",
    Quantity.TAP: "none",
    Quantity.STATE: "none",
}
SI_UNIT = {
    dimension: name
    for name, (dimension, factor, energy, offset) in UNITS.items()
    if factor == 1.0 and not energy and not offset
}
LARGEST = {"W": 1e9, "var": 1e9, "VA": 1e9, "V": 1e6, "A": 1e5, "C": 80.0, "W/m2": 1500.0, "share": 1.0, "m/s": 120.0}
"""Magnitude beyond which a value is refused: a unit has slipped."""


def unit_of(said: str) -> Unit:
    """The unit of this name, in any case; GridError where there is none."""
    found = UNITS.get(said.strip().lower())
    if found is None:
        raise GridError(f"unit {said!r} is none of {', '.join(UNITS)}")
    return found


def fits(quantity: Quantity, unit: str) -> bool:
    """Whether values of this quantity may come in this unit."""
    return unit_of(unit).dimension == DIMENSION[quantity]


def in_si(value: Real, unit: Unit, duration_s: Real) -> Real:
    """Means in SI units of values that are sums or means over their intervals of `duration_s` seconds."""
    scaled = (value + unit.offset) * unit.factor
    return np.asarray(scaled / duration_s if unit.is_energy else scaled, dtype=np.float64)
