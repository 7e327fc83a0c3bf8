"""Second pass of a publication: decide on the controls and the default of each group, from data alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from envelope.operation import handover, net_to_device
from envelope.operation.binding_reason import reason_of
from envelope.operation.group_state import ConnectionUpdate, GroupState
from envelope.operation.handover import DefaultChange
from envelope.operation.hysteresis import FirmMinimum, with_hysteresis
from envelope.operation.publication_terms import Publication
from envelope.schedule import EnvelopeSchedule
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged


class GroupUpdate(NamedTuple):
    """Controls and default that one group is to have."""

    group_id: int
    intervals: Sequence[Interval]
    event_limit: int
    """Most controls of the engine that its devices may hold ahead."""
    default: Limits | None = None
    """None: the default stays as it is."""
    reason_of: Callable[[int, int], str] | None = None
    """Binding constraint of an interval by its start and end; None: not known."""


class _Wanted(NamedTuple):
    """Limits of one recipient before hysteresis."""

    state: GroupState
    intervals: Sequence[Interval]
    default: Limits


def decide(publication: Publication, connections: Sequence[ConnectionUpdate]) -> list[GroupUpdate]:
    """Return what each group of these connections is to have, in the order of writing."""
    return [update for connection in connections for update in _decide_connection(publication, connection)]


def _decide_connection(publication: Publication, connection: ConnectionUpdate) -> list[GroupUpdate]:
    wanted = [_wanted(publication, connection, position) for position in range(len(connection.groups))]
    sharing = connection.sharing
    alone = [one for one in wanted if one.state.recipient not in sharing]
    shared = [one for one in wanted if one.state.recipient in sharing]
    shared = _handed_over(shared, publication.now, publication.terms.adoption_s)
    return [_group_update(publication, connection, one) for one in [*alone, *shared]]


def _wanted(publication: Publication, connection: ConnectionUpdate, position: int) -> _Wanted:
    """Return the intervals and the default of one recipient: the connection's limits, or its part of them."""
    state, of_device = connection.groups[position], connection.of_device or position > 0
    intervals = state.upcoming
    if len(intervals) > state.event_limit:
        intervals = publication.upcoming(connection.column, most=state.event_limit, of_device=of_device)
    default = _default_of(publication.schedule, connection.column, of_device=of_device)
    part = state.recipient.part
    if part is None:
        return _Wanted(state, intervals, default)

    def part_of(limits: Limits) -> Limits:
        return publication.terms.sharing.parts(limits, connection.clients)[part]

    own = [interval._replace(limits=part_of(interval.limits)) for interval in intervals]
    return _Wanted(state, own, part_of(default))


def _default_of(schedule: EnvelopeSchedule, column: int, *, of_device: bool) -> Limits:
    if of_device:
        return net_to_device.default_of(schedule, column)
    return Limits(int(schedule.default_import_w[column]), int(schedule.default_export_w[column]))


def _handed_over(shared: Sequence[_Wanted], now: int, adoption_s: int) -> list[_Wanted]:
    """Return parts of one whole, of which none grows before the shrinking ones must have been adopted."""
    changes = [DefaultChange(one.state.default, one.state.default_since, one.default) for one in shared]
    defaults = handover.defaults_to_set(changes, now, adoption_s)
    intervals = [one.intervals for one in shared]
    if any(one.state.standing for one in shared):
        until = now + adoption_s
        intervals = [
            handover.until_adopted(one.intervals, one.state.standing, one.state.default, until) for one in shared
        ]
    each = zip(shared, intervals, defaults, strict=True)
    return [one._replace(intervals=own, default=default) for one, own, default in each]


def _group_update(publication: Publication, connection: ConnectionUpdate, wanted: _Wanted) -> GroupUpdate:
    """Apply hysteresis and the end of the schedule, and merge equal neighbours."""
    schedule, terms = publication.schedule, publication.terms
    state, intervals = wanted.state, wanted.intervals
    is_net = state is connection.groups[0] and not connection.of_device
    if is_net and (terms.hysteresis_w or terms.settle_rest):
        minimum = FirmMinimum(schedule, connection.column)
        intervals = with_hysteresis(intervals, state.standing, minimum, terms.hysteresis_w)
    if terms.settle_rest:
        intervals = [*intervals, *_default_after(schedule, wanted.default, state.standing, publication.now)]
    intervals = merged(intervals)[: max(state.event_limit, 1)]
    default = wanted.default if terms.defaults else None
    reason = reason_of(schedule, connection.column)
    return GroupUpdate(state.recipient.group_id, intervals, state.event_limit, default, reason)


def _default_after(
    schedule: EnvelopeSchedule, default: Limits, standing: Sequence[Interval], now: int
) -> list[Interval]:
    """Return the default for the time of standing controls beyond the schedule's end."""
    end = max(int(schedule.step_start[-1]) + schedule.step_s, now)
    last = max((interval.end for interval in standing), default=end)
    return [Interval(end, last, default)] if last > end else []
