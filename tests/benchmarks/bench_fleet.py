"""Many feeders: limits of 100 customers each.

`sep2 envelope run DIR/*` on feeders of 100 customers behind 400 kVA (48 half-hours, two-sided, every limit verified),
in one process, in two, and through two Dask workers. The processor's time per feeder is told apart from starting up, as
the difference between fleets of 2 and of 12; the rest is multiplied from it, not measured. Goals are for two cores
without other work.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.model import admittance
from gridmodel.model.feeder import Feeder
from gridmodel.writers.csv_folder import write_folder
from tests.benchmarks.table import Row
from tests.gridmodel.feeders import radial_equipment

CUSTOMERS, FEW, MANY = 100, 2, 12
CORES = 2
WAYS = {
    "one process": ("--workers", "1"),
    "two processes": ("--workers", "2"),
    "two Dask workers": ("--dask", "local", "--workers", "2"),
}


def rows() -> list[Row]:
    """Processor seconds per feeder each way, memory, and what follows for more feeders."""
    with tempfile.TemporaryDirectory() as folder:
        feeders = [written(Path(folder, f"f{k:03d}"), k) for k in range(MANY)]
        found = {name: _measured(feeders, Path(folder), words) for name, words in WAYS.items()}
    first = found["one process"]
    each_s = first["cpu_s"]
    rows = [
        Row(name=f"{name}, a feeder", ours=one["cpu_s"], unit="CPU s", better="less") for name, one in found.items()
    ]
    rows += [
        Row(name=f"memory of one process, {count} feeders", ours=first[f"gib_{count}"], unit="GiB", better="less")
        for count in (FEW, MANY)
    ]
    same = len({one["digest"] for one in found.values()}) == 1
    rows.append(Row(name="equal bytes each way", ours=float(same), unit="", goal=1.0))
    minutes = each_s * 1_000 / CORES / 60.0
    rows.append(
        Row(name="1,000 feeders on two cores, multiplied", ours=minutes, unit="minutes", better="less", goal=15.0)
    )
    hours = each_s * 1_000_000 / CUSTOMERS / CORES / 3600.0
    rows.append(Row(name="a million customers on two cores, multiplied", ours=hours, unit="hours", better="less"))
    return rows


def written(folder: Path, seed: int) -> str:
    """The folder of a feeder that a seed makes, once it is written."""
    found = radial_equipment(CUSTOMERS, seed, s_rated_va=400e3)
    lines = tuple(replace(line, rating_a=300.0, z_ohm=0.25 * line.z_ohm) for line in found.lines)
    network = admittance.network(replace(found, name=folder.name, lines=lines))
    write_folder(Feeder(folder.name, network, np.zeros(CUSTOMERS), np.ones(CUSTOMERS, dtype=bool)), folder)
    return str(folder)


def _measured(feeders: list[str], folder: Path, words: tuple[str, ...]) -> dict[str, Any]:
    """CPU s per feeder, GiB of the largest process, and the digest of the file."""
    import hashlib

    found: dict[str, Any] = {}
    for count in (FEW, MANY):
        out = folder / "out" / f"{'_'.join(words).replace('-', '')}_{count}.parquet"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        command = [sys.executable, "-m", "tests.benchmarks.bench_fleet", *feeders[:count], "--out", str(out), *words]
        # As `sep2` does before numpy is loaded: this module loads it first.
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run([*command, "--json"], check=True, stdout=subprocess.PIPE, env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = json.loads(done.stdout)
        assert all(one["state"] == "inside" for one in said["feeders"])
        found[f"cpu_{count}"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found[f"seconds_{count}"] = time.perf_counter() - began
        found[f"gib_{count}"] = said["gib"]
        found["digest"] = hashlib.sha256(out.read_bytes()).hexdigest()
    found["cpu_s"] = (found[f"cpu_{MANY}"] - found[f"cpu_{FEW}"]) / (MANY - FEW)
    return found


def main() -> None:
    """Run the command, and say the most memory that its process held."""
    import contextlib
    import io

    from envelope.command_line.commands import app

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        app(["run", *sys.argv[1:]])
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write(json.dumps(json.loads(printed.getvalue()) | {"gib": gib}))


if __name__ == "__main__":
    main()
