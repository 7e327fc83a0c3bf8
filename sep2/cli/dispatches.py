"""`sep2 dispatch`: copies of a system operator's awards and dispatch, and what members can do of them."""

from pathlib import Path
from typing import Annotated

import typer

from sep2.admin.types import market_dispatches as t
from sep2.cli.api import api, at
from sep2.cli.market_times import day_or_moment, span_of, time_of
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import When, shown_power
from sep2.cli.verb import verb
from sep2.rest.types import Listed
from sep2.rules.market.dispatching import Form

dispatch = typer.Typer(no_args_is_help=True, help="Dispatch: what the system operator asks of aggregations.")

COLUMNS = ("no.", "id", "aggregation", "kind", "when", "target", "deliverable", "flags")


@verb(dispatch, "import", changes=True)
def import_dispatches(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="CSV, JSON or AEMO report."),
    ],
    *,
    form: Annotated[Form | None, typer.Option("--form", help="As the file begins, or its name ends.")] = None,
) -> None:
    """Take in awards and dispatch from a file: all of it or none; the same file twice changes nothing.

    [bold]sep2 dispatch import dispatch.csv --dry-run[/]
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise typer.BadParameter(f"{file} can not be read as text: {wrong}") from None
    body = t.DispatchFile(form=form or _form_of(file, text), text=text, source=file.name[:80])
    done = api().change("POST", "/market/import/dispatches", t.DispatchesTaken, body)
    beyond = sum(1 for one in done.added if one.beyond_limit)
    said = f"{len(done.added)} new, {done.known} known before"
    show(done, f"{said}; {beyond} beyond limits.", columns=COLUMNS, rows=[_row(one) for one in done.added])


@verb(dispatch, "list")
def list_dispatches(
    *,
    aggregation: Annotated[str | None, typer.Option(help="Only of this aggregation.")] = None,
    start: Annotated[When | None, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From.")] = None,
    end: Annotated[When | None, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until.")] = None,
    every: Annotated[bool, typer.Option("--every", help="Also what a later sequence has replaced.")] = False,
    limit: Limit = 100,
) -> None:
    """Awards and dispatch, the latest first, with what members can do of them within their limits."""
    server = api()
    query = {"aggregation": aggregation, "start": time_of(server, start), "end": time_of(server, end)}
    more = {"every": "true"} if every else {}
    found = server.get("/market/dispatches", Listed[t.Dispatch], limit=limit, **query, **more)
    rows = [_row(one) for one in found.items]
    show(found, listed(found.total, len(found.items), "entry"), columns=COLUMNS, rows=rows)


@verb(dispatch, "show")
def show_dispatch(number: Annotated[int, typer.Argument(metavar="DISPATCH", help="Its number.")]) -> None:
    """One dispatch: each member's part, the limit that holds for it, and why it can not be kept."""
    one = api().get(at("market", "dispatches", str(number)), t.DispatchShown)
    rows = [
        (
            part.der,
            part.iso_node,
            shown_power(part.target_w),
            "" if part.limit_w is None else shown_power(part.limit_w),
            f"{part.cause}: {part.binding}" if part.cause else "",
        )
        for part in one.parts
    ]
    said = f"{one.kind} {one.iso_dispatch_id} of {one.aggregation}: {one.target_w} W, of which {one.deliverable_w} W"
    columns = ("DER", "node", "target", "limit", "can not, for")
    spread = {
        "declared": " It is spread by the factors that its aggregator declared.",
        "rating": " It is spread by ratings.",
    }
    show(one, f"{said} are within limits.{spread.get(one.split_by, '')}", columns=columns, rows=rows)


def _form_of(file: Path, text: str) -> Form:
    """What form a file has: AEMO's reports begin with a line of the kind C."""
    if text.startswith(("C,", "\ufeffC,")):
        return "aemo"
    return "json" if file.suffix.lower() == ".json" else "csv"


def _row(one: t.Dispatch) -> tuple[str, ...]:
    flags = [*(["late"] if one.is_late else []), *([f"{one.beyond_limit} beyond limit"] if one.beyond_limit else [])]
    powers = (shown_power(one.target_w), shown_power(one.deliverable_w))
    span = span_of(one.start, one.end)
    return (str(one.id), one.iso_dispatch_id, one.aggregation, one.kind, span, *powers, ", ".join(flags))
