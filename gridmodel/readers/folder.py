"""A feeder folder, or a network file alone: the network, the customers, their day. See `docs/feeders.md`."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Real
from gridmodel.errors import FileError, FileFaults
from gridmodel.model import admittance as build
from gridmodel.model.devices import Device
from gridmodel.model.equipment import Connection, Equipment
from gridmodel.model.feeder import Feeder
from gridmodel.model.findings import Finding
from gridmodel.model.network import PORT_PHASES, Network, Terminals, connect
from gridmodel.readers import cim, gis, snapping, workbook
from gridmodel.readers.devices import read_devices
from gridmodel.readers.known_columns import unused
from gridmodel.readers.series import assumed_head, noting, read_profile
from gridmodel.readers.staged import load_staged, unread_tables
from gridmodel.readers.tables import Row, read_csv, read_json, read_text


def read_feeder(path: str | Path, within: str | Path | None = None) -> Feeder:
    """The feeder of a folder; the first fault found is raised, naming file, row and field.

    within: the folder that an OpenDSS circuit may read files from; by default its own.
    """
    feeder, faults = load(path, within)
    if feeder is None:
        raise FileFaults(faults)
    return feeder


def load(path: str | Path, within: str | Path | None = None) -> tuple[Feeder | None, list[FileError]]:
    """The feeder of a folder, or everything that is wrong with its files; `within` as for `read_feeder`."""
    folder, faults = Path(path), list[FileError]()
    try:
        if _is_workbook(folder) or _is_map(folder):
            return _staged(folder)
        settings = _settings(folder)
        grid = _grid(folder, settings, within)
    except FileError as e:
        return None, list(e.all)
    customers = _customers(folder, grid, faults)
    devices = () if faults else _devices(folder, customers, faults)
    if faults:
        return None, faults
    # Without customers that is the finding, and not that their series are a stranger's.
    profile = None if not customers else read_profile(folder, [c.connection.id for c in customers], settings, faults)
    if faults:
        return None, faults
    network = grid.build(tuple(c.connection for c in customers), str(settings.get("name", grid.name)))
    feeder = Feeder(
        name=network.name,
        network=network,
        pv_va=_pv_va(customers, devices),
        active=np.array([c.active for c in customers], dtype=np.bool_),
        profile=profile,
        devices=devices,
        notes=grid.notes,
        findings=(*grid.findings, *unused(folder, settings), *(assumed_head(folder) if profile else ())),
    )
    return feeder, faults


def _is_workbook(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in workbook.SUFFIXES


def _is_map(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in gis.SUFFIXES
    known = any(path.glob("*.gpkg")) or any((path / f"lines{suffix}").is_file() for suffix in gis.SUFFIXES)
    return path.is_dir() and known and not (path / "nodes.csv").is_file()


def _staged(path: Path) -> tuple[Feeder | None, list[FileError]]:
    """The feeder of a workbook's sheets, or of a map's layers and the CSV files beside them."""
    if _is_workbook(path):
        sheets, others = workbook.sheets(path)
        feeder, faults = load_staged(path, sheets, load, kind="sheet")
        own = unread_tables(others, sheets, "sheet")
    else:
        beside = path if path.is_dir() else path.parent
        snap_m = _positive(beside, _settings(beside), "snap_m", snapping.SNAP_M)
        layers, others = gis.layers(path)
        found = snapping.MapTables(path, layers, snap_m)
        feeder, faults = load_staged(path, found.tables, load, kind="layer", beside=beside)
        own = [*unread_tables(others, layers, "layer"), *found.findings()]
    return (replace(feeder, findings=(*own, *feeder.findings)) if feeder else None), faults


@dataclass(frozen=True, slots=True)
class _Customer:
    connection: Connection
    pv_va: float = 0.0
    active: bool = True


@dataclass(frozen=True, slots=True)
class _Grid:
    """What a network file gives: node phases, its own customers, and the network for a set of connections."""

    name: str
    phases: dict[str, str]
    own: tuple[_Customer, ...]
    build: Callable[[tuple[Connection, ...], str], Network]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def _grid(folder: Path, settings: dict[str, object], within: str | Path | None) -> _Grid:
    """The network of a folder, in whichever of the three formats it is."""
    known = "*.pandapower.json, nodes.csv or Master.dss"
    if cim.is_cim(folder):
        return _of_equipment(cim.read_equipment(folder))
    if folder.is_file():
        return _grid_of_file(folder, known, within)
    if not folder.is_dir():
        raise FileError(folder, "no such folder")
    found = sorted([*folder.glob("*.pandapower.json"), *folder.glob("nodes.csv"), *folder.glob("[Mm]aster.dss")])
    if len(found) != 1:
        raise FileError(folder, f"{len(found)} network files; one of {known} is needed")
    if found[0].suffix == ".dss":
        return _opendss(found[0], within)
    if found[0].suffix == ".csv":
        from gridmodel.readers import csv_folder

        return _of_equipment(
            csv_folder.read_equipment(folder, frequency_hz=_positive(folder, settings, "frequency_hz", 50))
        )
    from gridmodel.readers import pandapower

    return _of_equipment(pandapower.read_equipment(found[0]))


def _grid_of_file(path: Path, known: str, within: str | Path | None) -> _Grid:
    """The network of a file by itself: its loads are the customers, and nothing was measured."""
    if path.suffix.lower() == ".dss":
        return _opendss(path, within)
    if path.suffix.lower() != ".json":
        files = "a pandapower .json, an OpenDSS .dss, an .xlsx, .gpkg, .shp, .geojson, .xml or .zip file"
        raise FileError(path, f"neither {files}, nor a folder with one of {known}")
    from gridmodel.readers import pandapower, power_grid_model_file

    if power_grid_model_file.is_data_set(read_json(path)):
        frequency_hz = _positive(path.parent, _settings(path.parent), "frequency_hz", 50)
        return _of_equipment(power_grid_model_file.read_equipment(path, frequency_hz))
    return _of_equipment(pandapower.read_equipment(path))


def _of_equipment(equipment: Equipment) -> _Grid:
    def made(connections: tuple[Connection, ...], name: str) -> Network:
        found = build.network(replace(equipment, connections=connections, name=name))
        return found if connections == equipment.connections else replace(found, **STRANGE)

    own = tuple(_Customer(connection) for connection in equipment.connections)
    phases = {n.id: n.phases for n in equipment.nodes}
    return _Grid(equipment.name, phases, own, made, equipment.notes, equipment.findings)


def _opendss(path: Path, within: str | Path | None) -> _Grid:
    from gridmodel.engine_process import call

    network: Network
    network, pv_va, findings = call("read", path, within)
    nodes = network.nodes
    terminals, index = Terminals(nodes.phases), {name: k for k, name in enumerate(nodes.id)}

    def made(connections: tuple[Connection, ...], name: str) -> Network:
        found = replace(network, connections=connect(connections, index, terminals), name=name)
        return found if connections == tuple(own) else replace(found, **STRANGE)

    c = network.connections
    own = [Connection(c.id[k], nodes.id[c.node[k]], c.phase[k]) for k in range(len(c))]
    customers = tuple(_Customer(connection, pv_va.get(connection.id, 0.0)) for connection in own)
    notes = ("loads are taken as constant power; regulators and inverter controls stand still",)
    phases = dict(zip(nodes.id, nodes.phases, strict=True))
    return _Grid(network.name, phases, customers, made, notes, tuple(findings))


def _settings(folder: Path) -> dict[str, object]:
    path = folder / "feeder.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as e:
        raise FileError(path, f"not TOML: {e}") from None


def _positive(folder: Path, settings: dict[str, object], field: str, default: float) -> float:
    value = settings.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise FileError(folder / "feeder.toml", f"{value!r} is not a positive number", field=field)
    return float(value)


STRANGE: dict[str, Any] = {"source_file": "", "own_elements": {}, "own_load_va": {}}
"""of a network whose customers are not those of its file"""
CUSTOMER_FILES = {
    "customers.csv": {"id": "customer", "node": "bus", "phase": "phase"},
    "connections.csv": {"id": "connection_id", "node": "node", "phase": "phases"},
}


def _customers(folder: Path, grid: _Grid, faults: list[FileError]) -> list[_Customer]:
    """Rows of customers.csv or connections.csv, or the loads of the network file where there is neither."""
    name = next((name for name in CUSTOMER_FILES if (folder / name).is_file()), None)
    if name is None:
        return list(grid.own)
    columns = CUSTOMER_FILES[name]
    found: dict[str, _Customer] = {}
    try:
        table = read_csv(folder / name, list(columns.values()))
    except FileError as e:
        faults.append(e)
        return []
    for row in table:
        with noting(faults):
            customer = _customer(row, columns, grid.phases)
            own = customer.connection.id
            if own in found:
                raise row.wrong(columns["id"], f"{own} stands here twice")
            found[own] = customer
    return list(found.values())


def _customer(row: Row, columns: dict[str, str], phases: dict[str, str]) -> _Customer:
    name, node, phase = (
        row.text(columns["id"]),
        row.text(columns["node"]),
        row.text(columns["phase"], "unknown").lower(),
    )
    if node not in phases:
        raise row.wrong(columns["node"], f"{node} is not in the network")
    if phase not in PORT_PHASES:
        raise row.wrong(columns["phase"], f"{phase!r} is none of {', '.join(PORT_PHASES)}")
    lacking = {p for _, plus, minus in PORT_PHASES[phase] for p in plus + minus} - set(phases[node])
    if lacking:
        raise row.wrong(columns["phase"], f"node {node} has phases {phases[node]}, not {', '.join(sorted(lacking))}")
    pv_kva = row.number("pv_kva", 0.0)
    if pv_kva < 0:
        raise row.wrong("pv_kva", f"{pv_kva:g} is negative")
    return _Customer(Connection(name, node, phase), pv_kva * 1e3, row.flag("active", True))


def _devices(folder: Path, customers: Sequence[_Customer], faults: list[FileError]) -> tuple[Device, ...]:
    try:
        return read_devices(folder, {c.connection.id: c.connection.phase for c in customers}, faults)
    except FileError as e:
        faults.append(e)
        return ()


def _pv_va(customers: Sequence[_Customer], devices: Sequence[Device]) -> Real:
    """(C,) size of the inverters of each connection's PV systems, from both files."""
    own: dict[str, float] = {}
    for device in devices:
        if device.type == "pv":
            own[device.connection_id] = own.get(device.connection_id, 0.0) + device.size_va
    return np.array([c.pv_va + own.get(c.connection.id, 0.0) for c in customers], dtype=np.float64)
