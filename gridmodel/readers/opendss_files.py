"""Files that an OpenDSS script names: found only inside one folder, read as text or as numbers."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

import numpy as np

from gridmodel.arrays import Real
from gridmodel.readers.encodings import UTF_8, decoded, encoding_of, refuse_zero_bytes
from gridmodel.readers.opendss_tokens import parameters

LARGEST_BYTES = 256 * 2**20
LARGEST_SHAPE = 2_000_000
"""numbers in one data file: half-minutes of two years"""
NUMBERS = {"file": None, "dblfile": np.float64, "sngfile": np.float32}
SPLIT = re.compile(r"[,\t ]+")


class ScriptFolder:
    """The folder that a circuit's files may come from; everything else is as good as absent."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.used = set[Path]()
        """files that were found by their names"""

    def find(self, said: str, beside: Path) -> Path:
        """The file of this name, from the folder `beside`; backslashes and either case as on Windows."""
        text = said.strip().replace("\\", "/")
        if not text or "\0" in text:
            raise LookupError("names no file")
        if PureWindowsPath(said).drive and not Path(text).is_absolute():
            raise LookupError(OUTSIDE)
        start = Path("/") if Path(text).is_absolute() else beside
        found = start
        for part in Path(text).parts:
            found = found if part == "/" else found.parent if part == ".." else self._child(found, part)
        if not found.resolve().is_relative_to(self.root):
            raise LookupError(OUTSIDE)
        if not found.is_file():
            raise LookupError("no such file")
        if found.stat().st_size > LARGEST_BYTES:
            raise LookupError(f"is larger than {LARGEST_BYTES // 2**20} MiB")
        self.used.add(found)
        return found

    def _child(self, folder: Path, part: str) -> Path:
        """The entry of this name, or else the only one that differs in case; folders outside are not listed."""
        exact = folder / part
        inside = folder.resolve().is_relative_to(self.root)
        if not inside or exact.exists() or not folder.is_dir():
            return exact
        alike = [entry for entry in folder.iterdir() if entry.name.lower() == part.lower()]
        return alike[0] if len(alike) == 1 else exact


OUTSIDE = "is outside the circuit's folder; files are read from there only, or from the folder that --files-from names"


def numbers(folder: ScriptFolder, said: str, beside: Path) -> Real:
    """The numbers of an inline reference such as `file=day.csv, column=2, header=yes`, or of a plain list.

    Raises LookupError or ValueError, whose text never holds what stands in a file.
    """
    given = {p.name.lower() or "": p for p in parameters(said)}
    kind = next((name for name in NUMBERS if name in given), None)
    if kind is None:
        return np.array([float(p.value) for p in parameters(said)], dtype=np.float64)
    if unknown := set(given) - {kind, "column", "header"}:
        raise ValueError(f"{sorted(unknown)[0]!r} is not understood beside {kind}")
    path = folder.find(given[kind].value, beside)
    column = int(given["column"].value) if "column" in given else 1
    header = "header" in given and given["header"].value.lower()[:1] in {"y", "t"}
    return columns(path, kind, header=header)[:, column - 1]


def columns(path: Path, kind: str = "file", *, header: bool = False) -> Real:
    """(rows, columns) numbers of a text file, or (rows, 1) of a binary one of the given kind."""
    form = NUMBERS[kind]
    found = _of_text(path, header) if form is None else np.fromfile(path, dtype=form).astype(np.float64)[:, None]
    if not np.isfinite(found).all() or len(found) > LARGEST_SHAPE:
        raise ValueError(f"{path.name}: not at most {LARGEST_SHAPE} finite numbers")
    return found


def _of_text(path: Path, header: bool) -> Real:
    rows: list[list[float]] = []
    content = path.read_bytes()
    text = content.decode(encoding_of(content[:4]), errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        words = [word for word in SPLIT.split(line.strip()) if word]
        if not words or (header and number == 1):
            continue
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            raise ValueError(f"{path.name}, row {number}: not a number") from None
        if len(rows[-1]) != len(rows[0]):
            raise ValueError(f"{path.name}, row {number}: {len(rows[-1])} values after rows of {len(rows[0])}")
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def script_text(path: Path) -> str:
    """A script as text; bytes that are no UTF-8 stay as they are until they are used, since most stand in comments."""
    content = path.read_bytes()
    if encoding_of(content[:4]) == UTF_8:
        refuse_zero_bytes(path, content)
        return content.decode(UTF_8, errors="surrogateescape")
    return decoded(path, content)
