"""The limits of a published run, kept for the market: what members of aggregations can do is summed from them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.operation.verified_run import VerifiedRun
from envelope.problem import Direction, Problem
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.schedule import whole_w_below
from sep2.operations.market import bands, published
from sep2.rules.market.deliverables import Side
from sep2.store.connection import Connection
from sep2.store.market import register
from sep2.store.market.facts import AsOf


async def record(db: Connection, feeder: str, verified: VerifiedRun, left_out: Collection[str], *, now: int) -> None:
    """Keep limits of load and generation, and reach, where component DERs are, and what plans leave these.

    left_out: connections for which an assumption of the run does not hold.
    """
    problem, schedule = verified.unplanned.as_calculated, verified.schedule
    rows = np.searchsorted(problem.step_start, schedule.step_start)
    names = _Names(schedule)
    column = {name: k for k, name in enumerate(schedule.connection_id)}

    def limits_of(name: str) -> tuple[Side, Side]:
        sides = [_side(problem, schedule, direction, (rows, column[name], names)) for direction in _SIDES]
        return sides[0], sides[1]

    run = published.Run(
        feeder=feeder,
        run_id=schedule.run_id,
        guarantee=str(problem.guarantee),
        step_s=schedule.step_s,
        starts=schedule.step_start.tolist(),
        names=names.texts,
        connections=schedule.connection_id,
        left_out=left_out,
        limits_of=limits_of,
    )
    there = await published.record(db, run, now)
    if there:
        ders = await register.ders_at(db, there, AsOf(now))
        await bands.record(db, [row.id for row in ders], verified.planned, now)


_SIDES = (Direction.EXPORT, Direction.IMPORT)


class _Names:
    """Constraints that bind a limit, and bindings that are none, by position."""

    def __init__(self, schedule: EnvelopeSchedule) -> None:
        self.at: dict[tuple[str, int], int] = {}
        self.texts: list[str] = []
        for direction in _SIDES:
            for row in np.unique(schedule.side(direction).binding.row).tolist():
                self.at[direction, row] = len(self.texts)
                self.texts.append(schedule.name_of(direction, row))

    def positions(self, direction: Direction, rows: NDArray[Any]) -> list[int]:
        """Return the positions of these bindings."""
        return [self.at[direction, row] for row in rows.tolist()]


def _side(
    problem: Problem,
    schedule: EnvelopeSchedule,
    direction: Direction,
    of: tuple[NDArray[np.intp], int, _Names],
) -> Side:
    """Return one direction of a connection; of: rows of the problem, the connection's column, names of bindings."""
    rows, column, names = of
    exports = direction is Direction.EXPORT
    limit = schedule.gen_limit_w if exports else schedule.load_limit_w
    reach = problem.flex_gen_w if exports else problem.flex_load_w
    firm = schedule.firm_export_w if exports else schedule.firm_import_w
    binding = schedule.side(direction).binding.row[:, column]
    return Side(
        np.asarray(limit)[:, column].tolist(),
        whole_w_below(np.asarray(reach)[rows, column]).tolist(),
        names.positions(direction, binding),
        int(firm[column]),
    )
