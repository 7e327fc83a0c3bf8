"""What was in force for a device over a time: its controls as they held until they were withdrawn, and its default."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.operations.in_force import LEAST_PRIMACY, modes_of
from sep2.rules import events, reach
from sep2.rules.authority import Program, Said, Stretch, course


def stretches_held(
    device: Row[Any], rows: Sequence[Row[Any]], default: Mapping[str, Any], span: tuple[int, int], *, changed: int
) -> list[Stretch]:
    """What is in force for a device over a time by its controls and its default as it holds that.

    changed: when a default of it was changed last; what defaults were before is not on record.
    """
    found = course(programs_held(rows, default, device), *span)
    return since_changed(found, changed) if changed > span[0] else found


def since_changed(stretches: Iterable[Stretch], changed: int) -> list[Stretch]:
    """The same without defaults before the time when one was changed: what they were is not on record."""
    found = []
    for one in stretches:
        bare = {mode: holding for mode, holding in one.modes.items() if holding.control is not None}
        if one.start < changed < one.end:
            found += [Stretch(one.start, changed, bare), Stretch(changed, one.end, one.modes)]
        else:
            found.append(one._replace(modes=bare) if one.end <= changed else one)
    return found


def programs_held(rows: Sequence[Row[Any]], default: Mapping[str, Any], device: Row[Any]) -> list[Program]:
    """The programs of a device, with what held in them until it was withdrawn, and its default below them all."""
    said: dict[tuple[int, int], list[Said]] = defaultdict(list)
    for row in rows:
        span = held_until_withdrawn(row, at_once=device.profile != reach.CSIP)
        if span is not None:
            program, modes = (int(row.program_mrid, 16), row.primacy), reach.as_held(device, modes_of(row))
            said[program].append(Said(int(row.mrid, 16), row.created, *span, modes))
    found = [Program(mrid, primacy, controls) for (mrid, primacy), controls in said.items()]
    return [*found, Program(-1, LEAST_PRIMACY, default=default)]


def held_until_withdrawn(row: Row[Any], *, at_once: bool) -> tuple[int, int] | None:
    """From when until when a control held for a device, also one that was withdrawn while it held."""
    gone = events.superseded_from(row, superseded_at_once=at_once)
    ends = [row.latest_end, *(at for at in (gone, row.cancelled) if at is not None)]
    start, end = max(row.earliest_start, row.since), min(ends)
    return (start, end) if end > start else None
