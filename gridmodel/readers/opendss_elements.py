"""What stands in a solved OpenDSS circuit: elements with their admittances, sources, and customers with their ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.errors import GridError

CUSTOMER_CLASSES = ("load", "pvsystem", "generator", "storage")
NETWORK_CLASSES = ("line", "transformer", "capacitor", "reactor")
STANDING_CLASSES = ("regcontrol", "capcontrol", "swtcontrol")
"""controls that the engine has brought to rest"""
EPSILON_S, EPSILON = 2e-12, 1e-13
HOLDS_VOLTAGE = 3
"""model of a generator that holds its voltage"""


@dataclass(slots=True)
class Element:
    """One element of the circuit: class, name and its conductors as (bus, node number), terminal by terminal."""

    kind: str
    name: str
    ends: list[list[tuple[str, int]]]
    y: Complex
    rating_a: float = float("nan")
    third_rating_a: float = float("nan")
    windings_v: tuple[float, ...] = ()
    """rated phase-to-neutral voltage per winding of a transformer"""

    @property
    def conductors(self) -> list[tuple[str, int]]:
        """(bus, node number) of all terminals in a row."""
        return [conductor for end in self.ends for conductor in end]


@dataclass(slots=True)
class Customer:
    """A load, inverter, generator or storage: the pairs of nodes between which its phases stand."""

    kind: str
    name: str
    bus: str
    pairs: tuple[tuple[int, int], ...]
    """(node, node or 0 for earth) per phase"""
    nominal_v: float
    """phase-to-neutral, by its own rating"""
    power_va: complex
    """consumption as declared; of an inverter, generator or storage what it takes in the engine's solution"""
    size_va: float = 0.0
    """of an inverter or generator"""

    @property
    def element(self) -> str:
        """Name in the circuit."""
        return f"{self.kind}.{self.name}"


@dataclass(slots=True)
class Parts:
    """All of it, before anything is numbered."""

    name: str
    elements: list[Element] = field(default_factory=list)
    sources: list[tuple[Element, list[complex]]] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    base_v: dict[str, float] = field(default_factory=dict)
    """phase-to-neutral base per bus that has one"""
    notes: list[str] = field(default_factory=list)
    frequency_hz: float = 50.0


def parts_of(circuit: Any) -> Parts:
    """The parts of an engine's active circuit."""
    found = Parts(str(circuit.Name), frequency_hz=float(circuit.Solution.Frequency))
    for full_name in circuit.AllElementNames:
        circuit.SetActiveElement(full_name)
        active = circuit.ActiveCktElement
        kind, name = full_name.lower().split(".", 1)
        if not active.Enabled or kind in STANDING_CLASSES:
            continue
        if kind in CUSTOMER_CLASSES:
            found.customers.append(_customer(active, kind, name, found.notes))
        elif kind == "vsource":
            element = _element(active, kind, name)
            found.sources.append((element, _source_voltages(circuit, element)))
        elif kind in NETWORK_CLASSES:
            element = _element(active, kind, name)
            found.elements.append(element)
            if kind == "transformer":
                _rate_transformer(circuit, element)
        else:
            raise GridError(f"{full_name}: there is no model of class {kind} here")
    for k in range(circuit.NumBuses):
        circuit.SetActiveBusi(k)
        if circuit.ActiveBus.kVBase > 0:
            found.base_v[circuit.ActiveBus.Name.lower()] = 1e3 * float(circuit.ActiveBus.kVBase)
    if not found.sources:
        raise GridError("the circuit has no voltage source")
    return found


def _ends(active: Any) -> list[list[tuple[str, int]]]:
    buses = [str(bus).lower().split(".")[0] for bus in active.BusNames]
    numbers, width = list(active.NodeOrder), int(active.NumConductors)
    return [[(bus, int(n)) for n in numbers[k * width : (k + 1) * width]] for k, bus in enumerate(buses)]


def _element(active: Any, kind: str, name: str) -> Element:
    raw = np.asarray(active.Yprim, dtype=np.float64)
    size = round((len(raw) / 2) ** 0.5)
    y = (raw[0::2] + 1j * raw[1::2]).reshape(size, size, order="F")
    # What is left of an open conductor is rounding and OpenDSS's own 1e-12 S; it is no path.
    y[np.abs(y) <= max(EPSILON_S, EPSILON * np.abs(y).max(initial=0.0))] = 0.0
    normal_a = float(active.NormalAmps) if kind == "line" else 0.0
    return Element(kind, name, _ends(active), np.asarray(y), normal_a if normal_a > 0 else float("nan"))


def _rate_transformer(circuit: Any, element: Element) -> None:
    """Winding voltages, and the permitted current of each low-voltage phase: its share of kVA over its voltage."""
    one = circuit.Transformers
    one.Name = element.name
    three = int(circuit.ActiveCktElement.NumPhases) == 3
    volts, sizes = [], []
    for winding in range(1, int(one.NumWindings) + 1):
        one.Wdg = winding
        volts.append(one.kV * 1e3 / (np.sqrt(3) if three else 1.0))
        sizes.append(one.kVA * 1e3)
    one.Wdg = 1
    element.windings_v = tuple(volts)
    if three:
        element.rating_a = sizes[1] / 3 / volts[1]
        element.third_rating_a = sizes[2] / 3 / volts[2] if len(volts) > 2 else float("nan")
    else:
        element.rating_a = sizes[0] / (len(volts) - 1) / volts[-1]


def _source_voltages(circuit: Any, element: Element) -> list[complex]:
    sources = circuit.Vsources
    sources.Name = element.name
    phases = int(sources.Phases)
    volts = sources.BasekV * 1e3 * sources.pu / (np.sqrt(3) if phases > 1 else 1.0)
    angles = np.deg2rad(sources.AngleDeg - np.arange(phases) * 360.0 / phases)
    return [complex(v) for v in volts * np.exp(1j * angles)]


def _customer(active: Any, kind: str, name: str, notes: list[str]) -> Customer:
    """A customer by its declared phases and connection, never by how many of its nodes are not at earth."""
    bus, phases = _ends(active)[0][0][0], int(active.NumPhases)
    nodes = [n for _, n in _ends(active)[0]]
    delta = str(active.Properties("conn").Val).lower() in {"delta", "ll"}
    if delta:
        back = [*nodes[1:phases], nodes[0]] if phases == 3 else nodes[1 : phases + 1]
        pairs = tuple(zip(nodes[:phases], back, strict=True))
    else:
        pairs = tuple((node, nodes[phases] if len(nodes) > phases else 0) for node in nodes[:phases])
    kv = 1e3 * float(active.Properties("kv").Val)
    between = delta or phases > 1 or all(pairs[0])
    size = 1e3 * float(active.Properties("kva").Val) if kind != "load" else 0.0
    if kind == "generator" and int(float(active.Properties("model").Val)) == HOLDS_VOLTAGE:
        notes.append(f"generator {name}: holds its voltage in the file; it is taken as constant power")
    if kind == "load":
        power = 1e3 * complex(*(float(active.Properties(p).Val) for p in ("kw", "kvar")))
    else:
        power = 1e3 * complex(*np.asarray(active.TotalPowers)[:2])
    return Customer(kind, name, bus, _at_phases(pairs), kv / np.sqrt(3) if between else kv, power, size)


def _at_phases(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The pairs that are not short circuits, each with its phase first and earth last."""
    turned = tuple((a, b) if a else (b, a) for a, b in pairs)
    return tuple(pair for pair in turned if pair[0] != pair[1])
