"""A folder into which other systems put files of measurements: each is imported once it is whole.

    measurements/incoming/ami/*.csv       as `sep2 measurements import` reads them
    measurements/incoming/scada/*.csv     with `tags.csv` beside them
    measurements/incoming/weather/*.csv

A file that was taken goes to `done/`, one that can not be read to `refused/`, with the reason in a text beside it.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sep2.store import alarms

if TYPE_CHECKING:
    from sep2.extension import State

NAME, POLL_S = "measurement_spool", 2.0
KINDS, TAGS = ("ami", "scada", "weather"), "tags.csv"
DONE, REFUSED, UNREADABLE = "done", "refused", "measurements_refused"
Seen = dict[Path, tuple[int, int]]
log = logging.getLogger(__name__)


async def work(state: State) -> None:
    """Import files as they appear; a file is whole when it is the same at two looks in a row."""
    incoming = state.settings.measurements.folder / "incoming"
    seen: Seen = {}
    while True:
        await asyncio.sleep(POLL_S)
        if incoming.is_dir() and await state.db.leads():
            seen = await look(state, incoming, seen)


async def look(state: State, incoming: Path, seen: Seen) -> Seen:
    """Import the files that are as they were at the last look; return what is there now."""
    found = await asyncio.to_thread(_files, incoming)
    for path, stamp in found.items():
        if seen.get(path) == stamp:
            await asyncio.to_thread(take, state, path)
    left = sorted(one.name for one in (incoming / REFUSED).glob("*") if one.suffix != ".txt")
    more = ", ..." if len(left) > 3 else ""
    detail = f"{len(left)} files could not be read: {', '.join(left[:3])}{more}; each has its reason beside it"
    async with state.db.read() as db:
        standing = {row.detail for row in await alarms.standing_of(db, UNREADABLE)}
    if standing != ({detail} if left else set()):
        async with state.db.write() as db:
            now = state.clock.now()
            if left:
                await alarms.raise_one(db, UNREADABLE, str(incoming), detail, now=now)
            else:
                await alarms.clear(db, UNREADABLE, str(incoming), now)
    return found


def _files(incoming: Path) -> Seen:
    found = {}
    for kind in KINDS:
        for path in (incoming / kind).glob("*"):
            if path.is_file() and path.name != TAGS and not path.name.startswith(".") and path.suffix != ".part":
                status = path.stat()
                found[path] = status.st_mtime_ns, status.st_size
    return found


def take(state: State, path: Path) -> None:
    """Import one file, and put it where it belongs afterwards."""
    from envelope.operation.input_ages import SWITCHED
    from gridmodel.errors import GridError
    from gridmodel.meter_data import importing
    from gridmodel.meter_data.guessing import Hints
    from gridmodel.meter_data.store import Kind, MeasurementStore

    kind, settings, now = Kind(path.parent.name), state.settings, state.clock.now()
    store = MeasurementStore(settings.measurements.folder)
    tags = path.with_name(TAGS) if kind is Kind.SCADA else None
    hints = Hints(default_zone=settings.utility.zone)
    keep_from = max(now - settings.utility.retention.measurements_s, 0)
    options = importing.ImportOptions(kind, hints, tags=tags, keep_from=keep_from)
    try:
        prepared = importing.prepare(store, [path], options, now, compare=False)
        with prepared.staging:
            importing.write(store, prepared)
    except (GridError, OSError, ValueError) as wrong:
        log.warning("%s is not taken: %s", path, wrong)
        _moved(path, REFUSED).with_suffix(path.suffix + ".txt").write_text(f"{wrong}\n", encoding="utf-8")
        return
    _moved(path, DONE)
    if kind is Kind.SCADA:
        (store.folder / SWITCHED).touch()


def _moved(path: Path, where: str) -> Path:
    """Move a file aside; one of the same name is not lost."""
    folder = path.parent.parent / where
    folder.mkdir(exist_ok=True)
    to, number = folder / path.name, 1
    while to.exists():
        number += 1
        to = folder / f"{path.stem}-{number}{path.suffix}"
    return path.rename(to)
