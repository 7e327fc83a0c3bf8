"""The processor time that other processes have taken."""

import os
from collections.abc import Callable
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
Spent = Callable[[], float]
"""Tells how many seconds of processor time were taken so far."""


def of_process(pid: int) -> float:
    """Seconds that the threads of a process have used, in the kernel and out of it, to the nanosecond."""
    return sum(_running_ns(task) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def of_postgres(postmaster: int) -> float:
    """Seconds that a PostgreSQL server and its processes have used, those that have ended too."""
    each = {int(one.name): _stat(one) for one in Path("/proc").iterdir() if one.name.isdigit()}
    alive = [number for number, said in each.items() if said and postmaster in (number, int(said[1]))]
    # Of children that were waited for: clock ticks, see proc(5)
    return sum(map(_of_living, alive)) + sum(map(int, each[postmaster][13:15])) * TICK_S


def postmaster(folder: Path) -> int:
    """The process of the PostgreSQL server that `tests.postgres.running` keeps in a folder."""
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _of_living(pid: int) -> float:
    try:
        return of_process(pid)
    except OSError:
        return 0.0


def _running_ns(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text(encoding="ascii").split()[0])
    except OSError:  # it has ended meanwhile
        return 0


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return []
