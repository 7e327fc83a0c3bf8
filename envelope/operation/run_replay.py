"""Calculate again what was published, from the inputs that were kept, and compare every number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from envelope.operation.group_state import ConnectionUpdate
from envelope.operation.group_update import decide
from envelope.operation.publication_terms import Publication
from envelope.operation.run_store import PublicationRecord, RunStore, Update
from envelope.operation.verified_run import calculated
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.scaling import scaled


class Replay(NamedTuple):
    """Result of a replay: counts, and the first differences as sentences."""

    run: str
    publications: int
    numbers: int
    differences: Sequence[str]

    @property
    def is_same(self) -> bool:
        """Whether every published number came out again."""
        return not self.differences


def replay(store: RunStore, run: str) -> Replay:
    """Calculate a run again, and all that was published of it."""
    records, schedules = store.publications(run), dict[int, EnvelopeSchedule]()
    numbers, differences = 0, list[str]()
    for record in records:
        if record.calculated not in schedules:
            found = store.calculation(run, record.calculated)
            schedules[record.calculated] = scaled(calculated(found.problem), found.factor)
        again = updates_again(schedules[record.calculated], record)
        numbers += sum(map(_numbers, record.updates))
        differences += _compared(record, again)
    return Replay(run, len(records), numbers, differences)


def updates_again(schedule: EnvelopeSchedule, record: PublicationRecord) -> list[Update]:
    """Return what a publication would decide from a schedule and what its record says that clients held."""
    publication = Publication(schedule, record.at, record.terms)
    connections = [_with_upcoming(publication, one) for one in record.connections]
    return [Update.of(one) for one in decide(publication, connections)]


def _with_upcoming(publication: Publication, connection: ConnectionUpdate) -> ConnectionUpdate:
    most = publication.terms.horizon_events
    groups = [
        state._replace(
            upcoming=publication.upcoming(connection.column, most=most, of_device=connection.of_device or k > 0)
        )
        for k, state in enumerate(connection.groups)
    ]
    return connection._replace(groups=tuple(groups))


def _compared(record: PublicationRecord, again: Sequence[Update]) -> list[str]:
    if len(again) != len(record.updates):
        return [f"at {record.at}: {len(again)} groups instead of {len(record.updates)}"]
    pairs = zip(record.updates, again, strict=True)
    return [
        f"at {record.at}: group {was.group_id}: {_first_difference(was, now)}"
        for was, now in pairs
        if _flat(was) != _flat(now)
    ]


def _first_difference(was: Update, now: Update) -> str:
    found = next((pair for pair in zip(was.intervals, now.intervals, strict=False) if pair[0] != pair[1]), None)
    if found is None:
        return f"{len(now.intervals)} intervals, default {now.default} instead of {len(was.intervals)}, {was.default}"
    return f"{found[1]} instead of {found[0]}"


def _flat(one: Update) -> tuple[object, ...]:
    return one.group_id, [tuple(each) for each in one.intervals], one.event_limit, one.default


def _numbers(one: Update) -> int:
    limits = [*(each.limits for each in one.intervals), *([] if one.default is None else [one.default])]
    return sum(value is not None for each in limits for value in each)
