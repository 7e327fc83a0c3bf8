"""First pass of a publication: read what the clients of each connection hold before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from envelope.operation import handover, net_to_device
from envelope.operation.clients import Clients, clients_at, see_devices_only, with_own_groups
from envelope.operation.handover import Recipient
from envelope.operation.publication_terms import SOURCE, Publication
from sep2.operations import inherited
from sep2.operations.issuing import limits_of
from sep2.operations.resuming import Around
from sep2.operations.room import left
from sep2.operations.schedules import intervals_of, near
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls, defaults
from sep2.store.connection import Connection


class GroupState(NamedTuple):
    """State of one recipient before a publication, as far as the decision depends on it."""

    recipient: Recipient
    event_limit: int
    """Most controls of the engine that its devices may hold ahead."""
    upcoming: Sequence[Interval]
    """The connection's intervals ahead, before any reduction to `event_limit`, which depends on their span."""
    standing: Sequence[Interval] = ()
    """Controls of the engine; read only where the decision depends on them."""
    default: Limits = Limits()
    """Default in force; read only where recipients share limits."""
    default_since: int = 0


class ConnectionUpdate(NamedTuple):
    """One registered connection of a schedule, its clients, and the state of its recipients."""

    column: int
    """Position in the schedule."""
    clients: Clients
    of_device: bool
    """Whether no client there can keep net limits."""
    groups: tuple[GroupState, ...]
    """The connection's own group first."""

    @property
    def sharing(self) -> list[Recipient]:
        """Recipients that share the connection's limits; none where it has one recipient."""
        return handover.sharing_recipients([state.recipient for state in self.groups])


async def collect(
    db: Connection, publication: Publication
) -> tuple[list[ConnectionUpdate], list[str], dict[int, Around]]:
    """Return the registered connections with their state, the names that are not registered, and what stands around.

    The last is by the id of each group, and is read for all of them at once.
    """
    found, missing = await _found(db, publication)
    groups = [recipient.group_id for one in found for recipient in one.recipients]
    until = max((interval.end for one in found for several in one.upcoming for interval in several), default=0)
    around = await near(db, groups, publication.now, max(until, publication.now))
    updates = []
    for one in found:
        sharing = handover.sharing_recipients(one.recipients)
        states = [
            await _state_of(db, publication, of, around[of[0].group_id], shares=of[0] in sharing)
            for of in zip(one.recipients, one.upcoming, strict=True)
        ]
        updates.append(ConnectionUpdate(one.column, one.clients, one.of_device, tuple(states)))
    return updates, missing, around


class _Found(NamedTuple):
    """A registered connection, its clients and recipients, and the intervals ahead of each recipient."""

    column: int
    clients: Clients
    of_device: bool
    recipients: list[Recipient]
    upcoming: list[Sequence[Interval]]


async def _found(db: Connection, publication: Publication) -> tuple[list[_Found], list[str]]:
    """Return the connections to which something is published, and the names of those that are not registered."""
    found, missing = list[_Found](), list[str]()
    schedule, left_out = publication.schedule, publication.terms.left_out
    at = await with_own_groups(db, await clients_at(db, schedule.connection_id), publication.now)
    known = await connections.by_names(db, schedule.connection_id)
    for column, name in enumerate(schedule.connection_id):
        row = known.get(name)
        if row is None and name not in left_out:
            missing.append(name)
        if row is None or row.kept_firm or name in left_out:
            continue
        clients = at.get(name, ())
        of_device = net_to_device.is_device(schedule, column) or see_devices_only(clients)
        recipients = handover.recipients_of(row.device_group_id, clients, of_device=of_device)
        upcoming = _upcoming(publication, column, of_device=of_device, count=len(recipients))
        found.append(_Found(column, clients, of_device, recipients, upcoming))
    return found, missing


def _upcoming(publication: Publication, column: int, *, of_device: bool, count: int) -> list[Sequence[Interval]]:
    """Return the intervals ahead of each of a connection's recipients, before its share; of_device: of the first."""
    most = publication.terms.horizon_events
    by_point = {
        device: publication.upcoming(column, most=most, of_device=device)
        for device in {of_device, of_device or count > 1}
    }
    return [by_point[of_device or place > 0] for place in range(count)]


async def _state_of(
    db: Connection, publication: Publication, of: tuple[Recipient, Sequence[Interval]], around: Around, *, shares: bool
) -> GroupState:
    (recipient, upcoming), terms, now = of, publication.terms, publication.now
    state = GroupState(recipient, left(around, upcoming, most=terms.horizon_events), upcoming)
    if recipient.part is not None or terms.hysteresis_w or terms.settle_rest:
        live = [row for row in around.own if row.successor_start is None or row.successor_start > now]
        state = state._replace(standing=intervals_of(live, SOURCE))
    if shares:
        limits, since = await default_of(db, recipient.group_id)
        state = state._replace(default=limits, default_since=since)
    return state


async def standing_of(db: Connection, group_id: int, now: int) -> list[Interval]:
    """Return the engine's standing controls of a group as intervals."""
    return intervals_of(await controls.standing(db, group_id, now), SOURCE)


async def default_of(db: Connection, group_id: int) -> tuple[Limits, int]:
    """Return the default that a group's member is served and the time of its last change; no limits, 0 without one.

    What the group's own default leaves out, its member is served from less important programs, or by contract.
    """
    row = await defaults.of_group(db, group_id)
    if row is None:
        return Limits(), 0
    own = limits_of(row)
    served = await inherited.limits_served(db, group_id)
    return (own if served is None else served), (0 if own == Limits() else row.changed)
