"""The feeder model: read it, check it, solve it, for many scenarios at once.

from gridmodel import read_feeder, reduce, solve, voltages

feeder = read_feeder("feeder_folder")
reduced = reduce(feeder.network)
flow = solve(reduced, s_va)              # (scenarios, slots) complex, export positive
voltages(reduced, flow)                  # (scenarios, node phases), V
"""

from gridmodel.errors import FileError, GridError
from gridmodel.flow import Flow, currents, solve, voltages
from gridmodel.network import Network
from gridmodel.reduce import Reduced, reduce

__all__ = ["FileError", "Flow", "GridError", "Network", "Reduced", "currents", "reduce", "solve", "voltages"]
