"""A forecast in a file: every path, with when and how it was made."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.forecast.joint_paths import Forecast
from envelope.forecast.models import Model
from gridmodel.errors import FileError

VERSION = 1


MORE = "more."
"""Begins the names of arrays that a user of forecasts has put beside one."""


def save(made: Forecast, path: Path, more: Mapping[str, NDArray[Any]] = MappingProxyType({})) -> Path:
    """Write a forecast to a .npz file. more: arrays beside it, by name."""
    arrays: dict[str, Any] = {} if made.solar_w is None else {"solar_w": made.solar_w.astype(np.float32)}
    arrays |= {f"{MORE}{name}": value for name, value in more.items()}
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
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
    part.replace(path)
    return path


def load_more(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays beside a forecast, by name; none where the file cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as found:
            return {name.removeprefix(MORE): found[name] for name in found.files if name.startswith(MORE)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        return {}


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
