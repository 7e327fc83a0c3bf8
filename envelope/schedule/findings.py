"""Findings about a problem or a schedule before it is published: a code, a colon, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from envelope.problem import Direction, Problem
from envelope.schedule.schedule import EnvelopeSchedule, Infeasibility
from gridmodel.arrays import Mask

BASE, FIRM, DOUBLE = "infeasible_base", "infeasible_firm", "double_counted"
LOOSE, NO_SAFE = "default_looser", "no_safe_limits"
UNCREDITED, NO_CLIENT, UNSETTLED = "volt_var_not_credited", "no_client", "limits_not_settled"
NOT_DECLARED, NOT_FOLLOWED = "declared_band_not_used", "mode_not_followed"
NO_FLOW = "no power flow"
HELD = f"{FIRM}: limits that clients may still hold of an earlier run do not fit; for so long nothing is guaranteed"
NAMED = 5


def infeasible(boxes: Sequence[Infeasibility], step_start: NDArray[np.int64], first: int = 0) -> list[str]:
    """Findings where base load or firm minimum breach a limit in step `first` or later, with excess and time."""
    found = []
    for box in boxes:
        base, firm = box.base[first:], box.firm[first:]
        if base.any():
            beyond = np.where(base, box.excess[first:], -np.inf)
            step, row = divmod(int((beyond / box.slack_unit).argmax()), beyond.shape[1])
            unit = "%" if box.names[row].startswith("overload") else "V"
            found.append(
                f"{BASE}: the base load alone is {beyond[step, row]:.2f} {unit} beyond the limit:"
                f" {box.names[row]}, {clock(int(step_start[first + step]))};"
                f" {_counted(base)}; no flexible room where it would add"
            )
        if firm.any():
            often = box.names[int(firm.sum(axis=0).argmax())]
            found.append(
                f"{FIRM}: firm limits, defaults, limits still in force and what nobody can limit do not all fit:"
                f" {often}; {_counted(firm)}"
            )
    return list(dict.fromkeys(found))


def _counted(broken: Mask) -> str:
    rows, steps = int(broken.any(axis=0).sum()), int(broken.any(axis=1).sum())
    return f"{rows} {'limit' if rows == 1 else 'limits'} in {steps} of {len(broken)} intervals"


def clock(at: int) -> str:
    """Epoch seconds as a person reads them, such as 2026-05-28 22:00 UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def still(schedule: EnvelopeSchedule, now: int, *, exceeds: bool = True) -> list[str]:
    """The findings of a schedule but for those of steps that are over.

    exceeds: whether the firm minimum goes beyond a limit, or only into its margin.
    """
    first = max(int(np.searchsorted(schedule.step_start, now, side="right")) - 1, 0)
    others = [said for said in schedule.findings if not said.startswith((f"{BASE}:", f"{FIRM}:"))]
    if first == 0 and HELD in schedule.findings:
        others.append(HELD)
    boxes = schedule.infeasibility
    found = infeasible(boxes, schedule.step_start, first) if boxes else list(schedule.findings)
    lost = [said for said in schedule.findings if said.startswith((f"{BASE}: {NO_FLOW}", f"{FIRM}: {NO_FLOW}"))]
    told = [said for said in found if said not in lost and (exceeds or not said.startswith(f"{FIRM}:"))]
    return [*lost, *told, *others]


def double_counted(problem: Problem) -> list[str]:
    """Connections whose base load already holds what their devices did."""
    mask = problem.base_includes_devices
    if mask is None or not np.any(mask):
        return []
    who = some(_names(problem, np.asarray(mask)))
    return [f"{DOUBLE}: the base load of {who} was measured with its own devices in it, whose reach is added once more"]


def uncontrolled(problem: Problem) -> list[str]:
    """Findings about connections with flexible power in a direction that cannot be limited."""
    return [
        f"no_{side.direction}_control: nobody at {some(names)} can be told an {side.direction} limit; all they reach is"
        " counted"
        for side in map(problem.side, (Direction.IMPORT, Direction.EXPORT))
        if (names := _names(problem, ~side.controlled & side.flexible.any(axis=0)))
    ]


def unsettled(intervals: int, of: int) -> list[str]:
    """The finding about intervals whose limits could not be brought inside at every corner that was tried."""
    if not intervals:
        return []
    return [f"{UNSETTLED}: in {intervals} of {of} intervals no limits were found that hold at every corner tried"]


def without_client(names: Sequence[str]) -> list[str]:
    """Findings about connections without a registered client."""
    if not names:
        return []
    return [f"{NO_CLIENT}: nobody is registered at {some(names)}; nothing controls what is there, all of it is counted"]


def not_followed(names: Sequence[str], mode: str) -> list[str]:
    """Findings about connections whose inverters are not credited with a mode that limits rely on elsewhere."""
    if not names:
        return []
    why = "is not published there, not among the enabled modes, or contradicted by measurements"
    return [f"{NOT_FOLLOWED}: {mode} {why}: nothing of it is counted at {some(names)}"]


def _names(problem: Problem, mask: Mask) -> list[str]:
    return [name for name, is_so in zip(problem.connection_id, mask, strict=True) if is_so]


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def with_code(findings: Sequence[str], code: str) -> str:
    """The findings of one code, in one line; empty where there is none."""
    return "; ".join(said for said in findings if said.startswith(f"{code}:"))
