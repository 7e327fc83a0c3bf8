"""Whom an override covers: who is left out because they depend on their supply, and whom a drill takes of all."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sep2.errors import BadValue
from sep2.operations.places import Place
from sep2.rules.limits import Limits
from sep2.rules.protection import cuts_supply


class NotProtected(BadValue):
    """Only a protected connection that the override would leave out can be named beside it."""


class Coverage(NamedTuple):
    """The places that are told, those left out because they are protected, and the protected ones that are told."""

    told: tuple[Place, ...]
    left_out: tuple[Place, ...]
    named: tuple[str, ...]


def covered(
    places: Sequence[Place], limits: Limits, modes: dict[str, object], *, is_named: bool, also: frozenset[str]
) -> Coverage:
    """Leave protected places out of limits on what they draw, and of disconnects, unless they are named.

    is_named: whether the command is for one place, which is then named by it. also: the ids of connections that are
    named beside it; each has to be one that would be left out.
    """
    marked = [place for place in places if place.protected] if cuts_supply(limits, modes) else []
    known = {place.connection_name for place in marked}
    if strange := sorted(also - known):
        raise NotProtected(f"also: {strange[0][:40]!r} is not among those left out")
    named = {place.connection_name for place in marked if is_named or place.connection_name in also}
    left_out = [place for place in marked if place.connection_name not in named]
    told = [place for place in places if place not in left_out]
    return Coverage(tuple(told), tuple(left_out), tuple(sorted(named)))


def drawn(places: Sequence[Place], share: int) -> list[Place]:
    """So many percent of some places, at least one, spread over all of them and always the same ones."""
    if share >= 100:
        return list(places)
    count = max(1, -(-len(places) * share // 100))
    ordered = sorted(places, key=lambda place: hashlib.sha256(place.name.encode()).digest())
    return ordered[:count]
