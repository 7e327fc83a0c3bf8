"""`sep2 market messages` and `sep2 market outages`: what parties were told, and what they said they can not do."""

from typing import Annotated

import typer

from sep2.admin.types import market_overrides as t
from sep2.cli.api import api
from sep2.cli.settlement import root as market
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import shown_power, shown_time
from sep2.cli.verb import verb
from sep2.rest.types import Listed
from sep2.terminal import shown

root = market
"""The verbs of markets with these."""
LONGEST = 400
"""Characters of what a message says."""
Party = Annotated[str | None, typer.Option(help="Only of this party.")]


@verb(root, "messages")
def list_messages(*, party: Party = None, limit: Limit = 100) -> None:
    """What parties were told, the newest first; each party's numbers have no gaps.

    [bold]sep2 market messages --party North[/]
    """
    query = {"party": party} if party else {}
    found = api().get("/market/messages", Listed[t.MessageTo], limit=limit, **query)
    rows = [
        (one.party, str(one.sequence), shown_time(one.created), one.kind, one.subject, shown(one.says, LONGEST))
        for one in found.items
    ]
    columns = ("to", "no.", "at", "kind", "about", "says")
    show(found, listed(found.total, len(found.items), "message"), columns=columns, rows=rows)


@verb(root, "outages")
def list_outages(*, party: Party = None, limit: Limit = 100) -> None:
    """What DERs and aggregations can not do, as their parties say: what is not over, the latest first.

    [bold]sep2 market outages[/]
    """
    query = {"party": party} if party else {}
    found = api().get("/market/outages", Listed[t.OutageSaid], limit=limit, **query)
    rows = [
        (
            one.party,
            one.der or one.aggregation,
            shown_time(one.start),
            shown_time(one.end),
            shown_power(one.available_w),
            one.cause,
            "planned" if one.planned else "",
        )
        for one in found.items
    ]
    columns = ("party", "of", "from", "until", "left", "cause", "")
    show(found, listed(found.total, len(found.items), "outage"), columns=columns, rows=rows)
