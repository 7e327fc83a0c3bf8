"""The feeder model: read it, check it, solve it, for many scenarios at once.

from gridmodel import read_feeder, reduce, port_va, solve, voltages

feeder = read_feeder("feeder_folder")
reduced = reduce(feeder.network)
flow = solve(reduced, port_va(feeder.network, feeder.profile.net_va()), feeder.profile.source_v)
voltages(reduced, flow)                  # (intervals, node phases), V
"""

from gridmodel.errors import FileError, GridError
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.flow.power_flow import Flow, currents, solve, voltages
from gridmodel.model.feeder import Change, Feeder, Profile, port_va
from gridmodel.model.network import Network
from gridmodel.readers.folder import read_feeder

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
