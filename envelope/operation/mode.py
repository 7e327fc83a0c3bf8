"""The operator's decisions about the engine, in a file next to `sep2.toml` that every round reads."""

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
    """Which limits the engine publishes."""

    ACTIVE = "active"
    """Envelopes, calculated anew with every plan."""
    CONTRACT = "contract"
    """Each connection's static limits by contract, and no envelope."""
    HOLD = "hold"
    """The published schedule, topped up as time passes; nothing is calculated anew."""


class StaticLimits(StrEnum):
    """Limits that are published while an assumption of the envelopes is violated."""

    DEFAULTS = "defaults"
    """The defaults, which hold where no control is active."""
    CONTRACT = "contract"
    """The static limits by contract."""


@dataclass(frozen=True)
class OperatingState:
    """How the engine is operated. The names of the fields are those of the file."""

    mode: Mode = Mode.ACTIVE
    abnormal: str = ""
    """Why the topology differs from the plan's; empty: it does not."""
    safe: StaticLimits = StaticLimits.DEFAULTS


def read(folder: Path) -> OperatingState:
    """Return the state in the folder's file; without a file, envelopes are published."""
    path = folder / FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return OperatingState(Mode(fields["mode"]), str(fields["abnormal"]), StaticLimits(fields["safe"]))
    except FileNotFoundError:
        return OperatingState()
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise BadState(f"{path}: {wrong}") from None


def write(folder: Path, state: OperatingState) -> None:
    """Replace the folder's file in one step."""
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    part.replace(path)
