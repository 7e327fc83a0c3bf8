"""A small OpenDSS circuit for tests, and the comparison of our power flow with the engine's own."""

from pathlib import Path

import numpy as np

from gridmodel import reduce, solve, voltages
from gridmodel.flow.taps import base_of, scaled
from gridmodel.readers.opendss import network_of, open_circuit

HEAD = """\
Clear
Set DefaultBaseFrequency=50
New Circuit.street basekv=11 pu=1.02 phases=3 bus1=hv MVAsc3=150 MVAsc1=120
New Transformer.tx phases=3 windings=2 buses=(hv board.1.2.3.0) conns=(delta wye) kvs=(11 0.42) kvas=(160 160) xhl=4.2
~ %loadloss=1.3 %noloadloss=0.2 %imag=0.6
New Linecode.main nphases=3 r1=0.28 x1=0.07 r0=0.9 x0=0.25 c1=0 c0=0 units=km normamps=220
New Linecode.tail nphases=1 r1=0.7 x1=0.09 r0=0.7 x0=0.09 c1=0 c0=0 units=km normamps=90
New Line.first bus1=board bus2=corner linecode=main length=0.18 units=km
New Line.second bus1=corner bus2=yard linecode=main length=140 units=m
New Load.corner_shop bus1=corner.1 phases=1 kv=0.23 kw=4 pf=0.93
New Load.yard_flat bus1=yard.2 phases=1 kv=0.23 kva=3.5 pf=0.9
"""
TAIL = "Set VoltageBases=[11 0.4]\nCalcVoltageBases\nSolve\n"
CONSTANT = "model=1 vminpu=0.01 vmaxpu=9"


def write(folder: Path, extra: str = "", head: str = HEAD, tail: str = TAIL) -> Path:
    """A master file with further lines before its end."""
    path = folder / "street.dss"
    path.write_text(f"{head}{extra}\n{tail}")
    return path


def farthest_pu(path: Path, folder: Path | None = None) -> tuple[float, int]:
    """Greatest difference of a node's voltage between the engine and our power flow, at what the file's loads take.

    The engine's loads are constant power for the comparison. Also how many nodes were compared.
    """
    circuit = open_circuit(path, folder)
    engine = circuit.engine
    for name in engine.ActiveCircuit.Loads.AllNames if engine.ActiveCircuit.Loads.Count else ():
        engine.Text.Command = f"Edit Load.{name} {CONSTANT}"
    engine.Text.Command = "Set controlmode=off tolerance=1e-10 maxiterations=500"
    engine.Text.Command = "Solve"
    assert engine.ActiveCircuit.Solution.Converged
    network, _ = network_of(circuit)
    reduced = scaled(reduce(network), base_of(network))
    s = np.zeros(reduced.ports, dtype=complex)
    for position, name in enumerate(network.connections.id):
        ports = np.flatnonzero(network.connections.port_connection == position)
        for element in network.own_elements[name]:
            engine.ActiveCircuit.SetActiveElement(element)
            raw = np.asarray(engine.ActiveCircuit.ActiveCktElement.TotalPowers)
            s[ports] -= 1e3 * complex(raw[0], raw[1]) / len(ports)
    flow = solve(reduced, s, tol_v=1e-8)
    assert flow.converged.all()
    ours = dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))
    return compared(engine, network, ours)


def compared(engine, network, ours) -> tuple[float, int]:
    raw = np.asarray(engine.ActiveCircuit.YNodeVarray)
    theirs = dict(zip((n.lower() for n in engine.ActiveCircuit.YNodeOrder), raw[0::2] + 1j * raw[1::2], strict=True))
    number = {"a": 1, "b": 2, "c": 3, "1": 1, "2": 2}
    worst, count = 0.0, 0
    for bus, phases, nominal_v in zip(network.nodes.id, network.nodes.phases, network.nodes.nominal_v, strict=True):
        neutral = theirs.get(f"{bus}.{3 if '1' in phases else 4}", 0.0) if "n" in phases else 0.0
        for phase in phases.replace("n", ""):
            name = f"node {bus}, phase {phase}"
            if name in ours and f"{bus}.{number[phase]}" in theirs:
                v = abs(theirs[f"{bus}.{number[phase]}"] - neutral)
                worst, count = max(worst, abs(ours[name] - v) / nominal_v), count + 1
    return worst, count
