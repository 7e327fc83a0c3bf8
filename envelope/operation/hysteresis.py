"""Hysteresis: a standing control that is hardly tighter than the new limits stays; only a relaxing is delayed.

Limits that the network binds differ by some watts from round to round. They are published a little tighter than they
could be, so that a later round which finds a few watts less need not publish them anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envelope.schedule import EnvelopeSchedule
from envelope.schedule.codes import CEILING
from gridmodel.arrays import Mask, Watts
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged

SLACK = 0.25
"""Part of the hysteresis by which limits that the network binds are published tighter than they could be."""


class FirmMinimum:
    """Lower bound of one connection's net limits over a schedule: the firm minimum, W; and where the network binds."""

    def __init__(self, schedule: EnvelopeSchedule, column: int) -> None:
        self._start, self._step_s = schedule.step_start, schedule.step_s
        sides = (
            (schedule.import_least_w, schedule.firm_import_w),
            (schedule.export_least_w, schedule.firm_export_w),
        )
        steps = len(self._start)
        table = [np.full(steps, firm[column]) if least is None else least[:, column] for least, firm in sides]
        self._minimum: Watts = np.stack(table, axis=1)
        bindings = schedule.import_binding, schedule.export_binding
        # A ceiling is a figure that somebody has set: it is published as it is.
        self._bound = np.stack([(one.is_network & (one.row != CEILING))[:, column] for one in bindings], axis=1)

    def during(self, interval: Interval) -> tuple[int, int]:
        """Return the largest firm minimum of import and export in an interval, W."""
        most = self._minimum[self._touched(interval)].max(axis=0, initial=0)
        return int(most[0]), int(most[1])

    def is_bound(self, interval: Interval) -> tuple[bool, bool]:
        """Return whether the network binds import and export in an interval."""
        of_import, of_export = np.asarray(self._bound[self._touched(interval)].any(axis=0)).tolist()
        return of_import, of_export

    def _touched(self, interval: Interval) -> Mask:
        return np.asarray((self._start < interval.end) & (self._start + self._step_s > interval.start))


def with_hysteresis(
    wanted: Sequence[Interval], standing: Sequence[Interval], minimum: FirmMinimum, hysteresis_w: int
) -> list[Interval]:
    """Return the wanted intervals, with the standing limits where these are at most `hysteresis_w` tighter."""
    return merged(want._replace(limits=_nearest(want, standing, minimum, hysteresis_w)) for want in wanted)


def with_slack(want: Interval, minimum: FirmMinimum, hysteresis_w: int) -> Limits:
    """Return the limits that are published where no standing ones stay."""
    import_w, export_w = minimum.during(want)
    of_import, of_export = minimum.is_bound(want)
    by_w = [int(SLACK * hysteresis_w) * bound for bound in (of_import, of_export, of_export, of_import)]
    needed = import_w, export_w, 0, 0
    return Limits(*(_slackened(*one) for one in zip(want.limits, needed, by_w, strict=True)))


def _nearest(want: Interval, standing: Sequence[Interval], minimum: FirmMinimum, hysteresis_w: int) -> Limits:
    """Return the wanted limits, each with the standing one in its place that may stay, else with some slack."""
    fresh = with_slack(want, minimum, hysteresis_w)
    old = next((one.limits for one in standing if one.start <= want.start and one.end >= want.end), None)
    if old is None:
        return fresh
    sides = zip(old, want.limits, fresh, (*minimum.during(want), 0, 0), strict=True)
    return Limits(*(before if _is_near(before, now, least, hysteresis_w) else new for before, now, new, least in sides))


def _slackened(now: int | None, needed: int, by_w: int) -> int | None:
    """Return a limit less some slack, not below the firm minimum."""
    return None if now is None else max(now - by_w, min(needed, now), 0)


def _is_near(before: int | None, now: int | None, needed: int, hysteresis_w: int) -> bool:
    """Whether a limit may stay: hardly tighter than the wanted one, never looser, and not below the firm minimum."""
    if before is None or now is None:
        return before == now
    return max(now - hysteresis_w, min(needed, now)) <= before <= now
