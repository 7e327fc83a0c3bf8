"""Whether backups are still made: the newest in their folder may be a day old, and a little."""

import asyncio
import time
from pathlib import Path

from sep2.operations.alarms import BACKUP_STALE, Wanted
from sep2.rules.told_times import told
from sep2.server.leading import have_stand
from sep2.settings.fields import Database as Settings
from sep2.store.database import Database

BASE = "base"
"""The folder of whole backups below the one that `examples/deploy/backup.sh` is given; logs lie beside it."""


async def look_at_backups(db: Database, settings: Settings, now: int) -> None:
    """Raise or clear the alarm of backups that are old; nothing where no folder of backups is named.

    now: when an alarm is raised or cleared. How old a backup is, is told by the machine's clock, as its files are.
    """
    folder, longest_s = settings.backups, settings.backup_stale_s
    if folder is None:
        return
    at = await asyncio.to_thread(newest, folder)
    wanted = {}
    if at is None:
        wanted[f"backups in {folder}"] = Wanted("none is there, or the folder can not be read")
    elif time.time() - at > longest_s:
        wanted[f"backups in {folder}"] = Wanted(f"the newest is of {told(at)}; one is due every {longest_s / 3600:g} h")
    await have_stand(db, {BACKUP_STALE: wanted}, now)


def newest(folder: Path) -> int | None:
    """When the newest backup of a folder was made, epoch seconds; None: there is none, or it can not be looked at.

    Each file or folder in it is a backup; one whose name begins with a dot is not finished.
    """
    below = folder / BASE
    try:
        found = (below if below.is_dir() else folder).iterdir()
        times = [one.stat().st_mtime for one in found if not one.name.startswith(".")]
    except OSError:
        return None
    return int(max(times)) if times else None
