"""An OpenDSS circuit as a network: every element as the admittance matrix that OpenDSS itself computes.

The master file is run without trust (`opendss_run`) and solved once by OpenDSS in an engine of its own; then the
primitive admittance of each element is taken as it is, so that line geometries, winding connections and core losses
are OpenDSS's. Loads, PV systems, generators and storage become connections (constant power); taps and capacitors stay
as they are after that solution. The equipment is not known, only its admittances.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.errors import FileError, GridError
from gridmodel.model.equipment import Connection
from gridmodel.model.findings import Finding
from gridmodel.model.network import (
    NEUTRAL,
    SIDE,
    Branches,
    Further,
    Network,
    Nodes,
    OwnShape,
    Source,
    Terminals,
    connect,
)
from gridmodel.readers.opendss_elements import CUSTOMER_CLASSES, Customer, Element, Parts, parts_of
from gridmodel.readers.opendss_engine import OpenCircuit, new_engine, open_circuit
from gridmodel.readers.opendss_shapes import shape_of
from gridmodel.readers.opendss_zones import PHASES, Zones

__all__ = ["CUSTOMER_CLASSES", "network_of", "new_engine", "open_circuit", "read_network"]

SUPPLY_NODE = "supply"
MOST_BUSES = 3
UNLIKE = 2.0
"""rated over nominal voltage, beyond which neither phases nor tolerance explain it"""


def read_network(path: str | Path, folder: str | Path | None = None) -> tuple[Network, dict[str, float], list[Finding]]:
    """The network of a master file, the inverter size in VA of each connection that has one, and findings.

    folder: where the files that it names may come from, by default its own folder.
    """
    circuit = open_circuit(Path(path), Path(folder) if folder else None)
    try:
        network, pv_va = network_of(circuit)
    except GridError as wrong:
        raise FileError(path, str(wrong)) from None
    used = () if circuit.folder is None else tuple(sorted(map(str, circuit.folder.used)))
    found = replace(network, circuit_file=str(path), circuit_folder=str(folder or ""), source_file=str(path))
    return replace(found, circuit_files=(str(path), *used)), pv_va, circuit.findings


def network_of(circuit: OpenCircuit) -> tuple[Network, dict[str, float]]:
    """The network of an open circuit, and the inverter size in VA of each connection that has one."""
    parts = parts_of(circuit.engine.ActiveCircuit)
    if not parts.elements:
        raise GridError("nothing but a source stands in the circuit")
    zones = Zones(parts)
    buses, phases = _buses(parts, zones)
    terminals = Terminals([*phases, "abc"])
    index = {bus: k for k, bus in enumerate([*buses, SUPPLY_NODE])}
    blocks = _Blocks(index, terminals, zones)
    for element in parts.elements:
        blocks.add(element)
    supply_v = blocks.add_supply(parts.sources)
    source_bus = parts.sources[0][0].ends[0][0][0]
    places = np.array([circuit.places.get(bus, (np.nan, np.nan)) for bus in [*buses, source_bus]])
    customers = _named(_merged(parts.customers, zones))
    given = [Connection(name, c.bus, zones.customer_phase(c)) for name, (c, *_) in customers.items()]
    circuit.findings += [Finding("note", "assumed", parts.name, "file", note) for note in parts.notes]
    circuit.findings += _unlikely_ratings(parts.customers, zones)
    network = Network(
        name=parts.name,
        nodes=Nodes(
            (*buses, SUPPLY_NODE),
            (*phases, "abc"),
            np.array([zones.nominal_v(bus) for bus in [*buses, source_bus]]),
            places[:, 0],
            places[:, 1],
        ),
        branches=blocks.branches(),
        source=Source(index[SUPPLY_NODE], np.array(terminals.side(index[SUPPLY_NODE], "abc"), dtype=np.intp), supply_v),
        connections=connect(given, index, terminals),
        terminal_node=terminals.node,
        terminal_phase=terminals.phase,
        frequency_hz=parts.frequency_hz,
        own_load_va={name: sum((c.power_va for c in own), 0j) for name, own in customers.items()},
        own_shape=_shapes(circuit, customers),
        own_elements={name: tuple(c.element for c in own) for name, own in customers.items()},
    )
    return network, {name: size for name, own in customers.items() if (size := sum(c.size_va for c in own))}


def _unlikely_ratings(customers: list[Customer], zones: Zones) -> list[Finding]:
    """Findings about rated voltages that are not those of their bus, whatever the connection."""
    found = []
    for c in customers:
        base_v = zones.nominal_v(c.bus)
        if not base_v / UNLIKE < c.nominal_v < base_v * UNLIKE:
            detail = f"rated {c.nominal_v:g} V to neutral at a bus of {base_v:g} V: in another unit, or at another bus?"
            found.append(Finding("warning", "unit_slip", c.element, "kv", detail))
    return found


def _shapes(circuit: OpenCircuit, customers: dict[str, tuple[Customer, ...]]) -> dict[str, OwnShape]:
    """The daily, or else yearly, load shape of each connection's load."""
    found = {}
    for name, own in customers.items():
        said = circuit.declared.get((own[0].kind, own[0].name))
        shape = said.given.get("daily", said.given.get("yearly", "")) if said and own[0].kind == "load" else ""
        if shape and (known := shape_of(circuit.declared, circuit.folder, shape)):
            found[name] = known
    return found


