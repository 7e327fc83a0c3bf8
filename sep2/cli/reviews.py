"""`sep2 review`: the utility's reviews of aggregations, with their clocks."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from sep2.admin.types import market_reviews as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, counted, listed, more_by, show
from sep2.cli.units import shown_power, shown_time, watts
from sep2.cli.verb import verb
from sep2.rest.types import Listed
from sep2.terminal import say

review = typer.Typer(no_args_is_help=True, help="Reviews of aggregations: due dates, screens, decisions, letters.")

Number = Annotated[str, typer.Argument(metavar="ID", help="The review's number.")]
Ders = Annotated[list[str] | None, typer.Option("--der", help="Of which DERs; repeatable. The others are ok.")]
DIGEST = Annotated[str, typer.Option("--digest", help="What --dry-run showed; a changed world asks again.")]


@verb(review, "list")
def list_reviews(
    *,
    every: Annotated[bool, typer.Option("--every", help="Decided ones too.")] = False,
    aggregation: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    limit: Limit = 100,
) -> None:
    """Reviews that are not decided, with their clocks."""
    found = api().get("/market/reviews", Listed[t.MarketReview], limit=limit, every=every, aggregation=aggregation)
    show(
        found,
        listed(found.total, len(found.items), "review") + more_by(found.total, "--every", "decided ones", given=every),
        columns=("ID", "aggregation", "party", "market", "kind", "state", "clock", "days", "due", "DERs", "failed"),
        rows=(
            (
                str(one.id),
                one.aggregation,
                one.party,
                one.profile,
                one.kind,
                one.state,
                one.clock,
                f"{one.elapsed_days} of {one.days}",
                shown_time(one.due_at),
                str(one.ders),
                str(one.failed or ""),
            )
            for one in found.items
        ),
    )


@verb(review, "show")
def show_review(number: Number) -> None:
    """One review: what every screen says of every DER, what was decided, pauses and disputes."""
    one = api().get(at("market", "reviews", number), t.ReviewShown)
    outcomes = {said.der: said for said in one.per_der}
    rows = [
        (
            found.der or "all",
            found.screen,
            found.result,
            found.cause,
            shown_power(found.limit_w),
            found.binding,
            found.detail,
        )
        for found in sorted(one.screens, key=lambda found: (found.der, found.result != "fail"))
    ]
    rows += [
        (name, "decision", said.outcome, said.reason, shown_power(said.limit_w), "", "; ".join(said.evidence))
        for name, said in outcomes.items()
        if said.outcome
    ]
    rows += [("", "missing", "", "", "", "", one_) for one_ in one.missing]
    rows += [("", "pause", "", shown_time(p.start), "", shown_time(p.end), p.asked_for) for p in one.pauses]
    rows += [("", "dispute", d.state, d.raised_by, "", d.regulator_ref, f"{d.about}: {d.basis}") for d in one.disputes]
    show(one, said_of(one), columns=("DER", "what", "says", "cause", "limit", "binding", "detail"), rows=rows)


def said_of(one: t.MarketReview) -> str:
    """How a review stands, as a sentence."""
    due = "" if one.due_at is None else f", due {shown_time(one.due_at)} ({one.elapsed_days} of {one.days} days)"
    clock = f", {one.clock}" if one.clock and one.clock != one.state else ""
    missing = f"; {counted(len(one.missing), 'thing')} missing" if one.missing else ""
    return f"Review {one.id} of {one.aggregation} is {one.state}{clock}{due}{missing}."


def _changed(number: str, what: str, body: Any = None) -> None:
    done = api().change("POST", at("market", "reviews", number, what), t.ReviewShown, body)
    show(done, said_of(done))


@verb(review, "incomplete", changes=True)
def find_incomplete(
    number: Number, *, missing: Annotated[list[str], typer.Option(help="What is missing; repeatable.")]
) -> None:
    """Send a submission back: its clock begins again when what is missing has come."""
    _changed(number, "incomplete", t.Incomplete(missing=missing))


@verb(review, "screen", changes=True)
def screen_review(number: Number) -> None:
    """Look with every screen anew; the engine answers soon after."""
    _changed(number, "screen")


@verb(review, "pause", changes=True)
def pause_review(number: Number, *, ask: Annotated[str, typer.Option(help="What is asked for.")]) -> None:
    """Stop the clock, where the market's rules allow it."""
    _changed(number, "pause", t.PauseReview(asked_for=ask))


@verb(review, "resume", changes=True)
def resume_review(number: Number, *, answer: Annotated[str, typer.Option(help="What has come.")] = "") -> None:
    """Let the clock go on."""
    _changed(number, "resume", t.ResumeReview(answer=answer))


