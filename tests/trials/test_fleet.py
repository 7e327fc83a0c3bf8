"""A thousand feeders in one run, and some of them through two Dask workers: limits, bytes, time and memory."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.benchmarks.bench_fleet import CUSTOMERS, written
from tests.trials.figures import record_row

FEEDERS, BY_DASK = 1_000, 50
LOOKS_EVERY_S = 2.0
TITLE = "A thousand feeders"
SAID = (
    f"`sep2 envelope run DIR/*` over {FEEDERS:,} feeders of {CUSTOMERS} customers behind 400 kVA, each by its seed, "
    "48 half-hours, two-sided, every limit verified, by two processes; then "
    f"{BY_DASK} of them by two processes and through two Dask workers. Goal: less than 15 minutes on two free cores, "
    "memory that does not grow, equal bytes. Memory is that of all processes together (PSS), the largest of the second "
    "and of the last fifth of the run."
)
ROWS = ("clock, min", "processor, min", "processor a feeder, s", "memory early, MiB", "memory late, MiB", "equal bytes")


class Tree(threading.Thread):
    """Looks at the memory of a process and of those that it started, until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.mib: list[float] = []

    def run(self) -> None:
        while (held := sum(map(pss_kib, (self._pid, *children(self._pid))))) > 0:
            self.mib.append(held / 1024)
            time.sleep(LOOKS_EVERY_S)

    def most(self, fifth: int) -> float:
        """The largest of a fifth of the run, in MiB."""
        part = len(self.mib) // 5
        return max(self.mib[fifth * part : (fifth + 1) * part])


def children(pid: int) -> list[int]:
    """The processes that a process started, and that have not ended."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return []


def pss_kib(pid: int) -> int:
    """The memory of a process, what it shares with others in parts; 0 once it has ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


@pytest.fixture(scope="module")
def feeders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    return [written(folder / f"f{number:04d}", number) for number in range(FEEDERS)]


def run(feeders: list[str], out: Path, *words: str) -> tuple[str, float, float, Tree]:
    """The digest of the limits, seconds on the clock, seconds of the processor, and the memory as it was seen."""
    before, began = os.times(), time.monotonic()
    command = [
        str(Path(sys.executable).with_name("sep2")),
        "envelope",
        "run",
        *feeders,
        "--out",
        str(out),
        "--json",
        *words,
    ]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
    tree = Tree(process.pid)
    tree.start()
    said, _ = process.communicate()
    after = os.times()
    assert process.returncode == 0
    states = [one["state"] for one in json.loads(said)["feeders"]]
    assert states == ["inside"] * len(feeders)
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return hashlib.sha256(out.read_bytes()).hexdigest(), time.monotonic() - began, cpu_s, tree


def test_a_thousand_feeders_in_memory_that_does_not_grow(feeders, tmp_path):
    _, clock_s, cpu_s, tree = run(feeders, tmp_path / "all.parquet", "--workers", "2")
    early, late = tree.most(1), tree.most(4)
    for name, value in (
        ("clock, min", f"{clock_s / 60:.1f}"),
        ("processor, min", f"{cpu_s / 60:.1f}"),
        ("processor a feeder, s", f"{cpu_s / FEEDERS:.2f}"),
        ("memory early, MiB", f"{early:.0f}"),
        ("memory late, MiB", f"{late:.0f}"),
    ):
        record_row(TITLE, SAID, (name, value), ROWS)
    assert late < 1.2 * early


def test_dask_workers_and_processes_write_the_same_bytes(feeders, tmp_path):
    some = feeders[:BY_DASK]
    by_processes, *_ = run(some, tmp_path / "processes.parquet", "--workers", "2")
    by_dask, *_ = run(some, tmp_path / "dask.parquet", "--dask", "local", "--workers", "2")
    record_row(TITLE, SAID, ("equal bytes", "yes" if by_dask == by_processes else "no"), ROWS)
    assert by_dask == by_processes
