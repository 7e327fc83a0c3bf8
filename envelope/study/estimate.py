"""How long a calculation will take and how much memory it needs, before it begins."""

from __future__ import annotations

from envelope.problem.divided import Divided
from gridmodel.estimates import LEAST_BYTES, VALUE_BYTES, Estimate
from gridmodel.flow.kron import Reduced
from gridmodel.flow.parts import Parts
from gridmodel.model.network import Network

# Measured on one core of 2.8 GHz (docs/benchmarks.md, size); a machine that does other work takes longer.
PER_STEP_S, PER_SEARCH_S = 1e-6, 4.5e-8
"""seconds per squared port and step, and per cubed port for the search for worse corners"""
ROUNDS, PER_ROUND_S, PER_ROUND_STEP_S = 8, 0.15, 2e-7
"""of a part under a medium voltage: rounds, seconds each, and per squared port and step"""
JOINT_SCENARIOS, PER_TERMINAL_S = 15, 2e-6
"""corners of the whole network per step, and seconds per terminal of each"""
PER_FLOW_S, STATES = 1.5e-9, 40
"""seconds per squared port and power flow, and power flows per step of a search over a year"""
ARRAYS = 4
"""dense arrays of terminals times ports"""
OWN_STATES = {"pandapower": 48, "OpenDSS": 250}
"""that are set in the file's own engine, with those of the base load"""
OWN_STATE_S = {"pandapower": 1.2e-4, "OpenDSS": 2e-6}
"""seconds per terminal of each"""


def estimate_of(network: Network, reduced: Reduced | None, steps: int) -> Estimate:
    """Of a network as it is calculated; None: as one."""
    return in_parts(network, reduced.parts, steps) if isinstance(reduced, Divided) else as_one(network, steps)


def as_one(network: Network, steps: int) -> Estimate:
    """Of a network that is calculated as one."""
    ports = len(network.connections.port_plus)
    dense = ARRAYS * VALUE_BYTES * float(ports) * len(network.terminal_node)
    what = f"{ports} ports of customers are calculated as one network"
    return Estimate(_seconds(ports, steps), LEAST_BYTES + dense, what)


def by_own_file(network: Network) -> float:
    """Seconds that an audit by the file's own loads takes in its own engine; 0 where there is none."""
    if not network.source_file:
        return 0.0
    engine = "pandapower" if network.source_file.lower().endswith(".json") else "OpenDSS"
    return OWN_STATES[engine] * OWN_STATE_S[engine] * len(network.terminal_node)


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
