"""`sep2 market`: the markets' rules, as data with their sources."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sep2.cli.show import counted, show
from sep2.cli.verb import verb
from sep2.rules.market.profiles import Value, fingerprint, names, read_profile, values

market = typer.Typer(no_args_is_help=True, help="Markets: their rules as data.")
profile = typer.Typer(no_args_is_help=True, help="Clocks, sizes and rules of a market, and where each comes from.")
market.add_typer(profile, name="profile")

Profiles = Annotated[
    Path | None, typer.Option("--profiles", help="A folder of your own, whose files may extend ours.", metavar="DIR")
]
MARKS = {"published": "published", "press": "trade press", "unverified": "to be verified", "own": "our default"}


class Known(msgspec.Struct, frozen=True):
    """A market profile by name."""

    name: str
    title: str
    time_zone: str
    in_force_from: str
    review_days: int
    review_clock: str


class ShownValue(msgspec.Struct, frozen=True):
    """One value of a profile with its source."""

    name: str
    value: Any
    mark: str
    note: str


class Shown(msgspec.Struct, frozen=True):
    """A whole profile."""

    name: str
    title: str
    sha256: str
    values: list[ShownValue]


@verb(profile, "list")
def list_profiles() -> None:
    """The markets whose rules come with the product.

    [bold]sep2 market profile list[/]
    """
    known = [
        Known(one.name, one.title, one.time_zone, str(one.in_force_from), one.review.days, one.review.clock)
        for one in map(read_profile, names())
    ]
    rows = [
        (one.name, one.title, one.time_zone, one.in_force_from, f"{one.review_days} {one.review_clock} days")
        for one in known
    ]
    columns = ("name", "market", "time zone", "in force from", "review")
    show(known, f"{counted(len(known), 'profile')}.", columns=columns, rows=rows)


@verb(profile, "show")
def show_profile(
    name: Annotated[str, typer.Argument(help="pjm, nyiso, caiso, miso, aemo, custom, or one of your own.")],
    *,
    sources: Annotated[bool, typer.Option("--sources", help="Say where each value comes from.")] = False,
    profiles: Profiles = None,
) -> None:
    """Every clock, size and rule of a market.

    Values that are to be verified are checked against the tariff before a utility relies on them. Your own file in
    --profiles, such as pjm.toml with [bold]extends = "pjm"[/], holds only what differs.

    [bold]sep2 market profile show pjm --sources[/]
    """
    found = read_profile(name, profiles)
    shown = [_shown(value) for value in values(found)]
    rows = [(one.name, _plain(one.value), *((MARKS[one.mark], one.note) if sources else ())) for one in shown]
    unsure = sum(one.mark == "unverified" for one in shown)
    columns = ("value", "is", "source", "note") if sources else ("value", "is")
    said = f"{found.title}: {counted(len(shown), 'value')}, of which {unsure} are to be verified (--sources)."
    show(Shown(found.name, found.title, fingerprint(found), shown), said, columns=columns, rows=rows)


def _shown(value: Value) -> ShownValue:
    # read_profile refuses values without a source.
    assert value.source is not None
    return ShownValue(value.name, msgspec.to_builtins(value.value), value.source.mark, value.source.note)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(" / ".join(one) if isinstance(one, list) else str(one) for one in value) or "none"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)
