"""Controls on their way into the database: what may be asked for, and as which rows it is kept."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sep2.errors import BadValue, Conflict
from sep2.operations.modes import control_base
from sep2.rules import events, texts
from sep2.rules.limits import MODES, Limits, check
from sep2.rules.told_times import told
from sep2.store.controls import Control

LONGEST_S = 2**32 - 1
LONGEST_RANDOM_S = 3600
"""Bound of randomizeStart and randomizeDuration, either way."""
LONGEST_REASON = 192
LONGEST_DESCRIPTION = 32


class BadControl(BadValue):
    """The control can not be issued."""


class TooManyControls(Conflict):
    """A device would have to hold more controls than clients are known to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewControl:
    """A control to issue; `modes` are those beside the limits, by wire name, as JSON values: a curve by its id."""

    start: int
    duration: int
    limits: Limits
    modes: Mapping[str, Any] = field(default_factory=dict)
    ramp_tms: int | None = None
    randomize_start: int | None = None
    randomize_duration: int | None = None
    device_category: int | None = None
    description: str = ""
    response_required: int = 3
    reason: str = field(default="", compare=False)
    """Why, where it is not that of all that are issued with it."""

    @property
    def earliest_start(self) -> int:
        """The first second at which a client may begin."""
        return events.earliest_start(self.start, self.randomize_start)

    @property
    def latest_end(self) -> int:
        """The last second at which a client may still hold to it."""
        return events.latest_end(self.start, self.duration, self.randomize_start, self.randomize_duration)

    @property
    def asks(self) -> frozenset[str]:
        """What it says anything of, by wire name."""
        return self.limits.modes().union(self.modes)


def limits_of(row: Any) -> Limits:
    """The limits of a stored control or default."""
    return Limits(row.import_limit_w, row.export_limit_w, row.gen_limit_w, row.load_limit_w)


def asked_of(row: Control) -> NewControl:
    """A stored control, as it was asked for."""
    return NewControl(
        start=row.start,
        duration=row.duration,
        limits=limits_of(row),
        modes=json.loads(row.modes),
        ramp_tms=row.ramp_tms,
        randomize_start=row.randomize_start,
        randomize_duration=row.randomize_duration,
        device_category=row.device_category,
        description=row.description,
        response_required=row.response_required,
    )


def part_of(whole: NewControl, start: int, end: int, modes: frozenset[str]) -> NewControl:
    """Those modes of a control from its `start` until its `end`; only at its own edges does it spread in time."""
    at_start, at_end = start == whole.earliest_start, end == whole.latest_end
    late = (whole.randomize_start or None) if at_start else None
    longer = (whole.randomize_duration or None) if at_end else None
    begins = whole.start if at_start else start
    duration = end - begins - max(0, late or 0) - max(0, longer or 0)
    if duration < 1:  # too short to spread anything
        begins, late, longer, duration = start, None, None, end - start
    said = zip(MODES, whole.limits, strict=True)
    return replace(
        whole,
        start=begins,
        duration=duration,
        limits=Limits(*(watts if mode in modes else None for mode, watts in said)),
        modes={mode: value for mode, value in whole.modes.items() if mode in modes},
        ramp_tms=whole.ramp_tms if at_start else None,
        randomize_start=late,
        randomize_duration=longer,
    )


def cut_at(whole: NewControl, cuts: Sequence[int]) -> list[NewControl]:
    """A control as parts back to back, cut at these times."""
    inside = sorted(cut for cut in set(cuts) if whole.earliest_start < cut < whole.latest_end)
    edges = [whole.earliest_start, *inside, whole.latest_end]
    return [part_of(whole, one, other, whole.asks) for one, other in itertools.pairwise(edges)] if inside else [whole]


def columns_of(control: NewControl) -> dict[str, Any]:
    """A control as a row, but for who issued it and when."""
    return {
        "start": control.start,
        "duration": control.duration,
        "randomize_start": control.randomize_start,
        "randomize_duration": control.randomize_duration,
        "earliest_start": control.earliest_start,
        "latest_end": control.latest_end,
        "import_limit_w": control.limits.import_w,
        "export_limit_w": control.limits.export_w,
        "gen_limit_w": control.limits.gen_w,
        "load_limit_w": control.limits.load_w,
        "modes": json.dumps(dict(control.modes), sort_keys=True),
        "ramp_tms": control.ramp_tms,
        "device_category": control.device_category,
        "description": control.description,
        "response_required": control.response_required,
    }


def window(row: Mapping[str, Any]) -> events.Window:
    """When a stored control holds, and what it asks for."""
    limits = Limits(*(row[f"{what}_limit_w"] for what in ("import", "export", "gen", "load")))
    return events.Window(
        start=row["earliest_start"],
        end=row["latest_end"],
        created=row["created"],
        modes=limits.modes().union(json.loads(row["modes"])),
        categories=row["device_category"],
    )


def same(control: NewControl, standing: Sequence[Control]) -> Control | None:
    """The standing control that says the same, if none is to take its place."""
    alike = [row for row in standing if row.start == control.start and row.duration == control.duration]
    columns = columns_of(control) if alike else {}
    for row in alike:
        if row.successor_created is None and all(getattr(row, name) == value for name, value in columns.items()):
            return row
    return None


def check_new(new: Sequence[NewControl], now: int) -> None:
    """Nothing, if these controls can be issued together."""
    for control in new:
        check(control.limits)
        if control.modes:
            control_base(control.modes)
        _within("duration", control.duration, 1, LONGEST_S)
        _within("start", control.start, 0, 2**62)
        _within("randomizeStart", control.randomize_start or 0, -LONGEST_RANDOM_S, LONGEST_RANDOM_S)
        _within("randomizeDuration", control.randomize_duration or 0, -LONGEST_RANDOM_S, LONGEST_RANDOM_S)
        _within("rampTms", control.ramp_tms or 0, 0, 65535)
        _within("responseRequired", control.response_required, 0, 7)
        if control.start + control.duration <= now:
            raise BadControl(f"interval: ends at {told(control.start + control.duration)}, and it is {told(now)}")
        check_fits("description", control.description, LONGEST_DESCRIPTION)
        if not control.asks:
            raise BadControl("it sets neither a limit nor a mode")
    _check_apart(sorted(new, key=lambda control: control.start))


def _check_apart(ordered: Sequence[NewControl]) -> None:
    """Controls issued together have one creationTime, so none of them could win over another."""
    for one, other in itertools.pairwise(ordered):
        if other.start < one.start + one.duration and one.asks & other.asks:
            first, second = told(one.start), told(other.start)
            raise BadControl(f"interval: the one from {second} begins before the one from {first} ends")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadControl(f"{name}: {value} is outside {least}..{most}")


def check_fits(name: str, said: str, most: int) -> None:
    """Nothing, if a text can be sent."""
    if wrong := texts.misfit(said, most):
        raise BadControl(f"{name}: {wrong}")
