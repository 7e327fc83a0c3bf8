"""The operator's decisions about the engine, in a file next to `sep2.toml` that every round reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

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


class Stage(StrEnum):
    """Ways to go on with a round's limits."""

    SHADOW = "shadow"
    """They are calculated and compared with what is in force; no client gets them."""
    ADVISE = "advise"
    """They wait for a person who publishes them."""
    PUBLISH = "publish"
    """They are published; a round that lets out far more than before waits for a person."""


class ScopeKind(StrEnum):
    """Kinds of names in a decision about some connections."""

    CONNECTION = "connection"
    TRANSFORMER = "transformer"
    GROUP = "group"


class Scope(NamedTuple):
    """Some connections of the feeder for which envelopes are held or deactivated."""

    kind: ScopeKind
    name: str
    mode: Mode
    """contract: the connection's static limits; hold: its published limits do not rise"""

    @property
    def subject(self) -> tuple[ScopeKind, str]:
        """Kind and name."""
        return self.kind, self.name


@dataclass(frozen=True)
class OperatingState:
    """How the engine is operated. The names of the fields are those of the file."""

    mode: Mode = Mode.ACTIVE
    abnormal: str = ""
    """Why the topology differs from the plan's; empty: it does not."""
    safe: StaticLimits = StaticLimits.DEFAULTS
    stage: Stage | None = None
    """None: shadow in production mode, publish in test mode."""
    approved: str = ""
    """Run that a person lets be published though it waits."""
    scopes: tuple[Scope, ...] = ()

    def stage_in(self, server_mode: str) -> Stage:
        """Return what becomes of rounds of a server in test or production mode."""
        if self.stage is not None:
            return self.stage
        return Stage.SHADOW if server_mode == "production" else Stage.PUBLISH

    def with_scope(self, kind: ScopeKind, name: str, scope_mode: Mode) -> OperatingState:
        """Return the state with a decision about some connections; active removes an earlier one."""
        others = tuple(one for one in self.scopes if one.subject != (kind, name))
        added = () if scope_mode is Mode.ACTIVE else (Scope(kind, name, scope_mode),)
        return replace(self, scopes=(*others, *added))


def read(folder: Path) -> OperatingState:
    """Return the state in the folder's file; without a file, envelopes are published."""
    path = folder / FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        stage = fields.get("stage")
        return OperatingState(
            Mode(fields["mode"]),
            str(fields["abnormal"]),
            StaticLimits(fields["safe"]),
            None if stage is None else Stage(stage),
            str(fields.get("approved", "")),
            tuple(Scope(ScopeKind(one[0]), str(one[1]), Mode(one[2])) for one in fields.get("scopes", ())),
        )
    except FileNotFoundError:
        return OperatingState()
    except (OSError, ValueError, KeyError, TypeError, IndexError) as wrong:
        raise BadState(f"{path}: {wrong}") from None


def write(folder: Path, state: OperatingState) -> None:
    """Replace the folder's file in one step."""
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    part.replace(path)
