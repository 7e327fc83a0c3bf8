"""Note of the latest round for status, probes and pages: a mark in the database."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envelope.operation.input_ages import Inputs
from envelope.operation.release import LetOut, let_out_by
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Real
from sep2.operations.plans import Round, note_round
from sep2.store.connection import Connection

RoundNote = Round
"""The note, as others read it."""


class Comparison(NamedTuple):
    """A run that is not published, against the limits that are: number of limits in the present step, and sums, W."""

    tighter: int
    looser: int
    published: LetOut
    calculated: LetOut

    def sentence(self) -> str:
        """Return it in words."""
        parts = [
            f"{word} {after / 1e3:.1f} kW against {before / 1e3:.1f} kW"
            for word, before, after in zip(("import", "export"), self.published, self.calculated, strict=True)
        ]
        return f"{self.tighter} limits would be tighter now and {self.looser} looser; {', '.join(parts)}"


def compare(schedule: EnvelopeSchedule, in_force_w: tuple[Real, Real], now: int) -> Comparison:
    """Return a schedule's present step against the limits in force, (C,) W each, import first."""
    step = max(int(np.searchsorted(schedule.step_start, now, side="right")) - 1, 0)
    new = np.array([schedule.import_limit_w[step], schedule.export_limit_w[step]], dtype=float)
    old = np.array(in_force_w)
    sums = [LetOut(*(int(side.sum()) for side in both)) for both in (old, new)]
    return Comparison(int((new < old).sum()), int((new > old).sum()), *sums)


class RoundState(NamedTuple):
    """State that every round notes, however it ends."""

    problem: Problem | None
    rolls: bool
    inputs: Inputs
    notes: tuple[str, ...]


class Ending(NamedTuple):
    """How a round ended."""

    ended: str
    """published, waiting, shadow, static, failed, no clients or kept"""
    why: str = ""
    run: str = ""
    waiting: str = ""
    """the run that a person may let be published"""
    stage: str = ""
    schedule: EnvelopeSchedule | None = None


async def note(db: Connection, feeder: str, state: RoundState, ending: Ending, *, now: int) -> None:
    """Note how a round ended."""
    problem = state.problem
    out = LetOut(0, 0) if ending.schedule is None else let_out_by(ending.schedule, now)
    await note_round(
        db,
        feeder,
        Round(
            at=now,
            ended=ending.ended,
            step_s=0 if problem is None else problem.step_s,
            until=0 if problem is None else int(problem.step_start[-1]) + problem.step_s,
            rolls=state.rolls,
            run=ending.run,
            waiting=ending.waiting,
            why=ending.why,
            stage=ending.stage,
            import_w=out.import_w,
            export_w=out.export_w,
            notes=state.notes,
            inputs=tuple(one.sentence() for one in state.inputs.ages),
            late=tuple(one.sentence() for one in state.inputs.late),
        ),
    )
