"""How long something will take and how much memory it needs, before it begins.

Rates were measured on one core of 2.8 GHz; a machine that does other work takes longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LONG_S, LARGE_PART = 60.0, 0.25
"""seconds, and part of the machine's memory, above which it is said before it begins"""
VALUE_BYTES, LEAST_BYTES = 16, 3e8
"""bytes of a complex number, and of anything at all"""
IMPORT_BYTES_PER_S = {"NEM": 1e6, "Green Button": 4e6, "": 1.5e7}
"""of a file, by the beginning of its format's name"""
PACKED = 8.0
"""length of a file over what gzip makes of it"""
METER_ROUNDS, PER_CORRELATION_S, PER_PHASE_FLOW_S = 6, 1.2e-7, 3e-8
"""rounds of a search for phases; seconds per interval, meter and group, and per interval and squared port"""


class Estimate(NamedTuple):
    """Of one task."""

    seconds: float
    memory_bytes: float
    what: str

    def repeated(self, times: int) -> Estimate:
        """Of so many of them, one after another."""
        return self._replace(seconds=self.seconds * times)

    @property
    def warning(self) -> str:
        """A sentence where it is long or large; else empty."""
        machine = memory_of_machine()
        if self.seconds <= LONG_S and self.memory_bytes <= LARGE_PART * machine:
            return ""
        minutes, need = self.seconds / 60.0, self.memory_bytes / 2**30
        spent = f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{self.seconds:.0f} seconds"
        return f"This will take about {spent} and {need:.1f} GB of {machine / 2**30:.0f} GB of memory: {self.what}."


def memory_of_machine() -> float:
    """Bytes of memory that this machine has."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def of_import(files: Iterable[tuple[Path, str]], memory_bytes: float) -> Estimate:
    """Of an import of files with the names of their formats; memory_bytes: that the store may take."""
    seconds, total = 0.0, 0.0
    for path, name in files:
        size = path.stat().st_size * (PACKED if path.suffix == ".gz" else 1.0)
        rate = next(one for begin, one in IMPORT_BYTES_PER_S.items() if name.startswith(begin))
        seconds, total = seconds + size / rate, total + size
    return Estimate(seconds, LEAST_BYTES + min(total, memory_bytes), f"{total / 1e6:,.0f} MB of files are read")


def of_meters(intervals: int, connections: int, transformers: int) -> Estimate:
    """Of a search for the phases and transformers of meters by their voltages."""
    groups, ports = 3 * max(transformers, 1), 3.0 * connections
    correlations = float(METER_ROUNDS) * intervals * connections * groups * PER_CORRELATION_S
    flows = METER_ROUNDS * intervals * ports**2 * PER_PHASE_FLOW_S
    # Voltages of all phases per interval, some times over, and the impedances between them.
    need = LEAST_BYTES + VALUE_BYTES * (10.0 * intervals * ports + 3.0 * ports**2)
    what = f"{intervals:,} intervals of {connections:,} meters are compared with {transformers:,} transformers"
    return Estimate(correlations + flows, need, what)
