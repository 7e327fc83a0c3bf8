"""When a control is scheduled, active, cancelled or superseded (2030.5 10.2.3)."""

from enum import IntEnum
from typing import NamedTuple, Protocol


class Status(IntEnum):
    """`currentStatus` of an EventStatus."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_RANDOMIZED = 3
    SUPERSEDED = 4


class Window(NamedTuple):
    """When a control holds, what it asks for, of whom, and when that was said."""

    start: int
    end: int
    created: int
    modes: frozenset[str]
    categories: int | None = None


class Facts(Protocol):
    """What is stored of a control and decides its status; times in epoch seconds, None where it did not happen."""

    @property
    def earliest_start(self) -> int: ...  # noqa: D102
    @property
    def created(self) -> int: ...  # noqa: D102
    @property
    def cancelled(self) -> int | None: ...  # noqa: D102
    @property
    def cancelled_as(self) -> int | None: ...  # noqa: D102
    @property
    def successor_created(self) -> int | None: ...  # noqa: D102
    @property
    def successor_start(self) -> int | None: ...  # noqa: D102


def shows_at_once(profile: str) -> bool:
    """Whether a profile has a scheduled control superseded as soon as its successor is made, as CSIP-AUS has."""
    return profile != "csip"


def earliest_start(start: int, randomize_start: int | None) -> int:
    """The first second at which a client may begin: a negative bound moves the start forward."""
    return start + min(0, randomize_start or 0)


def latest_end(start: int, duration: int, randomize_start: int | None, randomize_duration: int | None) -> int:
    """The last second at which a client may still hold to the control."""
    return start + max(0, randomize_start or 0) + duration + max(0, randomize_duration or 0)


def status(facts: Facts, now: int, *, superseded_at_once: bool) -> tuple[Status, int]:
    """The status of a control at `now`, and since when; CSIP-AUS shows a scheduled control as superseded at once.

    One that was superseded stays so when it is withdrawn, together with the parts of it that were issued anew.
    """
    gone = superseded_from(facts, superseded_at_once=superseded_at_once)
    if facts.cancelled is not None and facts.cancelled_as is not None and (gone is None or facts.cancelled <= gone):
        return Status(facts.cancelled_as), facts.cancelled
    if gone is not None and gone <= now:
        return Status.SUPERSEDED, gone
    if facts.earliest_start <= now:
        return Status.ACTIVE, max(facts.earliest_start, facts.created)
    return Status.SCHEDULED, facts.created


def superseded_from(facts: Facts, *, superseded_at_once: bool) -> int | None:
    """When the control's successor takes its place, if it has one; an active control keeps status 1 until then."""
    was_scheduled = facts.successor_created is not None and facts.successor_created < facts.earliest_start
    if superseded_at_once and was_scheduled:
        return facts.successor_created
    return facts.successor_start


def held(facts: Facts, latest_end: int, *, superseded_at_once: bool) -> tuple[int, int] | None:
    """From when until when a control holds in its own program; None: not at all."""
    if facts.cancelled is not None:
        return None
    gone = superseded_from(facts, superseded_at_once=superseded_at_once)
    end = latest_end if gone is None else min(latest_end, gone)
    return (facts.earliest_start, end) if end > facts.earliest_start else None


def overlap(new: Window, old: Window) -> bool:
    """Whether the two hold at the same time for even a second; one that starts as the other ends does not."""
    return new.start < old.end and old.start < new.end


def supersedes(new: Window, old: Window) -> bool:
    """A later control wins over an earlier one that asks for the same modes of the same devices at the same time."""
    same = new.modes == old.modes and new.categories == old.categories
    return overlap(new, old) and same and new.created > old.created


def may_supersede(new: Window, old: Window) -> bool:
    """Two controls that share some but not all modes or devices: the client decides mode by mode (10.2.3.3)."""
    if not overlap(new, old) or supersedes(new, old) or supersedes(old, new):
        return False
    return bool(new.modes & old.modes) and _meet(new.categories, old.categories)


def _meet(one: int | None, other: int | None) -> bool:
    return one is None or other is None or bool(one & other)
