"""devices.csv: what stands behind each connection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gridmodel.errors import FileError
from gridmodel.model.devices import CONTROL_POINTS, HOLDERS, Device, settled
from gridmodel.model.network import PORT_PHASES
from gridmodel.readers.series import noting
from gridmodel.readers.tables import Row, read_csv

FILE = "devices.csv"
COLUMNS = ("device_id", "connection_id", "type")
SIZES = ("max_gen_w", "max_load_w", "s_max_va", "energy_wh")


def read_devices(folder: Path, phase: Mapping[str, str], faults: list[FileError]) -> tuple[Device, ...]:
    """Devices of a folder, in the file's order; none where it has no such file.

    phase: of each connection. What is wrong is added to `faults`, by row and field.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    found: dict[str, Device] = {}
    holder: dict[str, str] = {}
    for row in read_csv(path, COLUMNS):
        with noting(faults):
            device = _device(row, phase)
            if device.id in found:
                raise row.wrong("device_id", f"{device.id} stands here twice")
            first = holder.setdefault(device.connection_id, device.id) if device.control_point in HOLDERS else device.id
            if first != device.id:
                raise row.wrong("control_point", f"{first} holds the net limits of {device.connection_id} already")
            found[device.id] = device
    return settled(tuple(found.values()))


def _device(row: Row, phase: Mapping[str, str]) -> Device:
    connection = row.text("connection_id")
    if connection not in phase:
        raise row.wrong("connection_id", f"{connection} has no such row among the customers")
    size = {name: row.number(name, 0.0) for name in SIZES}
    for name, value in size.items():
        if value < 0:
            raise row.wrong(name, f"{value:g} is negative")
    where = row.text("control_point", "").lower()
    if where and where not in CONTROL_POINTS:
        raise row.wrong("control_point", f"{where!r} is none of {', '.join(CONTROL_POINTS)}")
    return Device(
        id=row.text("device_id"),
        connection_id=connection,
        type=row.text("type").lower(),
        aggregator_id=row.text("aggregator_id", ""),
        control_point=where,
        phases=_phases(row, phase[connection]),
        lfdi=row.text("lfdi", "").upper(),
        standard=row.text("standard", ""),
        volt_var=row.text("volt_var", ""),
        **size,
    )


def _phases(row: Row, connection: str) -> str:
    """Phases of a device: all of its connection's, or one of them."""
    said = row.text("device_phases", "").lower()
    whole = "" if connection == "unknown" else connection
    known = {whole, *(label for label, _, _ in PORT_PHASES[connection])} - {""}
    if said and said not in known:
        raise row.wrong("device_phases", f"{said!r} is none of the connection's {', '.join(sorted(known))}")
    return said
