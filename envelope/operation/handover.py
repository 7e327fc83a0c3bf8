"""Parts of a connection's limits, and how they change hands: who gains waits until those who lose must have let go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from envelope.operation.clients import Client, Clients
from sep2.operations import inherited
from sep2.operations.controls import limits_of
from sep2.operations.groups import give_own_group
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged
from sep2.store import defaults
from sep2.store.connection import Connection

NOTHING = Limits(gen_w=0, load_w=0)


class Line(NamedTuple):
    """One group at a connection, and which client's part it is told; None: the limits of the connection."""

    group_id: int
    part: int | None


def part_of_group(clients: Clients, *, of_device: bool) -> int | None:
    """Whose part the connection's own group is told: that of its member, if others have parts beside it."""
    if not of_device or len(clients) < 2:
        return None
    return next((k for k, client in enumerate(clients) if client.holds_net_limit), None)


async def lines(db: Connection, known: Any, clients: Clients, now: int, *, of_device: bool) -> list[Line]:
    """The connection's own group, and that of each client beside the one that holds its net limits.

    Where nobody is in the connection's group, what is said there is the record of what the parts are of.
    """
    own = Line(known.device_group_id, part_of_group(clients, of_device=of_device))
    return [own, *[Line(await _group(db, one, now), k) for k, one in enumerate(clients) if not one.holds_net_limit]]


async def _group(db: Connection, client: Client, now: int) -> int:
    return client.own_group_id or await give_own_group(db, client.device_id, now)


def parted(several: Sequence[Line]) -> list[Line]:
    """Those that are told parts of one whole, if there are several."""
    found = [line for line in several if line.part is not None]
    return found if len(found) > 1 else []


def eased(wanted: Sequence[Interval], standing: Sequence[Interval], default: Limits, until: int) -> list[Interval]:
    """Wanted limits, until then none above what a device holds already: nothing, if it was told nothing."""
    cuts = {until, *(edge for old in standing for edge in (old.start, old.end) if edge < until)}
    found: list[Interval] = []
    for want in wanted:
        edges = [want.start, *sorted(cut for cut in cuts if want.start < cut < want.end), want.end]
        for start, end in pairwise(edges):
            held = next((old.limits for old in standing if old.start <= start < old.end), default)
            found.append(Interval(start, end, least(want.limits, held) if start < until else want.limits))
    return merged(found)


def least(want: Limits, held: Limits) -> Limits:
    """The tighter of each limit; one that is not wanted is not set, and one that is not held is nothing."""
    sides = zip(want, held, strict=True)
    return Limits(*(None if new is None else min(new, old or 0) for new, old in sides))


class Floor(NamedTuple):
    """The default of one group: what its member is served, since when, and what its own is to be."""

    was: Limits
    since: int
    wanted: Limits


async def floor_of(db: Connection, group_id: int, wanted: Limits) -> Floor:
    """What stands, and what is to."""
    row = await defaults.of_group(db, group_id)
    if row is None:
        return Floor(Limits(), 0, wanted)
    own = limits_of(row)
    # What the group's own default leaves out, its member is served from less important programs, or by contract.
    served = await inherited.limits_served(db, group_id)
    return Floor(own if served is None else served, 0 if own == Limits() else row.changed, wanted)


def floors(several: Sequence[Floor], now: int, adoption_s: int) -> list[Limits]:
    """What each default is set to: none is loosened before a tighter one beside it must have been taken up."""
    told = [floor for floor in several if floor.was != Limits()]
    tightens = any(least(floor.wanted, floor.was) != floor.was for floor in told)
    waits = tightens or any(floor.since > now - adoption_s for floor in told)
    if not told or not waits:
        return [floor.wanted for floor in several]
    return [least(floor.wanted, floor.was) for floor in several]
