"""Size: networks of medium and low voltage.

IEEE 8500 (4,877 buses, 1,177 services; where SEP2_FACTS has it) is read, checked and solved at its own loads, beside
OpenDSS compiling and solving the same script, and the greatest difference of a voltage. A town of tables (a home each
25 m along streets behind 400 kVA transformers) is checked, and a smaller one calculated: two-sided limits for 48
half-hours, every part verified at both ends of its head's voltage band, and all of it as one network. Each figure is
that of a process of its own: seconds on the clock, the processor time that it took, and the most memory that it held.
Goals are for two cores without other work; where the clock says much more than the processor, the machine was shared.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.table import Row

Figures = dict[str, Any]
CITY, TOWN = (600, 7, 12), (40, 5, 17)
"""transformers, streets behind each, homes along each"""


def rows() -> list[Row]:
    """Seconds and memory of each size."""
    found = []
    if facts := os.environ.get("SEP2_FACTS"):
        master = Path(facts, "data", "opendss", "8500-Node", "Master.dss")
        theirs, ours = _alone("opendss", master), _alone("circuit", master)
        found += _rows("IEEE 8500 read, checked, solved", ours, (10.0, 1.0), ("OpenDSS, compiled and solved", theirs))
        found.append(_difference(ours["difference_pu"]))
    with tempfile.TemporaryDirectory() as folder:
        for name, size, goals in (("check", CITY, (60.0, 4.0)), ("run", TOWN, (180.0, 6.0))):
            path = Path(folder, name)
            made = _alone("town", path, *size)
            done = _alone(name, path)
            found += _rows(f"{made['nodes']:,} nodes, {made['homes']:,} customers: {done['what']}", done, goals)
            if name == "run":
                found.append(Row(name="all corners inside the limits", ours=done["inside"], unit="", goal=1.0))
    return found


def _rows(name: str, done: Figures, goals: tuple[float, float], beside: tuple[str, Figures] | None = None) -> list[Row]:
    cpu = f"{name}: of these the processor's"
    return [
        Row(
            name=name, ours=done["seconds"], unit="s", better="less", goal=goals[0],
            reference_name=beside[0] if beside else "", reference=beside[1]["seconds"] if beside else None,
        ),
        Row(
            name=cpu, ours=done["cpu_s"], unit="s", better="less", goal=goals[0],
            reference_name=beside[0] if beside else "", reference=beside[1]["cpu_s"] if beside else None,
        ),
        Row(
            name=f"{name}: memory", ours=done["gib"], unit="GiB", better="less", goal=goals[1],
            reference_name=beside[0] if beside else "", reference=beside[1]["gib"] if beside else None,
        ),
    ]  # fmt: skip


def _difference(pu: float) -> Row:
    name = "IEEE 8500: greatest difference of a voltage at the same loads"
    return Row(name=name, ours=pu, unit="pu", reference_name="OpenDSS", better="less", goal=1e-6)


def _alone(what: str, *words: object) -> Figures:
    """Measure in a process of its own, with the libraries' threads left as they are."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_size", what, *map(str, words)]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: Figures = json.loads(done.stdout)
    # Importing the libraries is part of what a person waits for.
    return {"seconds": time.perf_counter() - began} | found


def _opendss(path: str) -> Figures:
    from dss import DSS

    DSS.Text.Command = f"Compile [{path}]"
    DSS.Text.Command = "Set maxiterations=100"
    DSS.Text.Command = "Solve"
    assert DSS.ActiveCircuit.Solution.Converged
    return {"voltages": len(DSS.ActiveCircuit.AllBusVmag)}


def _circuit(path: str) -> Figures:
    import numpy as np

    from gridmodel import engine_process
    from gridmodel.flow.sparse_flow import SparseFlow
    from gridmodel.model.feeder import port_va
    from gridmodel.solvers.own_file import injections_of, own_file_of
    from gridmodel.summary import summarise
    from gridmodel.validate import check_folder

    began = time.perf_counter()
    feeder, findings = check_folder(path)
    assert feeder is not None
    assert all(one.severity != "error" for one in findings)
    summarise(feeder)
    seconds = time.perf_counter() - began
    # OpenDSS's process counts as well, once it has ended.
    engine_process.stop()
    cpu_s, gib = _cpu_s(), _gib()
    network, taken = feeder.network, feeder.declared_va
    assert taken is not None
    flow = SparseFlow(network)
    v = flow.voltages(flow.solve(port_va(network, -taken[None])).v)[0]
    ours = {
        (network.nodes.id[network.terminal_node[t]], network.terminal_phase[t]): volts
        for t, volts in zip(flow.watched.node_terminal, v, strict=True)
    }
    own = own_file_of(network)
    assert own is not None
    theirs = own.solve([injections_of(network, dict(zip(network.connections.id, -taken, strict=True)))])
    worst = 0.0
    for name, volts, base in zip(theirs.voltage_names, theirs.v_v[0], theirs.nominal_v, strict=True):
        bus, number = name.removeprefix("bus ").rsplit(".", 1)
        mine = ours.get((bus, number), ours.get((bus, "abc"[int(number) - 1])))
        if mine is not None and np.isfinite(volts):
            worst = max(worst, abs(mine - volts) / base)
    return {"seconds": seconds, "cpu_s": cpu_s, "gib": gib, "difference_pu": worst}


def _town(folder: str, *size: str) -> Figures:
    from tests.gridmodel.town import write_town

    transformers, streets, homes = map(int, size)
    write_town(Path(folder), transformers, streets, homes)
    count = transformers * streets * homes
    return {"nodes": 1 + 2 * transformers + 2 * count, "homes": count}


def _check(folder: str) -> Figures:
    from gridmodel.validate import check_folder

    feeder, findings = check_folder(folder)
    assert feeder is not None
    assert all(one.severity != "error" for one in findings)
    return {"what": "checked"}


def _run(folder: str) -> Figures:
    from typer.testing import CliRunner

    from envelope.command_line.commands import app

    out = Path(folder, "limits.parquet")
    run = CliRunner().invoke(app, ["run", folder, "--out", str(out), "--json"])
    found = json.loads(run.stdout)
    return {"what": "48 steps, two-sided, verified", "inside": float(found["verified_worst"]["inside"])}


def _gib() -> float:
    import resource

    own, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + others) / 2**20


def _cpu_s() -> float:
    """Processor time of this process and of those that it started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


MEASURED: dict[str, Callable[..., Figures]] = {
    "opendss": _opendss, "circuit": _circuit, "town": _town, "check": _check, "run": _run,
}  # fmt: skip


if __name__ == "__main__":
    figures = MEASURED[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps({"cpu_s": _cpu_s(), "gib": _gib()} | figures))
