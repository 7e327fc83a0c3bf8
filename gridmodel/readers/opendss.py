"""An OpenDSS circuit into a Network, through the primitive admittances that OpenDSS itself computes.

Every element OpenDSS can model is read as its primitive admittance matrix, so nothing is remodelled. Loads, PV systems
and generators become connections. Taps, capacitor steps and switches stay as OpenDSS left them after its first
solution; regulators and inverter controls are not followed. The equipment is not known, only its admittances.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.errors import FileError, GridError
from gridmodel.model.equipment import Connection
from gridmodel.model.network import SIDE, Branches, Network, Nodes, Source, Terminals, connect

SUPPLY_NODE = "supply"
CUSTOMER_CLASSES = ("load", "pvsystem", "generator", "storage")
IGNORED_CLASSES = (*CUSTOMER_CLASSES, "vsource", "invcontrol", "regcontrol", "capcontrol", "energymeter", "monitor")
PHASES, SPLIT_PHASES = {1: "a", 2: "b", 3: "c", 4: "n"}, {1: "1", 2: "2", 3: "n"}


def new_engine(commands: Iterable[str] = ()) -> Any:
    """An OpenDSS engine of its own, after some commands."""
    try:
        from dss import DSS
    except ImportError as e:
        raise GridError("this feeder takes OpenDSS (dss-python): install sep2[opendss]") from e
    engine = DSS.NewContext()
    engine.AllowForms = engine.AllowChangeDir = False
    for command in commands:
        engine.Text.Command = command
    return engine


def open_circuit(path: Path) -> Any:
    """A compiled and solved circuit in an OpenDSS engine of its own."""
    if not path.is_file():
        raise FileError(path, "no such file")
    engine = new_engine()
    from dss import DSSException

    try:
        engine.Text.Command = f'Compile "{path.resolve()}"'
        engine.ActiveCircuit.Solution.Solve()
    except DSSException as e:
        said = " ".join(str(e).split())
        place = re.search(r' *\[file: "(.*?)", line: (\d+)\]', said)
        file, row = (place[1], int(place[2])) if place else (path, None)
        raise FileError(file, f"OpenDSS says: {said.replace(place[0] if place else '', '')}", row=row) from None
    return engine


@dataclass(slots=True)
class _Element:
    """One element of the circuit: class, name and its conductors as (bus, node number), terminal by terminal."""

    kind: str
    name: str
    ends: list[list[tuple[str, int]]]
    y: Complex
    rating_a: float = float("nan")
    windings_v: tuple[float, ...] = ()
    """rated phase-to-neutral voltage per winding of a transformer"""


@dataclass(slots=True)
class _Customer:
    name: str
    bus: str
    nodes: tuple[int, ...]
    delta: bool
    nominal_v: float
    pv_va: float = 0.0


@dataclass(slots=True)
class _Circuit:
    """What is read before anything is numbered."""

    elements: list[_Element] = field(default_factory=list)
    sources: list[tuple[_Element, list[complex]]] = field(default_factory=list)
    customers: list[_Customer] = field(default_factory=list)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    frequency_hz: float = 50.0


def read_network(path: str | Path) -> tuple[Network, dict[str, float]]:
    """The network of a master file, and the inverter size in VA of each connection that has one."""
    engine = open_circuit(Path(path))
    try:
        network, pv_va = network_of(engine)
    except GridError as wrong:
        raise FileError(path, str(wrong)) from None
    return replace(network, circuit_file=str(path)), pv_va


def network_of(engine: Any) -> tuple[Network, dict[str, float]]:
    """The network of a compiled circuit."""
    circuit = _read(engine.ActiveCircuit)
    if not circuit.elements:
        raise GridError("nothing but a source stands in the circuit")
    zones = _Zones(circuit)
    buses = list(dict.fromkeys(bus for e in circuit.elements for end in e.ends for bus, _ in end))
    present: dict[str, set[int]] = {bus: set() for bus in buses}
    for element in circuit.elements:
        for bus, number in (conductor for end in element.ends for conductor in end):
            present[bus] |= {number} - {0}
    phases = ["".join(zones.phase(bus, n) for n in sorted(present[bus])) for bus in buses]
    terminals = Terminals([*phases, "abc"])
    index = {bus: k for k, bus in enumerate([*buses, SUPPLY_NODE])}
    blocks = _Blocks(index, terminals, zones)
    for element in circuit.elements:
        blocks.add(element)
    supply_v = blocks.add_supply(circuit.sources)
    source_bus = circuit.sources[0][0].ends[0][0][0]
    nominal_v = [zones.nominal_v(bus) for bus in [*buses, source_bus]]
    places = np.array([circuit.places.get(bus, (np.nan, np.nan)) for bus in [*buses, source_bus]])
    customers = _merged(circuit.customers)
    given = [Connection(c.name, c.bus, _customer_phase(c, zones)) for c in customers]
    network = Network(
        name=str(engine.ActiveCircuit.Name),
        nodes=Nodes((*buses, SUPPLY_NODE), (*phases, "abc"), np.array(nominal_v), places[:, 0], places[:, 1]),
        branches=blocks.branches(),
        source=Source(index[SUPPLY_NODE], np.array(terminals.side(index[SUPPLY_NODE], "abc"), dtype=np.intp), supply_v),
        connections=connect(given, index, terminals),
        terminal_node=terminals.node,
        terminal_phase=terminals.phase,
        frequency_hz=circuit.frequency_hz,
    )
    return network, {c.name: c.pv_va for c in customers if c.pv_va}


def _read(circuit: Any) -> _Circuit:
    found = _Circuit(frequency_hz=float(circuit.Solution.Frequency))
    for full_name in circuit.AllElementNames:
        circuit.SetActiveElement(full_name)
        active = circuit.ActiveCktElement
        kind, name = full_name.lower().split(".", 1)
        if not active.Enabled or (kind in IGNORED_CLASSES and kind not in {*CUSTOMER_CLASSES, "vsource"}):
            continue
        element = _element(active, kind, name)
        if kind == "vsource":
            found.sources.append((element, _source_voltages(circuit, element)))
        elif kind in CUSTOMER_CLASSES:
            found.customers.append(_customer(active, element))
        else:
            found.elements.append(element)
            if kind == "transformer":
                _rate_transformer(circuit, element)
    for k in range(circuit.NumBuses):
        circuit.SetActiveBusi(k)
        bus = circuit.ActiveBus
        if bus.Coorddefined:
            found.places[bus.Name.lower()] = (float(bus.x), float(bus.y))
    if not found.sources:
        raise GridError("the circuit has no voltage source")
    return found


def _element(active: Any, kind: str, name: str) -> _Element:
    buses = [str(bus).lower().split(".")[0] for bus in active.BusNames]
    numbers, width = list(active.NodeOrder), int(active.NumConductors)
    ends = [[(bus, int(n)) for n in numbers[k * width : (k + 1) * width]] for k, bus in enumerate(buses)]
    raw = np.asarray(active.Yprim, dtype=np.float64)
    size = round((len(raw) / 2) ** 0.5)
    y = (raw[0::2] + 1j * raw[1::2]).reshape(size, size, order="F")
    normal_a = float(active.NormalAmps) if kind == "line" else 0.0
    return _Element(kind, name, ends, np.asarray(y), normal_a if normal_a > 0 else float("nan"))


def _rate_transformer(circuit: Any, element: _Element) -> None:
    """Winding voltages, and the permitted current of each low-voltage phase: its share of kVA over its voltage."""
    one = circuit.Transformers
    one.Name = element.name
    three = int(circuit.ActiveCktElement.NumPhases) == 3
    found = []
    for winding in range(1, int(one.NumWindings) + 1):
        one.Wdg = winding
        found.append(one.kV * 1e3 / (np.sqrt(3) if three else 1.0))
    one.Wdg = 1
    element.windings_v = tuple(found)
    parts = 3 if three else len(found) - 1
    element.rating_a = one.kVA * 1e3 / parts / found[-1]


def _source_voltages(circuit: Any, element: _Element) -> list[complex]:
    sources = circuit.Vsources
    sources.Name = element.name
    phases = int(sources.Phases)
    volts = sources.BasekV * 1e3 * sources.pu / (np.sqrt(3) if phases > 1 else 1.0)
    angles = np.deg2rad(sources.AngleDeg - np.arange(phases) * 360.0 / phases)
    return [complex(v) for v in volts * np.exp(1j * angles)]


def _customer(active: Any, element: _Element) -> _Customer:
    bus = element.ends[0][0][0]
    nodes = tuple(n for _, n in element.ends[0] if n)
    kv = float(active.Properties("kv").Val)
    delta = str(active.Properties("conn").Val).lower() in {"delta", "ll"}
    three = int(active.NumPhases) == 3
    across_phases = delta or len(nodes) == 2
    pv = float(active.Properties("kva").Val) if element.kind != "load" else 0.0
    nominal_v = kv * 1e3 / np.sqrt(3) if three or across_phases else kv * 1e3
    return _Customer(element.name, bus, nodes, delta, nominal_v, pv * 1e3)


def _merged(customers: list[_Customer]) -> list[_Customer]:
    """Inverters join the load at the same phases of the same bus; others are connections of their own."""
    loads = [c for c in customers if not c.pv_va]
    at = {(c.bus, c.nodes): c for c in loads}
    for c in customers:
        if c.pv_va:
            owner = at.get((c.bus, c.nodes))
            if owner is None:
                loads.append(c)
            else:
                owner.pv_va += c.pv_va
    return loads


def _customer_phase(customer: _Customer, zones: _Zones) -> str:
    text = "".join(zones.phase(customer.bus, n) for n in customer.nodes if n != 4)
    ordered = {"ba": "ab", "cb": "bc", "ac": "ca", "21": "12"}.get(text, text)
    return "delta" if customer.delta and ordered == "abc" else ordered


class _Zones:
    """Buses joined by lines: one nominal voltage each, and either three-phase or split-phase."""

    def __init__(self, circuit: _Circuit) -> None:
        self.parent: dict[str, str] = {}
        for element in circuit.elements:
            buses = [end[0][0] for end in element.ends]
            for bus in buses:
                self.parent.setdefault(bus, bus)
            if element.kind != "transformer" and len(buses) == 2:
                self.parent[self.root(buses[1])] = self.root(buses[0])
        self.split = {self.root(bus) for bus in _centre_taps(circuit.elements)}
        self.volts: dict[str, Counter[float]] = {}
        for customer in circuit.customers:
            own = self.volts.setdefault(self.root(customer.bus), Counter())
            # Between the legs of a split service stand two halves, between phases the root of three.
            halves = len(customer.nodes) == 2 and self.root(customer.bus) in self.split
            own[round(customer.nominal_v * (np.sqrt(3) / 2 if halves else 1.0), 3)] += 1
        self.rated: dict[str, float] = {}
        for element in circuit.elements:
            for end, volts in zip(element.ends, element.windings_v, strict=False):
                self.rated.setdefault(self.root(end[0][0]), volts)
        for element, volts_of in circuit.sources:
            self.rated.setdefault(self.root(element.ends[0][0][0]), abs(volts_of[0]))

    def root(self, bus: str) -> str:
        while self.parent.setdefault(bus, bus) != bus:
            bus = self.parent[bus]
        return bus

    def phase(self, bus: str, number: int) -> str:
        names = SPLIT_PHASES if self.root(bus) in self.split else PHASES
        if number not in names:
            raise GridError(f"bus {bus}: node {number} has no phase")
        return names[number]

    def nominal_v(self, bus: str) -> float:
        own = self.volts.get(self.root(bus))
        return own.most_common(1)[0][0] if own else self.rated.get(self.root(bus), 1.0)


def _centre_taps(elements: list[_Element]) -> Iterator[str]:
    """Buses at the secondary of three-winding single-phase transformers."""
    for e in elements:
        if e.kind == "transformer" and len(e.ends) == 3 and e.ends[1][0][0] == e.ends[2][0][0] and len(e.ends[0]) == 2:
            yield e.ends[1][0][0]


class _Blocks:
    """Collects elements as branches between at most two buses."""

    def __init__(self, index: dict[str, int], terminals: Terminals, zones: _Zones) -> None:
        self.index, self.terminals, self.zones = index, terminals, zones
        self.rows: list[tuple[str, str, int, int, float, int]] = []
        self.at: list[list[int]] = []
        self.y: list[Complex] = []

    def add(self, element: _Element) -> None:
        """A line, transformer, reactor or capacitor; conductors at earth vanish."""
        conductors = [conductor for end in element.ends for conductor in end]
        buses = list(dict.fromkeys(bus for bus, n in conductors if n))
        if len(buses) > 2:
            raise GridError(f"{element.kind} {element.name}: connects more than two buses")
        kept = [sorted({c for c in conductors if c[0] == bus and c[1]}, key=lambda c: c[1]) for bus in buses]
        if not kept or max(map(len, kept)) > SIDE:
            raise GridError(f"{element.kind} {element.name}: has more than {SIDE} conductors at one end")
        place = {c: SIDE * side + k for side, own in enumerate(kept) for k, c in enumerate(own)}
        gather = np.zeros((len(conductors), 2 * SIDE))
        for row, conductor in enumerate(conductors):
            if conductor in place:
                gather[row, place[conductor]] = 1.0
        at = [-1] * (2 * SIDE)
        for (bus, number), k in place.items():
            at[k] = self.terminals.at(self.index[bus], self.zones.phase(bus, number))
        kind = element.kind if element.kind in {"line", "transformer"} else "shunt"
        ends = self.index[buses[0]], self.index[buses[-1]]
        side = int(kind == "transformer")
        self.rows.append((element.name, kind, *ends, element.rating_a, side))
        self.at.append(at)
        self.y.append(gather.T @ element.y @ gather)

    def add_supply(self, sources: list[tuple[_Element, list[complex]]]) -> Complex:
        """(3,) voltages behind the source impedances, which become branches."""
        volts = np.zeros(3, dtype=np.complex128)
        supply = self.index[SUPPLY_NODE]
        for element, given in sources:
            bus = element.ends[0][0][0]
            numbers = [n for _, n in element.ends[0]]
            if any(n for _, n in element.ends[1]) or not set(numbers) <= {1, 2, 3}:
                raise GridError(f"vsource {element.name}: must stand between phases and earth")
            size = len(numbers)
            y = element.y[:size, :size]
            block = np.zeros((2 * SIDE, 2 * SIDE), dtype=np.complex128)
            block[:size, :size] = block[SIDE : SIDE + size, SIDE : SIDE + size] = y
            block[:size, SIDE : SIDE + size] = block[SIDE : SIDE + size, :size] = -y
            names = [PHASES[n] for n in numbers]
            at = self.terminals.side(supply, "".join(names))
            at += self.terminals.side(self.index[bus], "".join(self.zones.phase(bus, n) for n in numbers))
            volts[[n - 1 for n in numbers]] = given
            self.rows.append((element.name, "source", supply, self.index[bus], np.nan, 0))
            self.at.append(at)
            self.y.append(block)
        return volts

    def branches(self) -> Branches:
        """All of them."""
        return Branches.of(self.rows, self.at, self.y)
