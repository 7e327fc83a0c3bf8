"""Blend of what was measured in the last hours into the next ones, and wider head voltage where its reading is late.

What a connection drew more or less than expected in the last two hours is carried on, by as much as the paths of the
forecast itself say that such a difference lasts, and no longer than six hours. Paths keep their spread. While the head
voltage is late its paths are spread wider, up to twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from envelope.operation.input_ages import HEAD as HEAD_VOLTAGE
from envelope.operation.input_ages import Inputs
from envelope.operation.measurements import HEAD, Measured, Quantity
from envelope.operation.release import mark_of
from envelope.problem import Problem, Scenarios
from envelope.problem.default_policy import own_band_in_the_sun
from gridmodel.arrays import Complex, Real
from sep2.store import marks
from sep2.store.connection import Connection

MARK = "envelope.recent:"
"""Mark with the feeder's name: what was expected and measured in the last hours."""
LOOKS_BACK_S, LASTS_S = 2 * 3600, 6 * 3600
NEEDED = 0.8
"""Part of a step that must have been measured."""
WIDEST, BY = 2.0, 0.25
LEAST_W, LEAST_V = 1.0, 0.05


@dataclass(frozen=True)
class Recent:
    """Differences between what was measured and expected, of each connection and, last, of the head voltage."""

    names: tuple[str, ...] = ()
    expected: tuple[tuple[int, tuple[float | None, ...]], ...] = ()
    """start of a step, and what was expected of it: W of each connection, V of the head; None: nothing"""
    error: tuple[float, ...] = ()
    """mean difference over the last steps that are known"""
    steps: tuple[int, ...] = ()
    """their number; 0: none is known"""
    last: tuple[int, ...] = ()
    """start of the last of them"""
    spread: float = 1.0
    """factor of the spread of the head voltage"""


async def read(db: Connection, feeder: str) -> Recent:
    """Return what the latest round has noted."""
    said = json.loads(await marks.value(db, mark_of(MARK, feeder)) or "{}")
    if not said:
        return Recent()
    expected = tuple((at, tuple(values)) for at, values in said.pop("expected"))
    return Recent(expected=expected, spread=said.pop("spread"), **{name: tuple(one) for name, one in said.items()})


async def keep(db: Connection, feeder: str, recent: Recent) -> None:
    """Note it for later rounds, and for those who look at what the next round would do."""
    await marks.put(db, mark_of(MARK, feeder), json.dumps(recent.__dict__))


def updated(
    before: Recent, problem: Problem, seen: tuple[Sequence[Measured], Inputs], now: int, *, apart: bool = False
) -> Recent:
    """Return the differences as they are now. problem: as forecast, its first step is the present one.

    apart: whether the forecast is without the devices that limits bound: what a meter then shows of a connection is no
    base load while a device of its own may run.
    """
    assert problem.scenarios is not None
    measured, inputs = seen
    names, step_s, start = (*problem.connection_id, HEAD), problem.step_s, int(problem.step_start[0])
    earlier = dict(before.expected) if before.names == names else {}
    kept = {at: values for at, values in earlier.items() if start - LOOKS_BACK_S - step_s <= at < start}
    current = earlier.get(start) or _expected(problem, problem.scenarios, apart=apart)
    known = _known(measured, names, (list(kept), step_s), now)
    error, steps, last = _differences(kept, known, len(names), step_s)
    expected = tuple(sorted({**kept, start: current}.items()))
    return Recent(names, expected, error, steps, last, _spread(inputs))


def _expected(problem: Problem, scenarios: Scenarios, *, apart: bool) -> tuple[float | None, ...]:
    head = scenarios.source_v
    head_v = None if head is None else round(float(np.abs(head[:, 0]).mean()), 2)
    unknown = apart & ((problem.flex_gen_w[0] > 0.0) | (problem.flex_load_w[0] > 0.0))
    load_w = np.round(scenarios.mean_w[0]).tolist()
    return (*(None if is_so else w for w, is_so in zip(load_w, unknown.tolist(), strict=True)), head_v)


def _spread(inputs: Inputs) -> float:
    """Return how much wider the head voltage is spread: by its age over the age that it may have, in quarters."""
    for one in inputs.ages:
        if one.name == HEAD_VOLTAGE and one.is_late:
            times = WIDEST if one.age_s is None else one.age_s / one.most_s
            return min(WIDEST, float(np.ceil(times / BY) * BY))
    return 1.0


def _known(
    measured: Sequence[Measured], names: Sequence[str], steps: tuple[list[int], int], now: int
) -> dict[tuple[int, int], float]:
    """Return the means that are known, by step and column."""
    starts, step_s = steps
    column = {name: k for k, name in enumerate(names)}
    wanted = {HEAD: Quantity.VOLTAGE}
    sums: dict[tuple[int, int], list[float]] = {}
    for one in measured:
        if one.place not in column or one.quantity is not wanted.get(one.place, Quantity.POWER):
            continue
        for at in starts:
            seconds = min(one.end, at + step_s) - max(one.start, at)
            if seconds > 0 and at + step_s <= now:
                total = sums.setdefault((at, column[one.place]), [0.0, 0.0])
                total[0] += seconds * one.value
                total[1] += seconds
    return {key: value / seconds for key, (value, seconds) in sums.items() if seconds >= NEEDED * step_s}


