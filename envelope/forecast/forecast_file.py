"""A forecast in a file: every path, with when and how it was made."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from envelope.forecast.joint_paths import Forecast
from envelope.forecast.models import Model
from gridmodel.errors import FileError

VERSION = 1


def save(made: Forecast, path: Path) -> Path:
    """Write a forecast to a .npz file."""
    arrays: dict[str, Any] = {} if made.solar_w is None else {"solar_w": made.solar_w.astype(np.float32)}
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            version=np.array(VERSION),
            made_at=made.made_at,
            places=np.array(made.places, dtype=np.str_),
            start=made.start,
            step_s=made.step_s,
            model=str(made.model),
            expected_w=made.expected_w.astype(np.float32),
            path_w=made.path_w.astype(np.float32),
            said=np.array(made.said, dtype=np.str_),
            **arrays,
        )
    return path


def load(path: Path) -> Forecast:
    """Read a forecast; FileError where the file holds none."""
    if not path.is_file():
        raise FileError(path, "no such file")
    try:
        with np.load(path, allow_pickle=False) as found:
            if int(found["version"]) != VERSION:
                raise FileError(path, f"version {found['version']} is not {VERSION}", field="version")
            return Forecast(
                int(found["made_at"]),
                tuple(str(name) for name in found["places"]),
                found["start"].astype(np.int64),
                int(found["step_s"]),
                Model(str(found["model"])),
                found["expected_w"].astype(np.float64),
                found["path_w"].astype(np.float64),
                found["solar_w"].astype(np.float64) if "solar_w" in found else None,
                tuple(str(one) for one in found["said"]),
            )
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as wrong:
        if isinstance(wrong, FileError):
            raise
        raise FileError(path, f"is no forecast: {wrong}") from None
