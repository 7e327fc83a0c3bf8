"""Folders of plans: the server's own, and one below its folder `feeders` for each further feeder.

Each has a plan of its own, and beside it what rounds over that plan read and keep: decisions, model, calendar,
forecast, ledger, plants and records.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sep2.errors import UnknownFeeder
from sep2.settings import FILE as SETTINGS

FEEDERS = "feeders"
PLAN = "envelope-plan.npz"
"""The plan in its folder, as `envelope.problem.plan_file.FILE` names it."""
LONGEST = 40


def server_of(folder: Path) -> Path:
    """Return the server's folder for the folder of one of its plans."""
    above = folder.absolute().parent
    is_below = above.name == FEEDERS and not (folder / SETTINGS).exists()
    return above.parent if is_below and (above.parent / SETTINGS).exists() else folder


def name_of(folder: Path) -> str:
    """Return the name of a plan's folder below `feeders`; empty: the server's own."""
    return "" if server_of(folder) == folder else folder.absolute().name


def names_in(server: Path) -> list[str]:
    """Return the names of the further feeders, whether they have a plan yet or not."""
    home = server / FEEDERS
    return sorted(one.name for one in home.iterdir() if one.is_dir()) if home.is_dir() else []


def folder_of(server: Path, name: str) -> Path:
    """Return the folder of the plan of that name; empty: the server's own."""
    if not name:
        return server
    if name not in names_in(server):
        raise UnknownFeeder(name[:60])
    return server / FEEDERS / name


def all_in(server: Path) -> list[Path]:
    """Return the folders of all plans, the server's own first."""
    return [server, *(server / FEEDERS / name for name in names_in(server))]


def planned_in(server: Path) -> list[Path]:
    """Return those that have a plan."""
    return [folder for folder in all_in(server) if (folder / PLAN).exists()]


def mark_of(mark: str, name: str) -> str:
    """Return the name in the database of a mark of one plan."""
    short = name if len(name) <= LONGEST else hashlib.sha256(name.encode()).hexdigest()[:LONGEST]
    return f"{mark}:{short}" if name else mark
