"""What the operator has decided of the engine, in a small file beside `sep2.toml`; every round reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from sep2.errors import SepError

FILE = "envelope-state.json"


class BadState(SepError):
    """The file that says how the engine is operated can not be read."""


class Mode(StrEnum):
    """What the engine publishes."""

    ACTIVE = "active"
    """envelopes, calculated anew with every plan"""
    CONTRACT = "contract"
    """each connection's static limits by contract, and no envelope"""
    HOLD = "hold"
    """what stands, topped up as time passes; nothing is calculated anew"""


class Safe(StrEnum):
    """What is published instead of envelopes whose premises do not hold."""

    DEFAULTS = "defaults"
    """what holds when no control does"""
    CONTRACT = "contract"
    """the static limits by contract"""


@dataclass(frozen=True)
class Operating:
    """How the engine is operated."""

    mode: Mode = Mode.ACTIVE
    abnormal: str = ""
    """why the topology is not the one of the plan; empty: it is"""
    safe: Safe = Safe.DEFAULTS


def read(folder: Path) -> Operating:
    """What the folder's file says; without one, envelopes are published."""
    path = folder / FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Operating(Mode(said["mode"]), str(said["abnormal"]), Safe(said["safe"]))
    except FileNotFoundError:
        return Operating()
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise BadState(f"{path}: {wrong}") from None


def write(folder: Path, operating: Operating) -> None:
    """Replace the folder's file, whole or not at all."""
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(operating), indent=2) + "\n", encoding="utf-8")
    part.replace(path)