def _buses(parts: Parts, zones: Zones) -> tuple[list[str], list[str]]:
    """Buses in the order of the elements, and the phases of each."""
    present: dict[str, set[int]] = {}
    for element in parts.elements:
        for bus, number in element.conductors:
            present.setdefault(bus, set()).add(number)
    buses = list(present)
    return buses, ["".join(zones.phase(bus, n) for n in sorted(present[bus] - {0})) for bus in buses]


def _merged(customers: list[Customer], zones: Zones) -> list[tuple[Customer, ...]]:
    """Inverters and storage join the load at the same phases of the same bus; others are connections of their own."""
    found: dict[tuple[object, ...], list[Customer]] = {}
    loads = [c for c in customers if c.kind == "load"]
    at: dict[tuple[str, str], tuple[object, ...]] = {}
    for c in loads:
        found[c.element,] = [c]
        at.setdefault((c.bus, zones.customer_phase(c)), (c.element,))
    for c in customers:
        if c.kind != "load":
            found.setdefault(at.get((c.bus, zones.customer_phase(c)), (c.element,)), []).append(c)
    return [tuple(own) for own in found.values()]


def _named(customers: list[tuple[Customer, ...]]) -> dict[str, tuple[Customer, ...]]:
    """A name for each that no other has: its own, or with its class where several classes share it."""
    count = Counter(own[0].name for own in customers)
    return {own[0].name if count[own[0].name] == 1 else own[0].element: own for own in customers}


class _Blocks:
    """Collects elements as branches; conductors at earth vanish."""

    def __init__(self, index: dict[str, int], terminals: Terminals, zones: Zones) -> None:
        self.index, self.terminals, self.zones = index, terminals, zones
        self.rows: list[tuple[str, str, int, int, float, int]] = []
        self.at: list[list[int]] = []
        self.y: list[Complex] = []
        self.further: dict[int, Further] = {}

    def add(self, element: Element) -> None:
        """A line, transformer, reactor or capacitor between up to three buses."""
        conductors = element.conductors
        buses = list(dict.fromkeys(bus for bus, n in conductors if n))
        if not 0 < len(buses) <= MOST_BUSES:
            raise GridError(f"{element.kind} {element.name}: connects {len(buses)} buses; up to {MOST_BUSES} are read")
        place, sides = self._places(element, buses)
        gather = np.zeros((len(conductors), 2 * SIDE + len(sides)))
        for row, conductor in enumerate(conductors):
            if conductor in place:
                gather[row, place[conductor]] = 1.0
        at = [-1] * gather.shape[1]
        for (bus, number), k in place.items():
            at[k] = self.terminals.at(self.index[bus], self.zones.phase(bus, number))
        kind = element.kind if element.kind in {"line", "transformer"} else "shunt"
        ends = self.index[buses[0]], self.index[buses[min(1, len(buses) - 1)]]
        if sides:
            self.further[len(self.rows)] = Further(sides, element.third_rating_a)
        self.rows.append((element.name, kind, *ends, element.rating_a, int(kind == "transformer")))
        self.at.append(at)
        self.y.append(gather.T @ element.y @ gather)

    def _places(self, element: Element, buses: list[str]) -> tuple[dict[tuple[str, int], int], list[int]]:
        """Place of each conductor, three at either end first, and the sides of those that come after the sixth."""
        place: dict[tuple[str, int], int] = {}
        sides: list[int] = []
        for side, bus in enumerate(buses):
            own = sorted({c for c in element.conductors if c[0] == bus and c[1]}, key=lambda c: self._last_neutral(*c))
            for k, conductor in enumerate(own):
                if side < 2 and k < SIDE:
                    place[conductor] = SIDE * side + k
                else:
                    place[conductor] = 2 * SIDE + len(sides)
                    sides.append(side)
        return place, sides

    def _last_neutral(self, bus: str, number: int) -> tuple[bool, int]:
        return self.zones.phase(bus, number) == NEUTRAL, number

    def add_supply(self, sources: list[tuple[Element, list[complex]]]) -> Complex:
        """(3,) voltages behind the source impedances, which become branches.

        The first source at a phase gives the voltage; another one follows it in a fixed ratio.
        """
        volts = np.zeros(3, dtype=np.complex128)
        supply = self.index[SUPPLY_NODE]
        for element, given in sources:
            bus = element.ends[0][0][0]
            numbers = [n for _, n in element.ends[0]]
            if any(n for _, n in element.ends[1]) or not set(numbers) <= {1, 2, 3}:
                raise GridError(f"vsource {element.name}: must stand between phases and earth")
            if bus not in self.index:
                raise GridError(f"vsource {element.name}: nothing is connected to bus {bus}")
            place = [n - 1 for n in numbers]
            volts[place] = np.where(volts[place] == 0, given, volts[place])
            ratio = np.array(given) / volts[place]
            size = len(numbers)
            y = element.y[:size, :size]
            block = np.zeros((2 * SIDE, 2 * SIDE), dtype=np.complex128)
            block[SIDE : SIDE + size, SIDE : SIDE + size] = y
            block[SIDE : SIDE + size, :size] = -y * ratio
            block[:size, SIDE : SIDE + size] = -y * np.conj(ratio)[:, None]
            block[:size, :size] = y * ratio * np.conj(ratio)[:, None]
            at = self.terminals.side(supply, "".join(PHASES[n] for n in numbers))
            at += self.terminals.side(self.index[bus], "".join(self.zones.phase(bus, n) for n in numbers))
            self.rows.append((element.name, "source", supply, self.index[bus], np.nan, 0))
            self.at.append(at)
            self.y.append(block)
        return volts

    def branches(self) -> Branches:
        """All of them."""
        return Branches.of(self.rows, self.at, self.y, self.further)
