"""The feeder model: read it, check it, solve it, for many scenarios at once.

from gridmodel import read_feeder, reduce, port_va, solve, voltages

feeder = read_feeder("feeder_folder")
reduced = reduce(feeder.network)
flow = solve(reduced, port_va(feeder.network, feeder.profile.net_va()), feeder.profile.source_v)
voltages(reduced, flow)                  # (intervals, node phases), V
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridmodel.errors import FileError, GridError
    from gridmodel.flow.kron import Reduced, reduce
    from gridmodel.flow.power_flow import Flow, currents, solve, voltages
    from gridmodel.model.feeder import Change, Feeder, Profile, port_va
    from gridmodel.model.network import Network
    from gridmodel.readers.folder import read_feeder

_HOMES = {
    "Change": "model.feeder",
    "Feeder": "model.feeder",
    "FileError": "errors",
    "Flow": "flow.power_flow",
    "GridError": "errors",
    "Network": "model.network",
    "Profile": "model.feeder",
    "Reduced": "flow.kron",
    "currents": "flow.power_flow",
    "port_va": "model.feeder",
    "read_feeder": "readers.folder",
    "reduce": "flow.kron",
    "solve": "flow.power_flow",
    "voltages": "flow.power_flow",
}

__all__ = [
    "Change",
    "Feeder",
    "FileError",
    "Flow",
    "GridError",
    "Network",
    "Profile",
    "Reduced",
    "currents",
    "port_va",
    "read_feeder",
    "reduce",
    "solve",
    "voltages",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for: measurements, say, need no solver of power flows."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"gridmodel.{_HOMES[name]}"), name)
