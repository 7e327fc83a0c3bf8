"""Begins the engine's work once there is a plan: only then are its libraries needed, and their absence an alarm."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from envelope.operation.plan_folders import planned_in
from sep2.extension import resolve

if TYPE_CHECKING:
    from sep2.extension import State

POLL_S = 0.5


async def work(state: State) -> None:
    """Run rounds over the plans in the server's folder, once there is one."""
    folder = Path(state.settings.operator.token_file).parent
    while not planned_in(folder):  # noqa: ASYNC110 - no event announces that a file appears
        await asyncio.sleep(POLL_S)
    worker = await asyncio.to_thread(resolve, "envelope.operation.worker:work")
    await worker(state)
