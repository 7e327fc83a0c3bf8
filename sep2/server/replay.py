"""A day that is played again in a copy for training: what devices said comes as the clock reaches its time."""

import asyncio
from pathlib import Path
from typing import Any

from sep2.server.app import State
from sep2.server.seen import What
from sep2.store import marks, replay
from sep2.store.database import Database
from sep2.store.opening import open_database
from sep2.store.seen_tables import program_told

FILE = "replay.db"
"""Beside the copy's database: what comes on the day."""
PLAYED = "replayed"
IDLE_S = 3600


async def play(state: State) -> None:
    """Let a day's readings, documents, events, answers and polls come until cancelled; of a copy for training only."""
    folder = _folder(state.settings.database.url)
    if state.settings.mode != "training" or folder is None or not (folder / FILE).exists():
        await asyncio.get_running_loop().create_future()  # nothing to do until it is cancelled
        return
    waiting = await open_database(f"sqlite:///{folder / FILE}")
    try:
        while True:
            until, steps = state.clock.now() + 1, state.clock.steps
            await _let_come(state, waiting, until)
            async with waiting.read() as db:
                at = await replay.next_at(db, until)
            await state.clock.sleep_until(until + IDLE_S if at is None else at, steps=steps)
    finally:
        await waiting.close()


async def _let_come(state: State, waiting: Database, until: int) -> None:
    async with state.db.read() as db:
        since = int(await marks.value(db, PLAYED) or 0)
    if since >= until:  # the clock was set back: nothing comes twice
        return
    async with waiting.read() as there, state.db.write() as here:
        for table in replay.tables():
            rows = await replay.due(there, table, since, until)
            if rows:
                await replay.come(here, table, rows)
                _note(state, await replay.speakers(here, table, rows), is_poll=table is program_told)
        await marks.put(here, PLAYED, str(until))
    state.wake()


def _note(state: State, speakers: list[Any], *, is_poll: bool) -> None:
    """Take the clients of these devices as heard of, and the devices."""
    for row in speakers:
        state.seen.asked(row.lfdi, "")
        if is_poll:
            state.seen.looked(row.id)
        else:
            state.seen.sent(row.lfdi, What.POST, device=row.id)


def _folder(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else None
