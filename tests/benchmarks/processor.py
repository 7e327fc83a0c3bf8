"""The processor time that other processes have taken."""

import os
from collections.abc import Callable
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
Spent = Callable[[], float]
"""Tells how many seconds of processor time were taken so far."""


def of_process(pid: int) -> float:
    """Seconds that a process has used, in the kernel and out of it."""
    fields = _stat(Path(f"/proc/{pid}"))
    return sum(map(int, fields[11:13])) * TICK_S


def of_postgres(postmaster: int) -> float:
    """Seconds that a PostgreSQL server and its processes have used, those that have ended too."""
    each = {int(one.name): _stat(one) for one in Path("/proc").iterdir() if one.name.isdigit()}
    fields = [said for number, said in each.items() if said and postmaster in (number, int(said[1]))]
    # utime, stime, and of children that were waited for: clock ticks, see proc(5)
    return sum(sum(map(int, said[11:15])) for said in fields) * TICK_S


def postmaster(folder: Path) -> int:
    """The process of the PostgreSQL server that `tests.postgres.running` keeps in a folder."""
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return []
