"""Operating envelopes for a day.

Seconds for all limits of a day on LV28: 100 of 114 customers with 10 kW of export and 14 kW of import each all day,
export and import, limits 216-253 V and the ratings of lines and transformer, one thread, the sensitivities, every
allocation and every AC power flow at worst corners included. The reference is the usual way: one common limit by
bisection, to about 1 W, export and import, with pandapower's `runpp_3ph`, power-grid-model's batch solver or OpenDSS,
extrapolated from power flows measured in the same run. It guarantees the coincident case only. All seconds, ours and
the references', are the processor's, the least of some rounds: what else the machine does then counts least.

*A round* is what a server does for a feeder when its plan is due: 48 half-hours under the default policy (proportional
fair with a floor of 70 %, import in the sun held to each home's own band, a limit for each charger), on joint paths of
base load and head voltage, calculated and verified by power-grid-model. *Own day*: the demonstration's plan, one path
with a state every five minutes and the extremes of each half-hour; *20 paths*: a rolling plan, half-hourly means of 20
days; *declared band*: the first with a band of 80 % declared. LV28 has 98 customers with limits, European LV 48.

Goals set beforehand for a quiet core, P2 to P6 of the engine: *reached* says whether, and how many times as good as
the goal the figure is. P5 is what `make trials` found last (`docs/trials.md`). P6 is the published study's day, 16
active customers, 0.5 kW steps, against the same search in OpenDSS with its own inverter controls, one power flow after
another, in full.
"""

import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from tests.benchmarks.table import Row

ROUNDS = int(os.environ.get("SEP2_BENCH_ROUNDS", "5"))
LEVELS = 13
GOALS = {
    ("coincident", "equal"): (0.05, 0.3),
    ("two-sided", "max-min"): (0.05, 0.2),
    ("one-sided", "max-min"): (0.2, 0.8),
    ("two-sided", "proportional-fair"): (0.5, 2.5),
    ("one-sided", "proportional-fair"): (0.5, 2.5),
    ("two-sided", "max-sum"): (0.9, 4.5),
    ("one-sided", "max-sum"): (0.9, 4.5),
}
"""seconds, per guarantee and allocation, at 48 and 288 steps"""


def rows() -> list[Row]:
    """Seconds per day for each guarantee and allocation, at 48 and 288 steps; none without SEP2_FACTS."""
    # The libraries read their number of threads when they are loaded: a process of its own.
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_envelope"], env=one_thread, check=True, stdout=subprocess.PIPE
    )
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def measure() -> list[Row]:
    """What `rows` gives, in this process."""
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        return []
    from gridmodel import read_feeder, reduce

    folder = Path(facts, "data", "lv28")
    feeder = read_feeder(folder)
    reduced = reduce(feeder.network)
    each = {
        "pandapower": _pandapower_s(folder),
        "power-grid-model": _power_grid_model_s(reduced),
        "OpenDSS": _opendss_s(folder, reduced),
    }
    found = [row for steps in (48, 288) for row in _days(feeder, reduced, steps, each)]
    return [*found, *_rounds(Path(facts)), *_corners(), *_golden(folder, feeder, reduced)]


def _days(feeder: object, reduced: object, steps: int, each: dict[str, float]) -> list[Row]:
    """P2 to P4: every guarantee and allocation; the coincident one, which is the same task, beside every engine."""
    from envelope import Guarantee, calculate
    from envelope.problem import Allocation
    from envelope.study.study import Study, problem_of
    from gridmodel import Feeder, Reduced

    assert isinstance(feeder, Feeder)
    assert isinstance(reduced, Reduced)
    chosen = np.arange(len(feeder.network.connections)) < 100
    study = Study(
        steps=steps, export_w=10e3, import_w=14e3, flexible=chosen, sun=False, adoption_s=0, within_steps=False
    )
    problem = problem_of(feeder, study, reduced)
    found = []
    for (guarantee, allocation), goals in GOALS.items():
        asked = replace(problem, guarantee=Guarantee(guarantee), allocation=Allocation(allocation))
        heavy = allocation != "max-min" and guarantee != "coincident"
        cpu = _best(lambda asked=asked: calculate(asked), 2 if heavy and steps == 288 else ROUNDS)[1]
        found += [
            Row(
                name=f"{steps} steps, {guarantee}, {allocation}",
                ours=cpu,
                unit="s",
                reference_name=f"coincident bisection by {other}",
                reference=2 * steps * (LEVELS + 1) * each[other],
                better="less",
                cpu_ms=1e3 * cpu,
                goal=goals[0 if steps == 48 else 1],
            )
            for other in (each if guarantee == "coincident" else ("pandapower",))
        ]
    return found


def _rounds(facts: Path) -> list[Row]:
    """A round of a feeder: limits of 48 half-hours under the default policy, calculated and verified."""
    from envelope import Guarantee
    from tests.independent import days
    from tests.independent.cases import DECLARED

    found = []
    for name, folder in (("LV28", facts), ("European LV", None)):
        street = days.street(folder)
        own = street.known(street.scenario.day)
        problems = {
            "own day": own,
            "20 paths": street.from_history(moments=1, share=1.0),
            "declared band": replace(own, guarantee=Guarantee.DECLARED_BAND, **DECLARED),
        }
        for kind, problem in problems.items():
            rounds = 1 if kind == "declared band" else ROUNDS
            parts = _best_parts(problem, rounds)
            goal = None if kind == "declared band" else 1.0
            found += [
                Row(name=f"a round, {name}, {kind}", ours=sum(parts), unit="CPU s", better="less", goal=goal),
                Row(name=f"a round, {name}, {kind}: of it calculation", ours=parts[0], unit="CPU s", better="less"),
            ]
    return found


