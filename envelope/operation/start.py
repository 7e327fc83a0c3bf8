"""Begins the engine's work once there is a plan: only then are its libraries needed, and their absence an alarm."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sep2.extension import resolve

if TYPE_CHECKING:
    from sep2.extension import State

PLAN = "envelope-plan.npz"
"""The plan in the server's folder, as `envelope.problem.plan_file.FILE` names it."""
POLL_S = 0.5


async def work(state: State) -> None:
    """Run rounds over the plan in the server's folder, once there is one."""
    path = Path(state.settings.operator.token_file).with_name(PLAN)
    while not path.exists():  # noqa: ASYNC110 - no event announces that a file appears
        await asyncio.sleep(POLL_S)
    worker = await asyncio.to_thread(resolve, "envelope.operation.worker:work")
    await worker(state)
