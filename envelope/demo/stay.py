"""The demonstration left running: the day until the early afternoon, then the desk is open and time passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from urllib.parse import quote

from envelope.demo.day import FIRST_HOUR, STEP_S, STEPS
from envelope.demo.scenario import Scenario
from envelope.demo.simulation import DaySettings, OnStep, OpenDay, move_clock, open_day, play

UNTIL_HOUR = 14
TICK_S = 5.0
"""Real time, and time of the day, between two steps of the clock."""
Say = Callable[[str], None]


async def keep_running(scenario: Scenario, settings: DaySettings, on_step: OnStep, say: Say) -> None:
    """Play the day until 14:00, print the desk's sign-in link, and let time pass until the task is cancelled."""
    async with open_day(scenario, settings) as day:
        await _add_places(day, scenario)
        steps = (UNTIL_HOUR - FIRST_HOUR) * 3600 // STEP_S
        await play(day.server, day.clients, settings, on_step, steps=steps)
        for line in await lines(day):
            say(line)
        await pass_time(day, scenario, steps)


async def _add_places(day: OpenDay, scenario: Scenario) -> None:
    """Register the feeder and its transformer as places, and put every connection there."""
    name, operator = scenario.feeder.name[:60], day.server.operator
    await operator.ask("POST", "/places", {"kind": "feeder", "name": name})
    await operator.ask("POST", "/places", {"kind": "transformer", "name": f"{name} transformer", "parent": name})
    found = await operator.all_of("/connections?total=capped")
    body = {"connections": [each["connection_id"] for each in found]}
    await operator.ask("POST", f"/places/{quote(f'{name} transformer', safe='')}/connections", body)


async def lines(day: OpenDay) -> list[str]:
    """Return what a person needs to look at the desk, and to end the demonstration."""
    settings, folder = day.server.settings.operator, day.server.folder
    made = await day.server.operator.ask("POST", "/desk/links", {})
    return [
        f"The desk: http://{settings.host}:{settings.port}{made['link']} (good once, for a minute)",
        f"Another link: SEP2_DIR={folder} sep2 desk open",
        "It is 14:00 of the day and time passes; Ctrl-C ends the demonstration.",
    ]


async def pass_time(day: OpenDay, scenario: Scenario, steps: int, *, tick_s: float = TICK_S) -> None:
    """Let the server, the clients and the homes go on in real time, to the end of the day and beyond."""
    start, began = scenario.day.start + steps * STEP_S, time.monotonic()
    played = steps
    while True:
        await asyncio.sleep(tick_s)
        now = start + int(time.monotonic() - began)
        await move_clock(day.server, day.clients, now)
        await day.clients.advance()
        while played < min(STEPS, (now - scenario.day.start) // STEP_S):
            day.clients.homes.play(played)
            played += 1
