"""Lines, transformers and the source with the parameters a planner knows them by.

Readers produce these, `gridmodel.model.admittance` turns them into primitive admittances, the reference solvers of
`gridmodel.solvers` take them as they are, and `gridmodel.validate` checks them. One object per element, SI units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.model.findings import Finding
from gridmodel.model.regulators import Regulator

JOINT_OHM = 1e-6
LARGEST, SMALLEST = 1e12, 1e-9
"""no size of equipment is beyond, in any unit; squares and quotients would run over"""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node: id, phases it carries, nominal phase-to-neutral voltage, place."""

    id: str
    nominal_v: float
    phases: str = "abc"
    x: float = float("nan")
    y: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line or cable as total series impedance and total shunt admittance over its phases (pi model)."""

    id: str
    from_node: str
    to_node: str
    phases: str
    length_m: float
    z_ohm: Complex
    """(k, k) for k phases, whole length"""
    b_s: Complex
    """(k, k) shunt admittance of the whole length, S; half at each end"""
    rating_a: float
    line_type: str = ""
    zero_sequence_given: bool = True
    closed: tuple[bool, bool] = (True, True)
    """switch state at the from and the to end"""

    @property
    def series_ohm(self) -> Complex:
        """(k, k) series impedance to compute with: a line of no length is a joint of a microohm."""
        return self.z_ohm if np.any(self.z_ohm) else np.eye(len(self.z_ohm), dtype=np.complex128) * JOINT_OHM


@dataclass(frozen=True, slots=True, eq=False)
class Transformer:
    """A three-phase transformer by its sequence impedances on the low-voltage side's rated base."""

    id: str
    hv_node: str
    lv_node: str
    s_rated_va: float
    hv_v: float
    lv_v: float
    """rated line-to-line voltages, V"""
    z1_pu: complex
    z0_pu: complex
    """short-circuit impedance in positive and zero sequence, on s_rated_va"""
    connection: str = "Dyn"
    """vector group without its clock number"""
    shift_degree: float = 30.0
    """the low-voltage side lags by this much"""
    tap_ratio: float = 1.0
    """turns of the tapped side over its rated turns"""
    tap_side: str = "hv"
    magnetising_pu: complex = 0j
    """shunt admittance in positive sequence, on s_rated_va"""
    z0_magnetising_pu: complex = complex("inf")
    """zero-sequence magnetising impedance (matters to Yyn only)"""
    zero_sequence_given: bool = True
    tap: int = 0
    tap_min: int = 0
    tap_max: int = 0
    tap_step_percent: float = 0.0
    rating_factor: float = 1.0
    """permitted current over the rated one"""

    @property
    def rating_a(self) -> float:
        """Permitted low-voltage current per phase: s_rated / (sqrt(3) rated lv_v), by the factor."""
        return self.rating_factor * self.s_rated_va / (np.sqrt(3.0) * self.lv_v) if self.lv_v > 0 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class CentreTap:
    """A single-phase transformer with a centre-tapped 120/240 V secondary, its neutral earthed."""

    id: str
    hv_node: str
    hv_phases: str
    """"a" for phase to neutral, "ab" for phase to phase"""
    lv_node: str
    s_rated_va: float
    hv_v: float
    """rated voltage across the high-voltage winding, V"""
    lv_v: float
    """rated voltage of one half of the secondary, V"""
    z_pu: complex
    """short-circuit impedance from the high-voltage winding to the whole secondary, on s_rated_va"""
    magnetising_pu: complex = 0j

    @property
    def rating_a(self) -> float:
        """Permitted current per leg: half the power over one half's voltage."""
        return self.s_rated_va / (2 * self.lv_v) if self.lv_v > 0 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Supply:
    """The upstream network: voltage behind a short-circuit impedance."""

    node: str
    v: Complex
    """(3,) phase-to-neutral, V"""
    z1_ohm: complex = 0j
    z0_ohm: complex = 0j


@dataclass(frozen=True, slots=True, eq=False)
class Connection:
    """A customer's point: id, node and phase (a key of `network.PORT_PHASES`)."""

    id: str
    node: str
    phase: str


@dataclass(frozen=True, slots=True, eq=False)
class Capacitor:
    """A shunt capacitor bank, each phase to neutral; of negative size a reactor."""

    id: str
    node: str
    phases: str
    q_rated_var: float
    """all its phases together, at the node's nominal voltage"""
    closed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Equipment:
    """All elements of a feeder, as read."""

    name: str
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    transformers: tuple[Transformer, ...]
    supply: Supply
    connections: tuple[Connection, ...]
    frequency_hz: float = 50.0
    centre_taps: tuple[CentreTap, ...] = ()
    capacitors: tuple[Capacitor, ...] = ()
    regulators: tuple[Regulator, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """what the reader assumed"""
    other_supplies: tuple[Supply, ...] = ()
    """further upstream networks; their voltages keep the ratio that they have to the supply's"""
    findings: tuple[Finding, ...] = ()
    """what the reader found worth saying"""
    source_file: str = ""
    """the file with `own_elements`"""
    own_load_va: Mapping[str, complex] = field(default_factory=dict)
    """per connection, what it takes by the file itself, consumption positive, VA"""
    own_elements: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """per connection, its rows in the file that it was read from: a table and a row, "load.3" """
