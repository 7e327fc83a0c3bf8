"""The kinds of alarm by their code: how soon a person must act, what it tells them, and what they do.

They are rows of `alarm_kinds.toml`, whose first lines say what each field is.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ACT_NOW, ACT_SOON, THIS_DAY = 1, 2, 3
"""Priorities: act within 5 minutes, within 30 minutes, this day."""
RETURNS_S = 600
"""A cause that comes back within so many seconds is the same alarm, where its kind says nothing else."""


class Kind(NamedTuple):
    """What is known of all alarms with one code."""

    priority: int
    """unless the alarm itself is raised with another"""
    subject: str
    """what it is about, such as client or feeder"""
    meaning: str
    raised: str
    cleared: str
    do: str
    """what to check and to do"""
    under: tuple[str, ...] = ()
    """codes of causes that explain it"""
    returns_s: int = RETURNS_S
    by_hand: bool = False
    """whether only an operator clears it"""


def _read(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Kind]:
    return {code: Kind(**{**row, "under": tuple(row.get("under", ()))}) for code, row in rows.items()}


KINDS: dict[str, Kind] = _read(tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")))
CAUSES = frozenset(cause for kind in KINDS.values() for cause in kind.under)
"""Codes that explain others."""
_UNKNOWN = Kind(THIS_DAY, "server", "", "", "by an operator", "", by_hand=True)


def kind_of(code: str) -> Kind:
    """The kind of alarms with this code; one that is not in the catalogue waits until the day's end."""
    return KINDS.get(code, _UNKNOWN)


def priority_of(code: str) -> int:
    """The priority of alarms with this code."""
    return kind_of(code).priority
