"""Names and nominal voltages of an OpenDSS circuit's nodes, by the part of the network that they stand in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from gridmodel.errors import GridError
from gridmodel.model.network import NEUTRAL, PHASE_OF_PORTS
from gridmodel.readers.opendss_elements import Customer, Element, Parts

PHASES, SPLIT_PHASES = {1: "a", 2: "b", 3: "c", 4: NEUTRAL}, {1: "1", 2: "2", 3: NEUTRAL}
BETWEEN = {"ba": "ab", "cb": "bc", "ac": "ca", "21": "12"}


class Zones:
    """Buses joined by lines: one nominal voltage each, and either three-phase or split-phase."""

    def __init__(self, parts: Parts) -> None:
        self.parent: dict[str, str] = {}
        for element in parts.elements:
            buses = [end[0][0] for end in element.ends]
            for bus in buses:
                self.parent.setdefault(bus, bus)
            if element.kind != "transformer" and len(buses) == 2:
                self.parent[self.root(buses[1])] = self.root(buses[0])
        self.split = {self.root(bus) for bus in centre_taps(parts.elements)}
        self.base_v = parts.base_v
        self.volts: dict[str, Counter[float]] = {}
        for customer in parts.customers:
            own = self.volts.setdefault(self.root(customer.bus), Counter())
            # Between the legs of a split service stand two halves, between phases the root of three.
            halves = all(customer.pairs[0]) and self.root(customer.bus) in self.split if customer.pairs else False
            own[round(customer.nominal_v * (np.sqrt(3) / 2 if halves else 1.0), 3)] += 1
        self.rated: dict[str, float] = {}
        for element in parts.elements:
            for end, volts in zip(element.ends, element.windings_v, strict=False):
                self.rated.setdefault(self.root(end[0][0]), volts)
        for element, volts_of in parts.sources:
            self.rated.setdefault(self.root(element.ends[0][0][0]), abs(volts_of[0]))

    def root(self, bus: str) -> str:
        """The bus that stands for all that are joined to this one by lines."""
        while self.parent.setdefault(bus, bus) != bus:
            bus = self.parent[bus]
        return bus

    def phase(self, bus: str, number: int) -> str:
        """The phase of a node."""
        names = SPLIT_PHASES if self.root(bus) in self.split else PHASES
        if number not in names:
            known = ", ".join(f".{n} is {phase}" for n, phase in names.items())
            raise GridError(f"bus {bus}: node {number} has no phase ({known}); earth is .0")
        return names[number]

    def nominal_v(self, bus: str) -> float:
        """Nominal phase-to-neutral voltage: the bus's own base, or what its customers or windings are rated for."""
        root = self.root(bus)
        if root in self.split and root in self.rated:
            return self.rated[root]
        if bus in self.base_v:
            return self.base_v[bus]
        own = self.volts.get(root)
        return own.most_common(1)[0][0] if own else self.rated.get(root, 1.0)

    def customer_phase(self, customer: Customer) -> str:
        """The phase text of a customer's ports."""
        labels = []
        for plus, minus in customer.pairs:
            label = self.phase(customer.bus, plus) + (self.phase(customer.bus, minus) if minus else "")
            label = label[::-1] if label[0] == NEUTRAL else label
            labels.append(BETWEEN.get(label, label))
        found = PHASE_OF_PORTS.get(tuple(sorted(labels)))
        if found is None:
            said = ", ".join(labels) or "no two nodes"
            raise GridError(f"{customer.element}: stands between {said}, which is no service that is modelled")
        return found


def centre_taps(elements: list[Element]) -> Iterator[str]:
    """Buses at the secondary of three-winding single-phase transformers."""
    for e in elements:
        if e.kind == "transformer" and len(e.ends) == 3 and e.ends[1][0][0] == e.ends[2][0][0] and len(e.ends[0]) == 2:
            yield e.ends[1][0][0]
