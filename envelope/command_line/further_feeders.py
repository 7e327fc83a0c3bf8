"""The further feeders of a server in `sep2 envelope status`: each has a plan of its own below the folder `feeders`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from envelope.operation import mode
from envelope.operation.plan_folders import FEEDERS, names_in, server_of
from envelope.operation.preview import ServerView
from sep2.settings import read as read_settings


def read_further(folder: Path) -> dict[str, dict[str, str]]:
    """Return of each further feeder its stage and how its latest round ended, by name."""
    found = {}
    for name in names_in(folder):
        plan = folder / FEEDERS / name
        view = ServerView(plan, read_settings(server_of(plan)))
        made = asyncio.run(view.latest_round())
        said = "no round has ended yet" if view.plan() else "it has no plan that can be read"
        if made is not None:
            said = f"latest round at {time_of(made.at)}: {made.ended}{f': {made.why}' if made.why else ''}"
        found[name] = {"stage": str(mode.read(plan).stage_in(view.settings.mode)), "round": said}
    return found


def further_lines(folder: Path, further: dict[str, dict[str, str]]) -> list[str]:
    """Return sentences about them, each with the command that says more."""
    return [
        f"Feeder {name}: stage {one['stage']}; {one['round']}. More: sep2 envelope status {folder / FEEDERS / name}"
        for name, one in further.items()
    ]


def time_of(at: int) -> str:
    """Return a time in words, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
