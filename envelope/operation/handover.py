"""Parts of a connection's limits, and their change of hands: growing parts wait until shrinking ones are adopted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from envelope.operation.clients import Clients
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged


class Recipient(NamedTuple):
    """One group at a connection, and the position of the client whose part it receives; None: the whole limits."""

    group_id: int
    part: int | None


def part_of_group(clients: Clients, *, of_device: bool) -> int | None:
    """Return whose part the connection's own group receives: its member's, if other clients have parts too."""
    if not of_device or len(clients) < 2:
        return None
    return next((k for k, client in enumerate(clients) if client.holds_net_limit), None)


def recipients_of(group_id: int, clients: Clients, *, of_device: bool) -> list[Recipient]:
    """Return the connection's own group, then the group of each client other than the holder of the net limits.

    Where the connection's group has no member, its controls record the whole of which the parts are made.
    group_id: the connection's own group. Each of the other clients has a group of its own.
    """
    found = [Recipient(group_id, part_of_group(clients, of_device=of_device))]
    for k, client in enumerate(clients):
        if not client.holds_net_limit:
            assert client.own_group_id is not None
            found.append(Recipient(client.own_group_id, k))
    return found


def sharing_recipients(several: Sequence[Recipient]) -> list[Recipient]:
    """Return the recipients of parts, if there are several."""
    found = [recipient for recipient in several if recipient.part is not None]
    return found if len(found) > 1 else []


def until_adopted(
    wanted: Sequence[Interval], standing: Sequence[Interval], default: Limits, until: int
) -> list[Interval]:
    """Return the wanted intervals, before `until` none above what the device holds: 0 W if it holds nothing."""
    cuts = {until, *(edge for old in standing for edge in (old.start, old.end) if edge < until)}
    found: list[Interval] = []
    for want in wanted:
        edges = [want.start, *sorted(cut for cut in cuts if want.start < cut < want.end), want.end]
        for start, end in pairwise(edges):
            held = next((old.limits for old in standing if old.start <= start < old.end), default)
            found.append(Interval(start, end, tighter(want.limits, held) if start < until else want.limits))
    return merged(found)


def tighter(want: Limits, held: Limits) -> Limits:
    """Return the smaller of each limit, W; None where none is wanted, and 0 where none is held."""
    sides = zip(want, held, strict=True)
    return Limits(*(None if new is None else min(new, old or 0) for new, old in sides))


class DefaultChange(NamedTuple):
    """Default of one group: its limits before, the time of its last change, and the wanted limits."""

    was: Limits
    since: int
    wanted: Limits


def defaults_to_set(several: Sequence[DefaultChange], now: int, adoption_s: int) -> list[Limits]:
    """Return the defaults to set: none is relaxed before a tighter one for the same connection is adopted."""
    known = [change for change in several if change.was != Limits()]
    tightens = any(tighter(change.wanted, change.was) != change.was for change in known)
    waits = tightens or any(change.since > now - adoption_s for change in known)
    if not known or not waits:
        return [change.wanted for change in several]
    return [tighter(change.wanted, change.was) for change in several]
