"""An audit that shares nothing with the reader: the file's own loads are set, in the engine that it was made for.

The circuit or network stands as its file has it. Its own Load, PVSystem, Generator and Storage elements (OpenDSS) or
rows of its load tables (pandapower) are set to given injections; voltages and loadings are read from that engine.
Transformers are rated at every winding, lines at both ends and in every conductor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gridmodel.errors import GridError
from gridmodel.model.network import Network
from gridmodel.solvers.own_solution import Injections, OwnFile, OwnSolution


def open_own_file(path: str | Path, folder: str | Path | None = None) -> OwnFile:
    """The file of an OpenDSS circuit or a pandapower network in its own engine; `folder` as for `read_network`."""
    found = Path(path)
    if found.suffix.lower() == ".json":
        from gridmodel.solvers.own_pandapower import PandapowerNet

        return PandapowerNet(found)
    return _OwnCircuit(found, Path(folder) if folder else None)


class _OwnCircuit:
    """A circuit in OpenDSS, in a process of its own."""

    def __init__(self, path: Path, folder: Path | None) -> None:
        from gridmodel.engine_process import RemoteObject

        self.remote = RemoteObject("own file", path, folder)
        self.elements: tuple[str, ...] = self.remote.get("elements")

    def solve(self, cases: Sequence[Injections], head: Sequence[float] | None = None) -> OwnSolution:
        """Scenarios one after another."""
        found: OwnSolution = self.remote.do("solve", list(cases), head)
        return found


def own_file_of(network: Network) -> OwnFile | None:
    """The file that a network was read from, in its own engine; None where there is no such file."""
    if not network.source_file:
        return None
    return open_own_file(network.source_file, network.circuit_folder or None)


def injections_of(network: Network, connection_va: Mapping[str, complex]) -> Injections:
    """Injections by the file's own elements, from those of connections.

    A connection's power is put on the first of its elements (its load, where it has one); the others take nothing.
    """
    found: dict[str, complex] = {}
    for name, power in connection_va.items():
        own = network.own_elements.get(name)
        if not own:
            raise GridError(f"connection {name}: no element of the file is known for it")
        found |= dict.fromkeys(own, 0j) | {own[0]: complex(power)}
    return found


def breaches(
    found: OwnSolution, bounds_pu: tuple[float, float], loading_most: float = 1.0, tolerance: float = 1e-6
) -> list[str]:
    """Every voltage outside (low, high) of its own base and every loading above the most, with its worst scenario."""
    said = [f"scenario {k}: no solution" for k in np.flatnonzero(~found.converged)]
    share = found.v_v / found.nominal_v
    low, high = bounds_pu[0] - tolerance, bounds_pu[1] + tolerance
    for column in np.flatnonzero(((share < low) | (share > high)).any(axis=0)):
        outside = np.nan_to_num(np.maximum(low - share[:, column], share[:, column] - high), nan=-np.inf)
        k, name = int(outside.argmax()), found.voltage_names[column]
        said.append(f"scenario {k}: {name} is at {share[k, column]:.5f} of {found.nominal_v[column]:.6g} V")
    loading = np.nan_to_num(found.loading, nan=-np.inf)
    for column in np.flatnonzero((loading > loading_most + tolerance).any(axis=0)):
        k, name = int(loading[:, column].argmax()), found.loading_names[column]
        said.append(f"scenario {k}: {name} carries {100 * loading[k, column]:.3f} % of its rating")
    return said
