"""Hysteresis: a standing control that is hardly tighter than the new limits stays; only a relaxing is delayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envelope.schedule import EnvelopeSchedule
from gridmodel.arrays import Watts
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged


class FirmMinimum:
    """Lower bound of one connection's net limits over a schedule: the firm minimum, W."""

    def __init__(self, schedule: EnvelopeSchedule, column: int) -> None:
        self._start, self._step_s = schedule.step_start, schedule.step_s
        sides = (
            (schedule.import_least_w, schedule.firm_import_w),
            (schedule.export_least_w, schedule.firm_export_w),
        )
        steps = len(self._start)
        table = [np.full(steps, firm[column]) if least is None else least[:, column] for least, firm in sides]
        self._minimum: Watts = np.stack(table, axis=1)

    def during(self, interval: Interval) -> tuple[int, int]:
        """Return the largest firm minimum of import and export in an interval, W."""
        touched = (self._start < interval.end) & (self._start + self._step_s > interval.start)
        most = self._minimum[touched].max(axis=0, initial=0)
        return int(most[0]), int(most[1])


def with_hysteresis(
    wanted: Sequence[Interval], standing: Sequence[Interval], minimum: FirmMinimum, hysteresis_w: int
) -> list[Interval]:
    """Return the wanted intervals, with the standing limits where these are at most `hysteresis_w` tighter."""
    return merged(want._replace(limits=_nearest(want, standing, minimum, hysteresis_w)) for want in wanted)


def _nearest(want: Interval, standing: Sequence[Interval], minimum: FirmMinimum, hysteresis_w: int) -> Limits:
    """Return the wanted limits, each with the standing one in its place that may stay."""
    old = next((one for one in standing if one.start <= want.start and one.end >= want.end), None)
    if old is None:
        return want.limits
    needed = *minimum.during(want), 0, 0
    sides = zip(old.limits, want.limits, needed, strict=True)
    return Limits(*(before if _is_near(before, now, least, hysteresis_w) else now for before, now, least in sides))


def _is_near(before: int | None, now: int | None, needed: int, hysteresis_w: int) -> bool:
    """Whether a limit may stay: hardly tighter than the wanted one, never looser, and not below the firm minimum."""
    if before is None or now is None:
        return before == now
    return max(now - hysteresis_w, min(needed, now)) <= before <= now