def _differences(
    expected: dict[int, tuple[float | None, ...]], known: dict[tuple[int, int], float], columns: int, step_s: int
) -> tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]:
    """Return by column the mean difference over the last known steps that follow each other, their number, the last."""
    found = []
    for column in range(columns):
        several: list[float] = []
        last = 0
        for at in sorted(expected, reverse=True):
            value, meant = known.get((at, column)), expected[at][column]
            if value is None or meant is None or (several and at != last - len(several) * step_s):
                if several:
                    break
                continue
            last = last or at
            several.append(value - meant)
        found.append((round(float(np.mean(several)), 2) if several else 0.0, len(several), last))
    error, steps, lasts = zip(*found, strict=True)
    return error, steps, lasts


def applied(problem: Problem, recent: Recent) -> tuple[Problem, tuple[str, ...]]:
    """Return the problem with its paths moved and spread, and sentences about it; the same object where nothing is."""
    scenarios = problem.scenarios
    if scenarios is None or recent.names != (*problem.connection_id, HEAD):
        return problem, ()
    shift_w = _carried(problem, np.asarray(scenarios.load_w.mean(axis=2)), recent, slice(0, -1))
    head, said = _head(problem, scenarios, recent)
    moved = np.abs(shift_w).max(axis=0) >= LEAST_W
    if moved.any():
        first = shift_w[0, moved]
        more = f"{first.sum() / 1e3:+.2f} kW in all now, {np.abs(first).max() / 1e3:.2f} kW at most"
        said = (f"base load of {int(moved.sum())} connections moved by what they drew in the last hours: {more}", *said)
    if not said:
        return problem, ()
    moved_w = np.round(scenarios.load_w + shift_w[None, :, None, :])
    made = replace(scenarios, load_w=moved_w, source_v=head)
    source_v = problem.source_v if made.source_v is None else made.mean_source_v
    found = replace(problem, scenarios=made, base_load_w=made.mean_w, source_v=source_v)
    if found.ceiling_import_w is not None:
        found = replace(found, ceiling_import_w=own_band_in_the_sun(found))
    return found, said


def _head(problem: Problem, scenarios: Scenarios, recent: Recent) -> tuple[Complex | None, tuple[str, ...]]:
    """Return the head voltage on the paths, V, moved in size and spread about its mean; and sentences about it."""
    if scenarios.source_v is None:
        return None, ()
    size = np.abs(scenarios.source_v)
    moved_v = _carried(problem, size.mean(axis=(2, 3))[:, :, None], recent, slice(-1, None))[:, 0]
    said = []
    if np.abs(moved_v).max() >= LEAST_V:
        said.append(f"head voltage moved by what was measured in the last hours: {moved_v[0]:+.1f} V now")
    if recent.spread > 1.0:
        said.append(f"head voltage is late: its paths are {recent.spread:g} times as wide")
    mean = size.mean(axis=(0, 2), keepdims=True)
    wanted = mean + recent.spread * (size - mean) + moved_v[None, :, None, None]
    return (np.asarray(scenarios.source_v * (wanted / size)) if said else scenarios.source_v), tuple(said)


def _carried(problem: Problem, path: Real, recent: Recent, columns: slice) -> Real:
    """(T, N) how far each step's paths are moved. path: (K, T, N) what the differences are of, on each path."""
    step_s, steps = problem.step_s, problem.steps
    found = np.zeros((steps, path.shape[2]))
    error, count, last = (np.array(one[columns]) for one in (recent.error, recent.steps, recent.last))
    deviation = path - path.mean(axis=0)
    start = int(problem.step_start[0])
    for number in set(count[count > 0].tolist()):
        of = np.flatnonzero(count == number)
        lasting = _lasting(deviation[:, :, of], number, min(LASTS_S // step_s, steps - number))
        for k, column in enumerate(of.tolist()):
            first = (start - int(last[column])) // step_s
            lag = first + np.arange(steps)
            inside = (lag >= 1) & (lag <= len(lasting))
            found[inside, column] = error[column] * lasting[lag[inside] - 1, k]
    return found


def _lasting(deviation: Real, number: int, lags: int) -> Real:
    """(L, N) part of a mean difference of so many steps that is left so many steps later, 0 to 1, by least squares.

    deviation: (K, T, N) of each path from the mean of all.
    """
    total = np.cumsum(np.pad(deviation, ((0, 0), (1, 0), (0, 0))), axis=1)
    mean = (total[:, number:] - total[:, :-number]) / number
    found = []
    for lag in range(1, max(lags, 0) + 1):
        later, before = deviation[:, number - 1 + lag :], mean[:, : mean.shape[1] - lag]
        weight = (before**2).sum(axis=(0, 1))
        share = (later * before).sum(axis=(0, 1)) / np.where(weight > 0.0, weight, 1.0)
        found.append(np.clip(share, 0.0, 1.0))
    return np.array(found).reshape(len(found), deviation.shape[2])
