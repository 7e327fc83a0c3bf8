"""Feeders that come by call: the IEEE European low-voltage test feeder, and any feeder with another transformer."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.errors import GridError
from gridmodel.model import admittance as build
from gridmodel.model.equipment import Connection, Equipment, Line, Supply, Transformer
from gridmodel.model.feeder import Change, Feeder
from gridmodel.readers.pandapower import PandapowerFile, open_file, open_net
from gridmodel.readers.tables import read_csv

US_SERVICE = Path(str(files("gridmodel") / "data" / "us_service"))
"""Folder of eight homes at a pole-mounted 25 kVA transformer, 7.2 kV to 120/240 V; its figures are assumed."""
SOURCE_PU = 1.00
TRANSFORMER_VA = 200e3


def european_lv() -> Feeder:
    """The IEEE European LV feeder (906 nodes, 55 single-phase customers) as the demonstration uses it.

    As published it has no cable ratings, an 800 kVA transformer and 1.05 pu at its source: nothing could ever bind.
    `changes` lists every value that differs.
    """
    found = european_lv_file()
    equipment, changes = _rated(found.equipment())
    # No longer the network of its file; and the file's loads are those of its busiest minute, not of a day.
    own: dict[str, Any] = {"source_file": "", "own_elements": {}, "own_load_va": {}}
    network = build.network(replace(equipment, name="IEEE European LV", **own))
    count = len(equipment.connections)
    return Feeder(
        name=network.name,
        network=network,
        pv_va=np.zeros(count),
        active=np.ones(count, dtype=np.bool_),
        changes=tuple(changes),
        notes=equipment.notes,
    )


def european_lv_file(scenario: str = "on_peak_566") -> PandapowerFile:
    """The feeder as pandapower ships it; read without importing pandapower where its file is where it used to be."""
    spec = importlib.util.find_spec("pandapower")
    if spec is None or not spec.submodule_search_locations:
        raise GridError("the IEEE European LV feeder comes with pandapower: install sep2[envelope]")
    path = Path(spec.submodule_search_locations[0], "networks", f"IEEE_European_LV_{scenario.title()}.json")
    if path.is_file():
        return open_file(path)
    from pandapower.networks import ieee_european_lv_asymmetric

    return open_net(ieee_european_lv_asymmetric(scenario))


def _rated(equipment: Equipment) -> tuple[Equipment, list[Change]]:
    changes: list[Change] = []
    ratings_a = _ratings_a()
    lines = tuple(_rated_line(line, ratings_a[line.line_type], changes) for line in equipment.lines)
    transformers = tuple(_rated_transformer(t, changes) for t in equipment.transformers)
    supply = _rated_supply(equipment, changes)
    connections = tuple(Connection(c.id, c.node, c.phase) for c in equipment.connections)
    found = replace(equipment, lines=lines, transformers=transformers, supply=supply, connections=connections)
    return found, changes


def _ratings_a() -> dict[str, float]:
    """Permitted current per line type, A."""
    path = Path(str(files("gridmodel").joinpath("data", "european_lv_ratings.csv")))
    return {row.text("line_type"): row.number("rating_a") for row in read_csv(path, ("line_type", "rating_a"))}


def _rated_line(line: Line, rating_a: float, changes: list[Change]) -> Line:
    kind = f"line type {line.line_type}"
    if all(change.element != kind for change in changes):
        why = "published without ratings; usual rating of the conductor"
        changes.append(Change(kind, "rating_a", line.rating_a, rating_a, why))
    return replace(line, rating_a=rating_a)


def _rated_transformer(transformer: Transformer, changes: list[Change]) -> Transformer:
    why = "sized for 55 customers, same impedance in percent"
    name = f"transformer {transformer.id}"
    changes.append(Change(name, "s_rated_va", transformer.s_rated_va, TRANSFORMER_VA, why))
    return replace(transformer, s_rated_va=TRANSFORMER_VA)


def _rated_supply(equipment: Equipment, changes: list[Change]) -> Supply:
    supply = equipment.supply
    nominal_v = next(node.nominal_v for node in equipment.nodes if node.id == supply.node)
    before = float(abs(supply.v[0]) / nominal_v)
    changes.append(Change("source", "v_pu", before, SOURCE_PU, "1.05 leaves no room under 253 V"))
    return replace(supply, v=supply.v * SOURCE_PU / before)
