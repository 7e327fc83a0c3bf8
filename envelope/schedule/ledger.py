"""The ledger of curtailment: one CSV file next to the plan, one line per run, connection and direction."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from envelope.problem import Problem
from envelope.schedule.curtailment import DIRECTIONS, Curtailment, curtailed_energy, fairness, with_catch_up
from envelope.schedule.schedule import EnvelopeSchedule
from gridmodel.readers.tables import Row, read_csv

DAY_S = 86_400
HALF_LIFE_DAYS = 30.0
"""what was curtailed so long ago counts half"""
PLANNED, MEASURED = "planned", "measured"


@dataclass(frozen=True, slots=True)
class Entry:
    """Energy that one connection was offered, and its curtailed part, over one period."""

    start: int
    end: int
    """epoch seconds"""
    connection_point: str
    direction: str
    basis: str
    """planned: reach against limit; measured: offered against measured"""
    asked_wh: float
    curtailed_wh: float
    run_id: str

    def before(self, at: int) -> Entry:
        """The part of it before a time, as if it had been spread evenly."""
        if at >= self.end:
            return self
        part = (at - self.start) / (self.end - self.start)
        return replace(self, end=at, asked_wh=self.asked_wh * part, curtailed_wh=self.curtailed_wh * part)


@dataclass(frozen=True, eq=False)
class Whole:
    """All that a ledger knows, summed up."""

    connection_id: tuple[str, ...]
    past: dict[str, Curtailment]
    """per direction"""
    days: float

    def figures(self) -> dict[str, Any]:
        """How much, and how evenly, per direction."""
        return {"days": self.days} | {d: asdict(fairness(found)) for d, found in self.past.items()}

    def order(self) -> list[int]:
        """Positions of connections, those with the largest part curtailed in either direction first."""
        share = np.maximum(*(found.share for found in self.past.values()))
        return [int(k) for k in np.argsort(-share, kind="stable")]


COLUMNS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True)
class Ledger:
    """All that was curtailed so far."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """The ledger in a file; an empty one where there is none yet."""
        return cls(tuple(_entry(row) for row in read_csv(path, COLUMNS))) if path.exists() else cls()

    def write(self, path: Path) -> None:
        """Put it into a file, whole or not at all."""
        part = path.with_suffix(path.suffix + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(COLUMNS)
            lines.writerows(_cells(entry) for entry in self.entries)
        part.replace(path)

    def with_run(self, schedule: EnvelopeSchedule, measured: dict[str, Curtailment] | None = None) -> Ledger:
        """The ledger after a run: what it says replaces what earlier runs said of the same connections from then on."""
        start = int(schedule.step_start[0])
        end = int(schedule.step_start[-1]) + schedule.step_s
        known = set(schedule.connection_id)
        kept = [entry if entry.connection_point not in known else entry.before(start) for entry in self.entries]
        added: list[Entry] = []
        for direction in DIRECTIONS:
            found = curtailed_energy(schedule, direction) if measured is None else measured[direction]
            said = PLANNED if measured is None else MEASURED
            added += (
                Entry(start, end, name, direction, said, float(asked), float(curtailed), schedule.run_id)
                for name, asked, curtailed in zip(
                    schedule.connection_id, found.asked_wh, found.curtailed_wh, strict=True
                )
            )
        return Ledger((*(entry for entry in kept if entry.end > entry.start), *added))

    def past(
        self, names: Sequence[str], at: int, *, half_life_days: float | None = HALF_LIFE_DAYS
    ) -> dict[str, Curtailment]:
        """Energy that these connections asked for, and its curtailed part, before a time, per direction.

        half_life_days: what lies so far back counts half; None: everything counts alike.
        """
        column = {name: k for k, name in enumerate(names)}
        found: dict[str, Curtailment] = {
            direction: Curtailment(np.zeros(len(names)), np.zeros(len(names))) for direction in DIRECTIONS
        }
        for entry in (e.before(at) for e in self.entries if e.start < at and e.connection_point in column):
            age_days = (at - entry.end) / DAY_S
            weight = 1.0 if half_life_days is None else 0.5 ** (age_days / half_life_days)
            own = found[entry.direction]
            own.asked_wh[column[entry.connection_point]] += weight * entry.asked_wh
            own.curtailed_wh[column[entry.connection_point]] += weight * entry.curtailed_wh
        return found

    def whole(self) -> Whole:
        """Everyone it knows, and all that it knows of them."""
        names = tuple(dict.fromkeys(entry.connection_point for entry in self.entries))
        end = max((entry.end for entry in self.entries), default=0)
        return Whole(names, self.past(names, end, half_life_days=None), self.days())

    def days(self) -> float:
        """How much time it covers, in days."""
        spans = _merged((entry.start, entry.end) for entry in self.entries)
        return sum(end - start for start, end in spans) / DAY_S


def with_ledger(problem: Problem, ledger: Ledger, strength: float) -> Problem:
    """The problem with the headroom shifted towards those whom the ledger knows as curtailed most."""
    return with_catch_up(problem, ledger.past(problem.connection_id, int(problem.step_start[0])), strength)


def _cells(entry: Entry) -> list[str]:
    return [f"{value:.1f}" if isinstance(value, float) else str(value) for value in asdict(entry).values()]


def _entry(row: Row) -> Entry:
    direction, start, end = row.text("direction"), row.number("start"), row.number("end")
    if direction not in DIRECTIONS:
        raise row.wrong("direction", f"{direction!r} is neither export nor import")
    if end <= start:
        raise row.wrong("end", "is not after start")
    amounts = row.number("asked_wh"), row.number("curtailed_wh")
    if min(amounts) < 0.0:
        raise row.wrong("curtailed_wh", "amounts are not negative")
    return Entry(
        int(start), int(end), row.text("connection_point"), direction, row.text("basis"), *amounts, row.text("run_id")
    )


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches of time without their overlaps."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(set(spans)):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
