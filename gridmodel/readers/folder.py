"""A feeder folder: the network file, the customers and their day. `docs/feeders.md` describes the format."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gridmodel import build
from gridmodel.equipment import Connection, Equipment
from gridmodel.errors import FileError
from gridmodel.feeder import Feeder
from gridmodel.network import SLOT_PHASES
from gridmodel.readers.series import read_profile
from gridmodel.readers.tables import Row, read_csv


def read_feeder(path: str | Path) -> Feeder:
    """The feeder of a folder; the first fault found is raised, naming file, row and field."""
    feeder, faults = load(path)
    if feeder is None:
        first, others = faults[0], len(faults) - 1
        more = f" (and {others} more)" if others else ""
        raise FileError(first.file, first.detail + more, row=first.row, field=first.field)
    return feeder


def load(path: str | Path) -> tuple[Feeder | None, list[FileError]]:
    """The feeder of a folder as far as it can be read, and everything that is wrong with its files."""
    folder, faults = Path(path), list[FileError]()
    try:
        equipment = _equipment(folder)
        settings = _settings(folder)
    except FileError as e:
        return None, [e]
    customers = _customers(folder, equipment, faults)
    if faults:
        return None, faults
    equipment = replace(
        equipment,
        name=str(settings.get("name", equipment.name)),
        connections=tuple(c.connection for c in customers),
    )
    ids = [c.connection.id for c in customers]
    profile = read_profile(folder, ids, settings, faults)
    if faults:
        return None, faults
    feeder = Feeder(
        name=equipment.name,
        network=build.network(equipment),
        pv_va=np.array([c.pv_va for c in customers]),
        active=np.array([c.active for c in customers], dtype=np.bool_),
        profile=profile,
        notes=equipment.notes,
    )
    return feeder, faults


def _equipment(folder: Path) -> Equipment:
    if not folder.is_dir():
        raise FileError(folder, "no such folder")
    found = sorted(folder.glob("*.pandapower.json"))
    if len(found) == 1:
        from gridmodel.readers.pandapower import read_equipment

        return read_equipment(found[0])
    raise FileError(folder, f"{len(found)} files named *.pandapower.json; one is needed")


def _settings(folder: Path) -> dict[str, object]:
    path = folder / "feeder.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as e:
        raise FileError(path, f"not TOML: {e}") from None


@dataclass(frozen=True, slots=True)
class _Customer:
    connection: Connection
    pv_va: float = 0.0
    active: bool = True


def _customers(folder: Path, equipment: Equipment, faults: list[FileError]) -> list[_Customer]:
    """Rows of customers.csv, or the loads of the network file where there is none."""
    path = folder / "customers.csv"
    if not path.is_file():
        return [_Customer(connection) for connection in equipment.connections]
    phases = {node.id: node.phases for node in equipment.nodes}
    found: dict[str, _Customer] = {}
    try:
        table = read_csv(path, ("customer", "bus", "phase"))
    except FileError as e:
        faults.append(e)
        return []
    for row in table:
        try:
            customer = _customer(row, phases)
            if customer.connection.id in found:
                raise row.wrong("customer", f"{customer.connection.id} stands here twice")
            found[customer.connection.id] = customer
        except FileError as e:
            faults.append(e)
    return list(found.values())


def _customer(row: Row, phases: dict[str, str]) -> _Customer:
    node, phase = row.text("bus"), row.text("phase", "unknown").lower()
    if node not in phases:
        raise row.wrong("bus", f"{node} is not in the network")
    if phase not in SLOT_PHASES:
        raise row.wrong("phase", f"{phase!r} is none of {', '.join(SLOT_PHASES)}")
    lacking = {p for _, plus, minus in SLOT_PHASES[phase] for p in plus + minus} - set(phases[node])
    if lacking:
        raise row.wrong("phase", f"node {node} has phases {phases[node]}, not {', '.join(sorted(lacking))}")
    pv_kva = row.number("pv_kva", 0.0)
    if pv_kva < 0:
        raise row.wrong("pv_kva", f"{pv_kva:g} is negative")
    return _Customer(Connection(row.text("customer"), node, phase), pv_kva * 1e3, row.flag("active", True))