@verb(review, "withdraw", changes=True)
def withdraw_review(number: Number) -> None:
    """End a review that is not decided; what was proposed stays proposed."""
    _changed(number, "withdraw")


@verb(review, "decide", changes=True)
def decide_review(
    number: Number,
    *,
    der: Ders = None,
    outcome: Annotated[
        Literal["ok", "limited", "rejected"], typer.Option(help="Of the DERs that are named; without --der, of all.")
    ] = "ok",
    limit: Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="Of those that are limited.")] = None,
    reason: Annotated[str, typer.Option(help="`sep2 review show ID --json` lists the market's reasons.")] = "",
    evidence: Annotated[list[str] | None, typer.Option(help="What shows it, such as a screen; repeatable.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="JSON: {ders: [{der, outcome, limit_w, reason, evidence}], note}.")
    ] = None,
    note: Annotated[str, typer.Option(help="For the letter.")] = "",
    digest: DIGEST = "",
) -> None:
    """Decide a review, and write its letter; where a DER is rejected, a supervisor has to agree.

    [bold]sep2 review decide 7 --der D3 --outcome limited --limit 3kW --reason network_limit --evidence hosting_node[/]
    """
    server = api()
    body = _decision(server, number, der, t.DerDecision(
        der="", outcome=outcome, limit_w=limit, reason=reason, evidence=evidence or []
    )) if file is None else _read(file)  # fmt: skip
    whole = t.NewDecision(ders=body.ders, others=body.others, note=note or body.note, digest=digest)
    done = server.change("POST", at("market", "reviews", number, "decide"), t.ReviewDecided, whole)
    needs = f" {done.needs_second}." if done.needs_second else ""
    said = f"Review {done.id} of {done.aggregation}: {done.outcome}.{needs} Digest {done.digest}"
    show(done, f"{said}; next: sep2 review letter {done.id}")


def _decision(server: Any, number: str, named: list[str] | None, said: t.DerDecision) -> t.NewDecision:
    """The same of each DER that is named, or of all."""
    if not named and said.outcome == "ok" and not said.evidence:
        return t.NewDecision(others="ok")
    names = named
    if not names:
        shown = server.get(at("market", "reviews", number), t.ReviewShown)
        names = [one.der for one in shown.per_der]
    ders = [
        t.DerDecision(der=name, outcome=said.outcome, limit_w=said.limit_w, reason=said.reason, evidence=said.evidence)
        for name in names
    ]
    return t.NewDecision(ders=ders, others="ok" if named else None)


def _read(file: Path) -> t.NewDecision:
    try:
        return msgspec.json.decode(file.read_bytes(), type=t.NewDecision)
    except (OSError, msgspec.DecodeError) as wrong:
        raise typer.BadParameter(f"{file}: {wrong}") from None


@verb(review, "dispute", changes=True)
def dispute_review(
    number: Number,
    *,
    by: Annotated[str, typer.Option(help="Who objects.")],
    about: Annotated[str, typer.Option(help="To what.")],
    basis: Annotated[str, typer.Option(help="On what ground.")],
    stay: Annotated[
        bool, typer.Option("--stay", help="Note that the earlier state is to hold until it is decided.")
    ] = False,
    regulator_ref: Annotated[str, typer.Option(help="The regulator's reference.")] = "",
) -> None:
    """Keep an objection to a decided review."""
    body = t.NewDispute(raised_by=by, about=about, basis=basis, stay=stay, regulator_ref=regulator_ref)
    _changed(number, "dispute", body)


@verb(review, "close-dispute", changes=True)
def close_dispute(
    number: Number,
    *,
    outcome: Annotated[str, typer.Option(help="What was decided, in words.")],
    state: Annotated[
        Literal["approved", "approved_limited", "rejected"] | None,
        typer.Option(help="What the review comes to by it; left out: what was decided stands."),
    ] = None,
) -> None:
    """Keep what became of a dispute; a supervisor does."""
    _changed(number, "close-dispute", t.CloseDispute(outcome=outcome, state=state))


@verb(review, "letter")
def show_letter(
    number: Number,
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where the HTML is written to.")] = None,
) -> None:
    """The letter about a decided review: HTML that prints on A4, the same bytes each time."""
    found = api().get(at("market", "reviews", number, "letter"), t.Letter)
    if to is None:
        show(found, f"The letter about review {found.review}, SHA-256 {found.sha256}: --to FILE writes it.")
        return
    to.write_bytes(found.html.encode())
    say(f"Written to {to}, SHA-256 {found.sha256}.")
