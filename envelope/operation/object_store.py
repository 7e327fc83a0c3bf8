"""Files and arrays by their content: what several runs share, such as a feeder's files, is there once.

An array with an axis of steps is kept in pieces that begin at fixed times, so that a horizon that moved on by one step
shares all but the first and the last piece with the one before.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sep2.errors import SepError

PIECE = 6
"""Steps in a piece."""
SMALL = (np.int8, np.int16, np.int32)
"""Types in which whole numbers are kept where they fit."""


class MissingRecord(SepError):
    """What is needed to calculate a run again is not kept."""

    status = 404


@dataclass(frozen=True)
class ObjectStore:
    """Objects in a folder, each under the SHA-256 of its content."""

    folder: Path

    def put(self, content: bytes) -> str:
        """Keep content, and return its name."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        if not path.exists():
            write_once(path, zlib.compress(content, 6))
        return name

    def get(self, name: str) -> bytes:
        """Return content; MissingRecord where it is not kept, or not what was kept."""
        try:
            content = zlib.decompress(self._path(name).read_bytes())
        except (OSError, zlib.error) as wrong:
            raise MissingRecord(f"{name[:12]}: {wrong}") from None
        if hashlib.sha256(content).hexdigest() != name:
            raise MissingRecord(f"{name[:12]}: its content has changed")
        return content

    def put_array(self, array: NDArray[Any], first: int | None, steps: int) -> dict[str, Any]:
        """Keep an array, and return where it is. first: number of its first step, counted from a fixed time."""
        axis = _axis_of_steps(array, steps) if first is not None else None
        if axis is None or first is None:
            return {"pieces": [self.put(packed(array))], "axis": 0}
        cuts = [at for at in range(1, steps) if (first + at) % PIECE == 0]
        pieces = np.split(array, cuts, axis=axis)
        return {"pieces": [self.put(packed(one)) for one in pieces], "axis": axis}

    def get_array(self, said: dict[str, Any]) -> NDArray[Any]:
        """Return an array that was kept, to the bit."""
        pieces = [unpacked(self.get(name)) for name in said["pieces"]]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=said["axis"])

    def forget_but(self, names: Iterable[str]) -> int:
        """Delete all objects but these; return how many."""
        kept, gone = set(names), 0
        for path in self.folder.glob("??/*"):
            if path.name not in kept:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name


def write_once(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _axis_of_steps(array: NDArray[Any], steps: int) -> int | None:
    """Return which axis of an array has the steps; None: none has."""
    if steps <= PIECE:
        return None
    if array.ndim >= 3 and array.shape[1] == steps:
        return 1
    return 0 if array.ndim and len(array) == steps else None


def packed(array: NDArray[Any]) -> bytes:
    """Return an array as bytes; whole numbers among floating ones in the smallest type that holds them."""
    kept, was = np.ascontiguousarray(array), str(array.dtype)
    if kept.dtype == np.float64 and kept.size:
        for small in SMALL:
            with np.errstate(invalid="ignore"):
                whole = kept.astype(small)
            if whole.astype(np.float64).tobytes() == kept.tobytes():
                kept = whole
                break
    file = io.BytesIO()
    np.save(file, kept, allow_pickle=False)
    return was.encode() + b"\0" + file.getvalue()


def unpacked(content: bytes) -> NDArray[Any]:
    """Return the array of such bytes, to the bit."""
    was, _, body = content.partition(b"\0")
    found: NDArray[Any] = np.load(io.BytesIO(body), allow_pickle=False)
    return found.astype(np.dtype(was.decode()), copy=False)
