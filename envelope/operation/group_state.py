"""First pass of a publication: read what the clients of each connection hold before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from envelope.operation import handover, net_to_device
from envelope.operation.clients import Clients, clients_at, see_devices_only, with_own_groups
from envelope.operation.handover import Recipient
from envelope.operation.publication_terms import SOURCE, Publication
from sep2.operations import inherited
from sep2.operations.controls import intervals_of, limits_of
from sep2.operations.room import left
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


async def collect(db: Connection, publication: Publication) -> tuple[list[ConnectionUpdate], list[str]]:
    """Return the registered connections with their state, and the names of connections that are not registered."""
    updates, missing = list[ConnectionUpdate](), list[str]()
    schedule = publication.schedule
    at = await with_own_groups(db, await clients_at(db, schedule.connection_id), publication.now)
    for column, name in enumerate(schedule.connection_id):
        if name in publication.terms.left_out:
            continue
        row = await connections.by_name(db, name)
        if row is None:
            missing.append(name)
        if row is None or row.kept_firm:
            continue
        clients = at.get(name, ())
        of_device = net_to_device.is_device(schedule, column) or see_devices_only(clients)
        recipients = handover.recipients_of(row.device_group_id, clients, of_device=of_device)
        states = await _states_of(db, publication, (column, of_device), recipients)
        updates.append(ConnectionUpdate(column, clients, of_device, tuple(states)))
    return updates, missing


async def _states_of(
    db: Connection, publication: Publication, of: tuple[int, bool], recipients: Sequence[Recipient]
) -> list[GroupState]:
    """Read the state of each recipient of a connection; of: its column, and whether no client keeps net limits."""
    column, of_device = of
    most = publication.terms.horizon_events
    upcoming = {
        device: publication.upcoming(column, most=most, of_device=device)
        for device in {of_device, of_device or len(recipients) > 1}
    }
    sharing = handover.sharing_recipients(recipients)
    return [
        await _state_of(db, publication, (recipient, upcoming[of_device or k > 0]), shares=recipient in sharing)
        for k, recipient in enumerate(recipients)
    ]


async def _state_of(
    db: Connection, publication: Publication, of: tuple[Recipient, Sequence[Interval]], *, shares: bool
) -> GroupState:
    (recipient, upcoming), terms, now = of, publication.terms, publication.now
    event_limit = await left(db, recipient.group_id, upcoming, now, most=terms.horizon_events)
    state = GroupState(recipient, event_limit, upcoming)
    if recipient.part is not None or terms.hysteresis_w or terms.settle_rest:
        state = state._replace(standing=await standing_of(db, recipient.group_id, now))
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
