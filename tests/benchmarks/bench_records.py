"""Records by which every published number is calculated again.

What a rolling day of the IEEE European LV feeder (55 connections, 48 rounds, 20 joint paths, two forecasts) leaves in
`envelope-records`: the octets of all files, and what they take up on a disk with blocks of 4 KiB.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from envelope.operation.run_store import RunStore
from envelope.operation.verified_run import VerifiedRun
from envelope.problem import Problem, Scenarios, run_id
from envelope.problem.step_ranges import rolled_to
from envelope.study.study import Study, problem_of
from gridmodel.arrays import Real
from gridmodel.readers.example_feeders import european_lv
from tests.benchmarks.table import Row

ROUNDS, PATHS, BLOCK = 48, 20, 4096


def rows() -> list[Row]:
    """Megabytes of a day."""
    day = problem_of(european_lv(), Study(steps=ROUNDS))
    rng = np.random.default_rng(1)
    forecasts = [np.round(rng.gamma(2.0, 300.0, (PATHS, 2 * ROUNDS, len(day.connection_id)))) for _ in range(2)]
    with tempfile.TemporaryDirectory() as home:
        store = RunStore(Path(home))
        for number in range(ROUNDS):
            half, since = divmod(number, ROUNDS // 2)
            problem = _round(day, number, forecasts[half][:, since : since + ROUNDS])
            schedule = cast("Any", SimpleNamespace(run_id=run_id(problem)))
            run = VerifiedRun(problem, schedule, cast("Any", None), problem)
            store.keep_calculation(run, "european-lv", int(problem.step_start[0]))
        sizes = [path.stat().st_size for path in store.folder.rglob("*") if path.is_file()]
    return [
        Row(name="a feeder's day", ours=sum(sizes) / 1e6, unit="MB", better="less"),
        Row(name="on disk", ours=sum(-(-size // BLOCK) * BLOCK for size in sizes) / 1e6, unit="MB", better="less"),
        Row(name="files", ours=len(sizes), unit="", better="less"),
    ]


def _round(day: Problem, number: int, load_w: Real) -> Problem:
    """Return the problem of one of the day's rounds."""
    problem = rolled_to(day, int(day.step_start[0]) + number * day.step_s)
    paths = Scenarios(load_w[:, :, None], np.round(0.2 * load_w)[:, :, None])
    return replace(problem, scenarios=paths, base_load_w=paths.mean_w, base_load_var=paths.mean_var)
