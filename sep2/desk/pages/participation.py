"""The participation calendar: which DER serves which market or program, hour by hour of a day."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from sep2.admin.market import commitments
from sep2.desk.door import Visit
from sep2.partner import commitment_types as t
from sep2.rest.types import MOST_ITEMS, Asked, Epoch

HALF_DAY_S, HOUR_S = 43_200, 3600


class ParticipationQuery(Asked, frozen=True, kw_only=True):
    """Any moment of the day that is shown; left out: today."""

    day: Epoch | None = None
    after: Annotated[str, Meta(max_length=1000)] | None = None
    """The commitment after which the page begins."""


class Line(NamedTuple):
    """A DER and who has it in each hour of the day, as services; two in one hour are both named."""

    der: str
    hours: list[str]


async def show_participation(visit: Visit, asked: ParticipationQuery) -> dict[str, Any]:
    """The calendar of one local day, and its commitments as a list."""
    local = visit.state.settings.utility.local
    since = local.day_of(visit.now if asked.day is None else asked.day)
    until = local.day_of(since + 3 * HALF_DAY_S)
    query = t.CommitmentQuery(start=since, end=until, limit=MOST_ITEMS, after=asked.after)
    found = await visit.ask(commitments.list_commitments, query)
    hours = list(range(since, until, HOUR_S))
    held = [one for one in found.items if one.state == "held"]
    return {
        "found": found,
        "hours": hours,
        "lines": _lines(held, hours),
        "since": since,
        "before": local.day_of(since - HALF_DAY_S),
        "next_one": until,
    }


def _lines(held: Sequence[t.Commitment], hours: Sequence[int]) -> list[Line]:
    names = sorted({one.der for one in held})
    return [
        Line(
            name,
            [
                ", ".join(
                    f"{one.service} ({one.holder})"
                    for one in held
                    if one.der == name and one.start < hour + HOUR_S and hour < one.end
                )
                for hour in hours
            ],
        )
        for name in names
    ]
