"""Options of the market's commands that say from when on something holds, or as of when it is looked at."""

import re
from typing import Annotated, Any

import typer

from sep2.cli.api import Api
from sep2.cli.times import resolved
from sep2.cli.units import When, moment, shown_time

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def day_or_moment(text: str) -> When:
    """As `moment`, and also a date: its first second in the utility's zone."""
    text = text.strip()
    return moment(f"{text}T00:00" if DAY.fullmatch(text) else text)


From = Annotated[
    When | None,
    typer.Option(
        "--from", parser=day_or_moment, metavar="TIME", help="From when on it holds; now, or e.g. 2027-06-01."
    ),
]
At = Annotated[
    When | None,
    typer.Option("--at", parser=day_or_moment, metavar="TIME", help="What held then, e.g. -30d or 2027-06-01."),
]
KnownAt = Annotated[
    When | None, typer.Option("--known-at", parser=day_or_moment, metavar="TIME", help="As it was known then.")
]
PartyOption = Annotated[str, typer.Option("--party", help="The party whose it is.")]
OfParty = Annotated[str | None, typer.Option("--party", help="Only of this party.")]


def time_of(server: Api, said: When | None) -> int | None:
    """Epoch seconds; None where nothing was said, or now."""
    return None if said is None else resolved(server, said)


def as_of(server: Api, at: When | None, known_at: When | None) -> dict[str, Any]:
    """The part of a query that says as of when."""
    return {"valid_at": time_of(server, at), "known_at": time_of(server, known_at)}


def span_of(valid_from: int, valid_to: int | None) -> str:
    """From when until when, for tables."""
    return f"{shown_time(valid_from)} – {shown_time(valid_to)}" if valid_to else f"since {shown_time(valid_from)}"
