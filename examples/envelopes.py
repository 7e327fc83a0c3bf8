# %% [markdown]
# Envelopes for a day of the IEEE European feeder: calculate, verify, explain, compare, remember, rate, save.
#
#     python examples/envelopes.py [FOLDER]
#
# Each cell is a step of its own; editors that know `# %%` run them one by one. Arrays are (T, C): T steps of the day,
# C connections in the order of `problem.connection_id`; watts, import and export both positive.

# %%
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from envelope import Guarantee, calculate, verify
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.explanation.relief import recalculate_reliefs
from envelope.problem import Allocation
from envelope.problem.thermal import ThermalPolicy
from envelope.problem.thermal_ratings import ThermalRating
from envelope.schedule import Ledger
from envelope.schedule.curtailment import of_schedule
from envelope.schedule.ledger import DAY_S, with_ledger
from envelope.schedule.table import save
from envelope.study.plots import compare_picture, explain_picture, schedule_picture
from envelope.study.study import Study, problem_of
from envelope.study.summary import compared, most_withheld, priced
from gridmodel.readers.example_feeders import european_lv


# %% A day, its limits, and their verification
def run(folder: Path, steps: int):
    problem = problem_of(european_lv(), Study(steps=steps, export_w=5_000.0, import_w=7_000.0))
    solution = solve_with_boxes(problem)
    schedule = solution.schedule
    print(verify(problem, schedule).sentence())
    print(f"limits: {schedule.export_limit_w.shape} {schedule.export_limit_w.dtype}, steps by connections")
    print("drawn in", schedule_picture(problem, schedule, folder / "day.png"))
    save(schedule, folder / "limits.parquet")
    return problem, solution


# %% Why a limit is what it is, and what would relieve it
def why(problem, solution, folder: Path):
    schedule = solution.schedule
    step = most_withheld(problem, schedule, "LOAD53", "export")
    found = recalculate_reliefs(problem, schedule, explain(problem, solution, "LOAD53", step=step, direction="export"))
    print(found.reason())
    for relief in found.reliefs:
        print(f"  {relief.what}: {relief.gain_w:.0f} W more" + (f", then {relief.then} binds" if relief.then else ""))
    print("drawn in", explain_picture(problem, schedule, "LOAD53", folder / "why.png", step=step, found=found))


# %% What a guarantee costs, and what practice without one risks
def compare(problem, folder: Path):
    policies = (
        (Guarantee.COINCIDENT, Allocation.EQUAL),
        (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
        (Guarantee.TWO_SIDED, Allocation.PROPORTIONAL_FAIR),
    )
    rows = priced([compared(replace(problem, guarantee=g, allocation=a)) for g, a in policies])
    for row in rows:
        print(
            f"{row['guarantee']}, {row['allocation']}: {row['export_kw']:.0f} kW export,"
            f" {row['any_over_v']:+.1f} V beyond the limit at the worst corner"
        )
    print("drawn in", compare_picture(rows, folder / "policies.png", name="IEEE European LV"))


# %% Who was curtailed over a week, and what it is worth to remember it
def remember(problem, folder: Path, days: int):
    problem = replace(problem, allocation=Allocation.PROPORTIONAL_FAIR)
    for strength in (0.0, 2.0):
        ledger = Ledger()
        for day in range(days):
            today = replace(problem, step_start=problem.step_start + day * DAY_S)
            schedule = calculate(with_ledger(today, ledger, strength))
            ledger = ledger.with_run(schedule)
        found = of_schedule(schedule)["export"]
        print(
            f"after {ledger.days():.0f} days with a weight of {strength:g} on the past, the worst-off tenth may export"
            f" {found.worst_decile_share:.0%} of what it could; Jain's index {found.jain:.2f}"
        )
        ledger.write(folder / f"ledger-{strength:g}.csv")


# %% What the transformer may carry, hour by hour
def rate(problem):
    hours = (problem.step_start % DAY_S) / 3600.0
    ambient_c = 26.0 + 8.0 * np.cos((hours - 15.0) / 24.0 * 2.0 * np.pi)
    rating = ThermalRating.of("onan-65", ambient_c, problem.step_s, ThermalPolicy(k_max=1.3))
    print(f"rating {100 * rating.factor.min():.0f} to {100 * rating.factor.max():.0f} % of the name plate")
    warm = replace(problem, limits=rating.limits(problem.limits, fuse_a=315.0))
    print(f"import room with it {calculate(warm).import_room_w.mean() / 1e3:.2f} kW a connection")


# %%
def main(folder: Path = Path("out"), steps: int = 48, days: int = 5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    problem, solution = run(folder, steps)
    why(problem, solution, folder)
    compare(problem, folder)
    remember(problem, folder, days)
    rate(problem)


if __name__ == "__main__":
    main(*(Path(given) for given in sys.argv[1:2]))