def _best_parts(problem: object, rounds: int) -> tuple[float, float]:
    """Least processor seconds of calculation and verification."""
    from envelope import Problem, calculate, verify
    from envelope.verification import Effort

    assert isinstance(problem, Problem)
    schedule = calculate(problem)
    assert verify(problem, schedule, effort=Effort()).inside
    calculation = _best(lambda: calculate(problem), rounds)[1]
    return calculation, _best(lambda: verify(problem, schedule, effort=Effort()), rounds)[1]


def _corners() -> list[Row]:
    """P5: the worst of all corners of the last trial, where one was recorded."""
    from tests.trials.figures import FILE

    rows = re.findall(r"^\| .* steps, (?:one|two)-sided, .*? \| ([^|]*)\|$", FILE.read_text(), re.MULTILINE)
    figures_of = [[float(x) for x in re.findall(r"([+-][\d.]+) (?:V|%)", row)[:3]] for row in rows]
    worst = [figures for figures in figures_of if len(figures) == 3]
    if not worst:
        return []
    over, under, load = np.array(worst).max(axis=0)
    of = f"worst corner of {len(worst)} trials by power-grid-model (docs/trials.md)"
    figures = (("voltage beyond a limit", max(over, under), "V"), ("load beyond a rating", load, "%"))
    return [Row(name=f"{what}, {of}", ours=ours, unit=unit, better="less", goal=0.0) for what, ours, unit in figures]


def _golden(folder: Path, feeder: object, reduced: object) -> list[Row]:
    """P6: the published search by us and by OpenDSS, and in how many steps both find the same."""
    from gridmodel import Feeder, Reduced
    from tests.benchmarks.golden_opendss import Search
    from tests.envelope.golden import STEP_W, Published, everyone

    assert isinstance(feeder, Feeder)
    assert isinstance(reduced, Reduced)
    published, found = Published(feeder, reduced), []
    for what, most_w, exporting, equal in (("import", 14e3, False, 288), ("export", 10e3, True, 277)):
        ours = published.search(most_w, exporting=exporting, who=everyone)[:, 0]
        cpu = _best(lambda: published.search(most_w, exporting=exporting, who=everyone), ROUNDS)[1]  # noqa: B023
        search = Search(folder / "opendss" / "Master.txt", feeder)
        began = time.process_time()
        theirs = search.run(most_w, exporting=exporting)
        seconds = time.process_time() - began
        name = f"golden day, {what}"
        opendss = f"OpenDSS, {search.flows} power flows"
        found += [
            Row(name=name, ours=cpu, unit="s", reference_name=opendss, reference=seconds, better="less",
                cpu_ms=1e3 * cpu, goal=0.15),
            Row(name=f"{name}: the same limit as OpenDSS", ours=float((ours == theirs).sum()), unit="of 288 steps",
                goal=equal),
            Row(name=f"{name}: greatest difference", ours=float(np.abs(ours - theirs).max()), unit="W", better="less",
                goal=STEP_W),
        ]  # fmt: skip
    return found


def _best(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least wall and processor seconds of some rounds."""
    found = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def _pandapower_s(folder: Path) -> float:
    """Seconds per unbalanced power flow by pandapower, the first one (compilation) left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandapower

        net = pandapower.from_json(str(folder / "lv28.pandapower.json"))
        pandapower.runpp_3ph(net)
        return _best(lambda: pandapower.runpp_3ph(net), ROUNDS)[1]


def _states(reduced: object, count: int) -> np.ndarray:
    from gridmodel import Reduced

    assert isinstance(reduced, Reduced)
    return np.random.default_rng(0).uniform(-5e3, 5e3, (count, reduced.ports)).astype(complex)


def _power_grid_model_s(reduced: object, count: int = 512) -> float:
    """Seconds per unbalanced power flow by power-grid-model's batch solver."""
    from gridmodel import Reduced
    from gridmodel.solvers.power_grid_model import Model

    assert isinstance(reduced, Reduced)
    model, s = Model(reduced), _states(reduced, count)
    return _best(lambda: model.magnitudes(s), 4)[1] / count


def _opendss_s(folder: Path, reduced: object, count: int = 200) -> float:
    """Seconds per unbalanced power flow by OpenDSS: loads set, solved, voltages read."""
    from gridmodel import Reduced
    from gridmodel.solvers.opendss import Circuit

    assert isinstance(reduced, Reduced)
    few = reduced.watching(currents=np.zeros(len(reduced.H), dtype=bool))
    circuit, s = Circuit(folder / "opendss" / "Master.txt", few), _states(reduced, count)
    return _best(lambda: circuit.solve(s), 4)[1] / count


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure()]))  # noqa: T201
