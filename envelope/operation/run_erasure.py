"""Erasure of one connection's forecasts in the records of runs.

Its column in every kept series of base load becomes zero. Such a run can not be calculated again to the bit, and says
so; what was published of it, and the inputs of all other connections, stay.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from envelope.operation.object_store import ObjectStore, packed, unpacked, write_once
from envelope.operation.run_store import CALCULATION, WRITING, RunStore, content_of
from gridmodel.errors import GridError

PERSONAL = ("base_", "ceiling_", "favour_", "weight_", "scenarios.load_", "scenarios.solar_")
"""How the names of series begin that follow from what a customer drew; their last axis is that of connections."""


class _Blanking:
    """Objects with one connection's column set to zero; each is rewritten once."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects
        self.known: dict[tuple[str, int, int], str] = {}
        self.values = 0

    def instead_of(self, name: str, column: int, count: int) -> str:
        """Return the name of an object without the column; the same name where it has none, or is zero there."""
        key = name, column, count
        if key not in self.known:
            array = unpacked(self.objects.get(name))
            has = array.ndim > 0 and array.shape[-1] == count and bool(array[..., column].any())
            if has:
                array = array.copy()
                self.values += array[..., column].size
                array[..., column] = 0
            self.known[key] = self.objects.put(packed(array)) if has else name
        return self.known[key]


def erase_forecasts(store: RunStore, connection_id: str) -> int:
    """Erase a connection in the inputs of all runs that are kept; return the number of values."""
    with WRITING:
        blanking, columns, changed = _Blanking(store.objects), dict[str, list[str]](), False
        for path in (store.folder / "runs").glob(f"*/*{CALCULATION}"):
            said: dict[str, Any] = json.loads(content_of(path))
            names = _names(store, said, columns)
            if connection_id in names:
                changed |= _blank(path, said, blanking, (names.index(connection_id), len(names)))
        if changed:
            store.forget_objects()
    return blanking.values


def _blank(path: Path, said: dict[str, Any], blanking: _Blanking, at: tuple[int, int]) -> bool:
    changed = False
    for name, one in said["arrays"].items():
        if name.startswith(PERSONAL):
            pieces = [blanking.instead_of(piece, *at) for piece in one["pieces"]]
            changed |= pieces != one["pieces"]
            one["pieces"] = pieces
    if changed:
        said["erased"] = True
        write_once(path, zlib.compress(json.dumps(said).encode(), 6))
    return changed


def _names(store: RunStore, said: dict[str, Any], known: dict[str, list[str]]) -> list[str]:
    """Return the connections of a calculation in the order of columns; read from the feeder where a record is old."""
    key = said.get("connections") or json.dumps(said["files"], sort_keys=True)
    if key not in known:
        if "connections" in said:
            known[key] = json.loads(store.objects.get(key))
        else:
            try:
                known[key] = list(store.reduced(said).network.connections.id)
            except GridError:
                known[key] = []
    return known[key]
