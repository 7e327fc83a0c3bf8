"""Unbalanced power flows.

Three-phase power flows with a different injection at every customer, one thread: ours to 1e-7 V against
power-grid-model (batch, iterative current, exact), OpenDSS (loads set, solved, voltages read) and pandapower
(`runpp_3ph`), in the same run on the same feeder. Injections are the measured day (or zero) and up to 5 kW more or less
at each customer. All give the customers' voltages; "everything" is ours with the voltage of every node and the current
of every branch as well. The goal, P1 of the engine, is 40,000 per second on LV28 and no voltage more than 1e-6 V from
power-grid-model's. Rounds alternate between the engines; the best of each counts, since other work on the machine
only ever slows one down.
"""

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel import Feeder, Reduced, currents, port_va, read_feeder, reduce, solve, voltages
from gridmodel.readers.example_feeders import european_lv, european_lv_file
from gridmodel.solvers.opendss import Circuit, circuit_of
from gridmodel.solvers.power_grid_model import Model
from tests.benchmarks.table import Row

ROUNDS = int(os.environ.get("SEP2_BENCH_ROUNDS", "7"))
OURS, THEIRS, ONE_BY_ONE, SLOW = 8_192, 512, 200, 3
POWER_W = 5e3
Timed = dict[str, tuple[float, float]]
"""Per engine: wall seconds and CPU seconds of one power flow"""


def rows() -> list[Row]:
    """Power flows per second on the European feeder and, where SEP2_FACTS has it, the Australian one."""
    # The libraries read their number of threads when they are loaded: a process of its own.
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_flow"], env=one_thread, check=True, stdout=subprocess.PIPE
    )
    return [Row(**row) for row in json.loads(done.stdout)]


def measure() -> list[Row]:
    """What `rows` gives, in this process."""
    found = []
    if facts := os.environ.get("SEP2_FACTS"):
        folder = Path(facts, "data", "lv28")
        net = _pandapower().from_json(str(folder / "lv28.pandapower.json"))
        found += _rows("LV28", read_feeder(folder), net, folder / "opendss" / "Master.txt")
    file = european_lv_file()
    net = _pandapower().networks.ieee_european_lv_asymmetric()
    assert len(net.bus) == len(file.table("bus"))
    return found + _rows("European LV", european_lv(), net, None)


def _pandapower() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandapower

        return pandapower


def _rows(name: str, feeder: Feeder, net: Any, master: Path | None) -> list[Row]:
    reduced = reduce(feeder.network)
    s = _states(feeder, reduced)
    source = feeder.network.source.v
    engines = {
        "ours": (_ours(reduced, s, 1e-7), OURS),
        "ours, single precision (1e-3 V)": (_ours(reduced, s, 1e-3), OURS),
        "ours, everything": (_everything(reduced, s), OURS),
        "power-grid-model": (_power_grid_model(reduced, s, source), THEIRS),
        "pandapower runpp_3ph": (_pandapower_run(net, feeder, s), SLOW),
    }
    if master is not None:
        engines["OpenDSS"] = (_opendss(master, reduced, s), ONE_BY_ONE)
    timed = _timed(engines)
    size = f"{name} ({reduced.ports} customers, {len(reduced.node_terminal)} node phases)"
    others = [engine for engine in engines if not engine.startswith("ours")]
    goal = 40_000.0 if name == "LV28" else None
    found = [replace(_row(size, timed, "ours", other), goal=goal) for other in others]
    found += [_row(f"{name}: {e[6:]}", timed, e, "power-grid-model") for e in engines if e.startswith("ours,")]
    return [*found, *_differences(name, reduced, s, master)]


def _differences(name: str, reduced: Reduced, s: np.ndarray, master: Path | None) -> list[Row]:
    """Greatest difference of any customer's voltage between ours and another engine's, at the same states."""
    few = reduced.watching(voltages=reduced.voltages_at_connections(), currents=np.zeros(len(reduced.H), dtype=bool))
    flow = solve(few, s[:THEIRS])
    found = {"power-grid-model": Model(few).magnitudes(s[:THEIRS])}
    if master is not None:
        found["OpenDSS"] = circuit_of(few).magnitudes(s[:THEIRS])
    return [
        Row(
            name=f"{name}: greatest difference of a voltage",
            ours=float(np.abs(theirs.v_v - voltages(few, flow)).max()),
            unit="V",
            reference_name=engine,
            better="less",
            goal=1e-6 if engine == "power-grid-model" else None,
        )
        for engine, theirs in found.items()
    ]


def _row(name: str, timed: Timed, ours: str, other: str) -> Row:
    return Row(
        name=name,
        ours=1 / timed[ours][0],
        unit="power flows per second",
        reference_name=other,
        reference=1 / timed[other][0],
        cpu_ms=1e3 * timed[ours][1],
    )


def _timed(engines: dict[str, tuple[Callable[[], object], int]]) -> Timed:
    best: Timed = {}
    for run, _ in engines.values():
        run()  # what is compiled or cached at first is not counted
    for _ in range(ROUNDS):
        for name, (run, count) in engines.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            found = (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count
            best[name] = min(best.get(name, found), found)
    return best


def _states(feeder: Feeder, reduced: Reduced) -> np.ndarray:
    """(OURS, L) VA: a random interval of the measured day, and random power on top."""
    rng = np.random.default_rng(0)
    extra = rng.uniform(-POWER_W, POWER_W, (OURS, reduced.ports)).astype(complex)
    if feeder.profile is None:
        return extra
    day = port_va(feeder.network, feeder.profile.net_va())
    return day[rng.integers(len(day), size=OURS)] + extra


def _ours(reduced: Reduced, s: np.ndarray, tol_v: float) -> Callable[[], object]:
    def run() -> None:
        assert solve(reduced, s, tol_v=tol_v).converged.all()

    return run


def _everything(reduced: Reduced, s: np.ndarray) -> Callable[[], object]:
    def run() -> None:
        # In parts, as a caller would: all at once would need a gigabyte.
        for start in range(0, OURS, 1024):
            flow = solve(reduced, s[start : start + 1024])
            voltages(reduced, flow)
            currents(reduced, flow)

    return run


def _power_grid_model(reduced: Reduced, s: np.ndarray, source: np.ndarray) -> Callable[[], object]:
    model = Model(reduced)
    return lambda: model.magnitudes(s[:THEIRS], source)


def _opendss(master: Path, reduced: Reduced, s: np.ndarray) -> Callable[[], object]:
    circuit = Circuit(master, reduced.watching(currents=np.zeros(len(reduced.H), dtype=bool)))
    return lambda: circuit.solve(s[:ONE_BY_ONE])


def _pandapower_run(net: Any, feeder: Feeder, s: np.ndarray) -> Callable[[], object]:
    pandapower = _pandapower()
    connections = feeder.network.connections
    order = [int(net.asymmetric_load.index[net.asymmetric_load.name == name][0]) for name in connections.id]

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for row in s[:SLOW]:
                for load, phase, power in zip(order, connections.port_phase, row, strict=True):
                    net.asymmetric_load.at[load, f"p_{phase}_mw"] = -power.real / 1e6
                    net.asymmetric_load.at[load, f"q_{phase}_mvar"] = -power.imag / 1e6
                pandapower.runpp_3ph(net)

    return run


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure()]))  # noqa: T201
