"""The files of a feeder inside a plan: those its network was read from, so that a plan needs no folder beside it."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from envelope.field_rules import BadProblem
from envelope.problem.feeder_files import EUROPEAN_LV, is_model, model_files
from gridmodel.model.network import Network

PREFIX = "feeder."
"""with which the names of these files' contents begin in a plan"""
MOST_BYTES = 64 * 2**20
"""of all files that a plan carries"""
UNPACKED: dict[str, Path] = {}
"""folders with files that plans carry, by a digest of them"""
MAPS = (".gpkg", ".shp", ".geojson")
"""network files that have tables beside them"""


class Carried(NamedTuple):
    """Files of a feeder, by the fields of a plan's file."""

    entry: str
    """what a reader is given of them: a file among them, or "." for their folder"""
    folder: str
    """the name of their folder"""
    files: tuple[str, ...]
    """their places in it"""


def files_in_plan(feeder: str, network: Network) -> tuple[Carried | None, dict[str, Any]]:
    """The files that a network was read from, and their contents by their names in a plan.

    None for a feeder that a package ships, and for files that hold more than `MOST_BYTES`.
    """
    if feeder == EUROPEAN_LV:
        return None, {}
    place = Path(feeder)
    root = Path(network.circuit_folder or (place if place.is_dir() else place.parent))
    files = {_place_in(root, file): file for file in _needed(place, network)}
    if sum(file.stat().st_size for file in files.values()) > MOST_BYTES:
        return None, {}
    contents = {f"{PREFIX}{k}": np.frombuffer(file.read_bytes(), np.uint8) for k, file in enumerate(files.values())}
    return Carried(_place_in(root, place), root.resolve().name, tuple(files)), contents


def _needed(place: Path, network: Network) -> list[Path]:
    """Files that a network is read from, and none that only lie beside them."""
    circuit = [Path(file) for file in network.circuit_files]
    if place.is_dir():
        below = list(model_files(str(place)).values())
        beside = [file for file in below if not _is_hidden(file.relative_to(place))]
        return [*circuit, *(file for file in beside if not circuit or file.parent == place)]
    if circuit:
        return circuit
    patterns = [f"{place.stem}.*", "*.csv"] if place.suffix.lower() in MAPS else []
    found = [file for pattern in (*patterns, "feeder.toml") for file in place.parent.glob(pattern) if is_model(file)]
    return [place, *found]


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def _place_in(root: Path, file: Path) -> str:
    """A file's place in a folder, also where one of them is said through a link."""
    own, within = file.absolute(), root.absolute()
    if not own.is_relative_to(within):
        own, within = file.resolve(), root.resolve()
    return own.relative_to(within).as_posix()


def carried_of(said: Mapping[str, Any]) -> Carried | None:
    """The files that a plan says it carries; BadProblem for places that are not inside one folder."""
    if "carried" not in said:
        return None
    found = Carried(str(said["carried"]["entry"]), str(said["carried"]["folder"]), tuple(said["carried"]["files"]))
    for place in (*found.files, found.entry):
        if not _is_inside(place):
            raise BadProblem(f"carried: {place!r} is no place in a folder")
    return found


def _is_inside(place: object) -> bool:
    """Whether this is a place in a folder and below: no other folder, drive or device."""
    if not isinstance(place, str) or any(mark in place for mark in '\\:\0"'):
        return False
    path = PurePosixPath(place)
    return not path.is_absolute() and ".." not in path.parts


def unpacked(plan: Path, carried: Carried) -> tuple[str, Path]:
    """The feeder in a plan as a path that readers take, and its folder; both stay until this process ends.

    A network that is known by its admittances only is solved from its circuit's files later on.
    """
    contents = list(_contents(plan, len(carried.files)))
    digest = hashlib.sha256(repr(carried).encode())
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    key = digest.hexdigest()
    if key not in UNPACKED:
        root = UNPACKED[key] = Path(_home(), carried.folder if _is_name(carried.folder) else "feeder")
        for place, content in zip(carried.files, contents, strict=True):
            file = root / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return str(UNPACKED[key] / carried.entry), UNPACKED[key]


def _home() -> str:
    home = tempfile.mkdtemp(prefix="sep2-plan-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _is_name(folder: str) -> bool:
    return _is_inside(folder) and len(PurePosixPath(folder).parts) == 1


def _contents(plan: Path, count: int) -> Iterator[bytes]:
    with plan.open("rb") as file, np.load(file, allow_pickle=False) as found:
        sizes: zipfile.ZipFile = found.zip
        if sum(one.file_size for one in sizes.infolist() if one.filename.startswith(PREFIX)) > 2 * MOST_BYTES:
            raise BadProblem(f"carried: files of more than {MOST_BYTES // 2**20} MiB")
        for k in range(count):
            if f"{PREFIX}{k}" not in found.files:
                raise BadProblem(f"carried: file {k} is missing")
            yield found[f"{PREFIX}{k}"].astype(np.uint8).tobytes()
