"""The files of a feeder's model: a digest of what they say, and a copy that stays as it is."""

from __future__ import annotations

import hashlib
import shutil
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

from envelope.field_rules import BadProblem

EUROPEAN_LV = "european-lv"
NO_MODEL = (
    ".*", "*.png", "*.parquet", "*.log", "*.md", "*.part", "*~",
    "demand_*.csv", "pv_kw.csv", "head_voltage*.csv", "ami*.csv", "scada*.csv", "weather*.csv", "*ledger*.csv",
)  # fmt: skip
"""Files of a feeder's folder that say nothing about its model: pictures, notes, and what was measured."""
LARGEST_BYTES = 2**30
"""Most that the model files of a feeder may hold together."""


def model_files(name: str) -> dict[Path, Path]:
    """Files of a feeder that may say something about its model, by their place in its folder."""
    path = Path(name)
    root = path if path.is_dir() else path.parent
    if not path.exists():
        raise BadProblem(f"{name}: no such folder")
    if path.suffix.lower() == ".json":
        found = [path]
    else:
        # An OpenDSS script redirects to files in its folder and below; tables and layers lie in the folder itself.
        below = path.is_dir() or path.suffix.lower() == ".dss"
        found = [file for file in sorted(root.rglob("*") if below else root.glob("*")) if is_model(file)]
    size = sum(file.stat().st_size for file in found)
    if size > LARGEST_BYTES:
        raise BadProblem(f"{root}: its files hold {size / 2**30:.1f} GiB; a feeder needs a folder of its own")
    return {file.relative_to(root): file for file in found}


def is_model(file: Path) -> bool:
    """Whether a file may say something about a feeder's model, by its name."""
    return file.is_file() and not any(fnmatch(file.name, pattern) for pattern in NO_MODEL)


def digest_of(name: str) -> str:
    """Return a value that differs once a file of a feeder that may say something about its model does."""
    if name == EUROPEAN_LV:
        return f"pandapower {version('pandapower')}"
    found = hashlib.sha256()
    for relative, file in model_files(name).items():
        found.update(f"{relative}\0{file.stat().st_size}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def copy_to(name: str, folder: Path) -> Path:
    """Copy a feeder's model files into a folder; return what a reader is given of the copy."""
    for relative, file in model_files(name).items():
        to = folder / relative
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    return opened_in(folder, name)


def opened_in(folder: Path, name: str) -> Path:
    """Return what a reader is given of the copy of a feeder: the network file, or the folder."""
    file = folder / Path(name).name
    return file if file.is_file() else folder
