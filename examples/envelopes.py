"""Envelopes for a day of the IEEE European feeder: calculate, verify, explain, save.

python examples/envelopes.py
"""

from pathlib import Path

from envelope import calculate, verify
from envelope.explain import explain
from envelope.frame import save
from envelope.horizon import Study, problem_of
from envelope.picture import schedule_picture
from envelope.summary import most_withheld, room
from gridmodel.feeders import european_lv


def main(folder: Path = Path("out")) -> None:
    problem = problem_of(european_lv(), Study(steps=48, export_w=5_000.0, import_w=7_000.0))
    schedule = calculate(problem)
    print(verify(problem, schedule).sentence())
    print({name: round(value, 2) for name, value in room(schedule).items()})
    step = most_withheld(problem, schedule, "LOAD53", "export")
    print(explain(problem, schedule, "LOAD53", step=step, direction="export").sentence())
    print(schedule_picture(problem, schedule, folder / "envelopes.png"))
    save(schedule, folder / "envelopes.csv")


if __name__ == "__main__":
    main()
