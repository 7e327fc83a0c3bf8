"""Overrides of aggregations on the command line: sent with their notices, watched, and accounted for."""

from typing import Annotated

import typer

from sep2.admin.types import market_overrides as t
from sep2.cli.api import api, at
from sep2.cli.limits import limit_cells
from sep2.cli.overrides import Number, override
from sep2.cli.show import Limit, counted, listed, more_by, show
from sep2.cli.units import shown_time
from sep2.cli.verb import verb
from sep2.rest.types import Listed
from sep2.terminal import Lines, shown

root = override
"""The verbs of overrides with these."""
NOTICES = ("to", "no.", "due", "sent", "answer by", "answered", "call")


@verb(root, "notices")
def show_notices(number: Number = "latest") -> None:
    """Who was told of an override of an aggregation, how often, what they answered, and what devices answered.

    [bold]sep2 override notices latest[/]
    """
    one = api().get(at("market", "overrides", number), t.MarketOverrideShown)
    said = [
        f"Override {one.id} of aggregation {one.aggregation} is {one.state}, {one.notice}; answered: {one.answered}.",
        f"Devices: {one.received} of {one.devices} received it, {one.started} started, {one.refused} refused.",
        *(_answer(answer) for answer in one.answers),
    ]
    if one.reason_due is not None:
        why = (
            f"given at {shown_time(one.reason_at)}: {one.reason_text}"
            if one.reason_at is not None
            else f"due {shown_time(one.reason_due)}"
        )
        said.append(f"Reason of the emergency: {why}.")
    rows = [
        (
            notice.party,
            str(notice.number),
            shown_time(notice.due),
            _times(notice.sent),
            shown_time(notice.answer_by) if notice.must_answer else "none asked for",
            shown_time(notice.answered_at),
            _call(notice),
        )
        for notice in one.notices
    ]
    show(one, Lines("\n".join(shown(line, 4000) for line in said)), columns=NOTICES, rows=rows)


def _times(count: int) -> str:
    return "" if not count else "once" if count == 1 else f"{count} times"


def _call(notice: t.NoticeTo) -> str:
    if notice.called_at is not None:
        return f"{notice.called_by} at {shown_time(notice.called_at)}: {notice.called_note}"
    return f"call, since {shown_time(notice.silent_at)}" if notice.must_call else ""


def _answer(one: t.AnswerOf) -> str:
    late = ", too late" if one.late else ""
    expects = "" if one.expected_w is None else f", expects {one.expected_w} W"
    about = f": {one.note}" if one.note else ""
    dispute = f" (dispute {one.id} is {one.dispute}{': ' + one.outcome if one.outcome else ''})" if one.dispute else ""
    return f"{one.party} at {shown_time(one.recorded_at)}{late}: {one.answer}{expects}{about}{dispute}."


@verb(root, "explain", changes=True)
def explain_emergency(
    number: Number, *, reason: Annotated[str, typer.Option(help="Why there was an emergency; parties are told.")]
) -> None:
    """Say why there was an emergency override of an aggregation, which its market asks for within a time.

    [bold]sep2 override explain 12 --reason "line L4 tripped"[/]
    """
    body = t.EmergencyReason(reason=reason)
    done = api().change("POST", at("market", "overrides", number, "reason"), t.MarketOverrideShown, body)
    show(done, f"The reason of override {done.id} is kept, and whom it was told is told that too.")


@verb(root, "call", changes=True)
def note_call(
    number: Number, *, note: Annotated[str, typer.Option(help="Whom you have called, and what they said.")]
) -> None:
    """Note that you have called an aggregator that does not answer the notices of an override.

    [bold]sep2 override call 12 --note "Ada at North is on it"[/]
    """
    body = t.CallNote(note=note)
    done = api().change("POST", at("market", "overrides", number, "call"), t.MarketOverrideShown, body)
    show(done, f"The call about override {done.id} is noted.")


@verb(root, "close-dispute", changes=True)
def close_dispute(
    number: Number,
    *,
    answer: Annotated[int, typer.Option(help="The number of the answer; `sep2 override notices` shows it.")],
    outcome: Annotated[str, typer.Option(help="What became of it; the party is told.")],
) -> None:
    """Keep what became of a dispute that an aggregator's nack of an override opened. A supervisor does that.

    [bold]sep2 override close-dispute 12 --answer 3 --outcome "the limit was needed"[/]
    """
    body = t.DisputeOutcome(answer=answer, outcome=outcome)
    done = api().change("POST", at("market", "overrides", number, "close-dispute"), t.MarketOverrideShown, body)
    show(done, f"The dispute about override {done.id} is closed; {counted(done.disputes, 'dispute')} open.")


AGGREGATIONS = ("ID", "aggregation", "party", "notice", "limits", "from", "until", "state", "answered", "like for like")


@verb(root, "aggregations")
def list_market_overrides(
    *,
    aggregation: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    over: Annotated[bool, typer.Option("--over", help="Also those that are over or released.")] = False,
    limit: Limit = 100,
) -> None:
    """Overrides of aggregations that hold or are to come, the newest first: answered or not, fair or not."""
    query = {"aggregation": aggregation} if aggregation else {}
    found = api().get("/market/overrides", Listed[t.MarketOverride], over=over, limit=limit, **query)
    rows = [
        (
            str(one.id),
            one.aggregation,
            one.party,
            one.notice,
            " ".join(cell for cell in limit_cells(one.limits) if cell),
            shown_time(one.start),
            shown_time(one.end),
            one.state,
            one.answered,
            "yes" if one.like_for_like else "no",
        )
        for one in found.items
    ]
    more = more_by(found.total, "--over", "those that are over", given=over)
    said = listed(found.total, len(found.items), "override") + more
    show(found, said, columns=AGGREGATIONS, rows=rows)
