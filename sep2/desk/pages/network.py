"""The network: places with the worst that is expected below them, and feeders as one line, now and over a day."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sep2.admin import network, overrides, register
from sep2.admin import types as t
from sep2.desk import words
from sep2.desk.door import Visit
from sep2.desk.one_line import drawing, voltage_kind
from sep2.rest.types import Asked, Epoch, Span

PAGE = 100
HOUR_S = 3600
DAY_S = 86_400
Name = Annotated[str, Meta(max_length=200)]


class NetworkQuery(Asked, frozen=True, kw_only=True):
    """Which place or which feeder, where its list goes on, and what is drawn of which moment."""

    place: Name = ""
    feeder: Name = ""
    after: str | None = None
    at: Epoch | None = None
    show: Literal["expected", "measured"] = "expected"


async def show(visit: Visit, asked: NetworkQuery) -> dict[str, Any]:
    """A place with what is below it and its feeder; without one the outermost places and all feeders."""
    found: t.NetworkBelow = await visit.ask(
        network.show_network, t.NetworkQuery(place=asked.place or None, limit=PAGE, after=asked.after)
    )
    feeders: t.Listed[t.FeederListed] = await visit.ask(network.list_feeders, Span(limit=PAGE))
    name = asked.feeder or next(iter([*found.feeders, *found.around]), "")
    if not name and not asked.place and feeders.total == 1:
        name = feeders.items[0].feeder
    here = {"place": asked.place} if asked.place else {"feeder": name}
    return {
        "found": found,
        "feeders": feeders,
        "connections": await _connections(visit, asked.place),
        "about": asked.place,
        "asked": asked,
        "here_query": here,
        "may_override": visit.may(overrides.send_override),
        "needs": visit.needs(overrides.send_override),
        **(await _feeder(visit, name, asked) if name else {"shown": None}),
    }


async def _connections(visit: Visit, place: str) -> t.Listed[t.Connection] | None:
    if not place:
        return None
    found: t.Listed[t.Connection] = await visit.ask(
        register.list_connections, t.ConnectionQuery(place=place, limit=PAGE)
    )
    return found


async def _feeder(visit: Visit, name: str, asked: NetworkQuery) -> dict[str, Any]:
    """A feeder at a moment, drawn and as tables."""
    shown: t.FeederShown = await visit.ask(network.show_feeder, t.FeederQuery(at=asked.at), feeder=name)
    measured = asked.show == "measured"
    beyond = [
        node
        for node in shown.nodes
        if voltage_kind(node, *((node.measured_low, node.measured_high) if measured else (node.low, node.high)))
        in ("high", "low")
    ]
    loaded = sorted((one for one in shown.branches if one.loading is not None), key=lambda one: -(one.loading or 0.0))
    first, last = shown.feeder.since, shown.feeder.until - shown.step_s
    return {
        "shown": shown,
        "drawn": drawing(shown, measured=measured),
        "measured": measured,
        "beyond": beyond,
        "loaded": [] if measured else loaded[:10],
        "earlier": max(first, shown.at - HOUR_S),
        "later": min(last, shown.at + HOUR_S),
        "first": first,
        "last": last,
        "course": _course(shown, visit),
        "hours": [first + k * HOUR_S for k in range(max((len(one.loading) for one in shown.hours), default=0))],
        "day": [one for one in shown.course if visit.now - shown.step_s < one.start < visit.now + DAY_S],
    }


def _course(shown: t.FeederShown, visit: Visit) -> str:
    """What the script draws, as JSON."""
    clock = words.clock_of(visit.state.settings)
    limits = [(node.low_limit, node.high_limit) for node in shown.nodes if node.connections]
    found = {
        "now": visit.now,
        "at": shown.at,
        "offset": clock.offset_s(visit.now),
        "step": shown.step_s,
        "limits": limits[0] if limits else None,
        "steps": [(one.start, one.loading, one.low, one.high) for one in shown.course],
    }
    return msgspec.json.encode(found).decode()
