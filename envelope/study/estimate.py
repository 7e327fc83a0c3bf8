"""How long a calculation will take and how much memory it needs, before it begins."""

from __future__ import annotations

import os
from typing import NamedTuple

from envelope.problem.divided import Divided
from gridmodel.flow.kron import Reduced
from gridmodel.flow.parts import Parts
from gridmodel.model.network import Network

LONG_S, LARGE_PART = 60.0, 0.25
"""seconds, and part of the machine's memory, above which a run says so before it begins"""
# Measured on one core of 2.8 GHz (docs/benchmarks.md, size); a machine that does other work takes longer.
PER_STEP_S, PER_SEARCH_S = 1e-6, 4.5e-8
"""seconds per squared port and step, and per cubed port for the search for worse corners"""
ROUNDS, PER_ROUND_S, PER_ROUND_STEP_S = 8, 0.15, 2e-7
"""of a part under a medium voltage: rounds, seconds each, and per squared port and step"""
JOINT_SCENARIOS, PER_TERMINAL_S = 15, 2e-6
"""corners of the whole network per step, and seconds per terminal of each"""
PER_FLOW_S, STATES = 1.5e-9, 40
"""seconds per squared port and power flow, and power flows per step of a search over a year"""
ARRAYS, VALUE_BYTES, LEAST_BYTES = 4, 16, 3e8
"""dense arrays of terminals times ports, bytes of a complex number, and bytes of anything at all"""


class Estimate(NamedTuple):
    """Of one calculation with its verification."""

    seconds: float
    memory_bytes: float
    what: str

    def repeated(self, times: int) -> Estimate:
        """Of so many of them, one after another."""
        return self._replace(seconds=self.seconds * times)

    @property
    def warning(self) -> str:
        """A sentence where it is long or large; else empty."""
        machine = _memory_bytes()
        if self.seconds <= LONG_S and self.memory_bytes <= LARGE_PART * machine:
            return ""
        minutes, need = self.seconds / 60.0, self.memory_bytes / 2**30
        spent = f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{self.seconds:.0f} seconds"
        return f"This will take about {spent} and {need:.1f} GB of {machine / 2**30:.0f} GB of memory: {self.what}."


def estimate_of(network: Network, reduced: Reduced | None, steps: int) -> Estimate:
    """Of a network as it is calculated; None: as one."""
    return in_parts(network, reduced.parts, steps) if isinstance(reduced, Divided) else as_one(network, steps)


def as_one(network: Network, steps: int) -> Estimate:
    """Of a network that is calculated as one."""
    ports = len(network.connections.port_plus)
    dense = ARRAYS * VALUE_BYTES * float(ports) * len(network.terminal_node)
    what = f"{ports} ports of customers are calculated as one network"
    return Estimate(_seconds(ports, steps), LEAST_BYTES + dense, what)


def of_flows(network: Network, steps: int) -> Estimate:
    """Of a search by power flows of a network as one, over so many steps."""
    ports = len(network.connections.port_plus)
    return as_one(network, steps)._replace(seconds=PER_FLOW_S * STATES * ports**2 * steps)


def in_parts(network: Network, parts: Parts, steps: int) -> Estimate:
    """Of a network that is divided."""
    seconds, largest = 0.0, LEAST_BYTES
    for part in parts.low.values():
        ports = len(part.connections.port_plus)
        seconds += ROUNDS * (PER_ROUND_S + PER_ROUND_STEP_S * ports**2 * steps) + 2.0 * _seconds(ports, steps)
        largest += ARRAYS * VALUE_BYTES * float(ports) * len(part.terminal_node)
    seconds += JOINT_SCENARIOS * steps * PER_TERMINAL_S * len(network.terminal_node)
    heads = len(parts.medium.connections.port_plus)
    # Corners of the medium voltage, and its voltages at each of them.
    largest += 12.0 * VALUE_BYTES * float(heads) ** 2 * steps
    return Estimate(seconds, largest, f"{len(parts.low)} low-voltage parts are made to agree")


def _seconds(ports: int, steps: int) -> float:
    return PER_STEP_S * ports**2 * steps + PER_SEARCH_S * ports**3


def _memory_bytes() -> float:
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
