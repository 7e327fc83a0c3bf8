"""`sep2 approval`: list, show, approve, refuse, send."""

from typing import Annotated

import msgspec
import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.effects import said
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import shown_time
from sep2.cli.verb import verb
from sep2.terminal import Lines

approval = typer.Typer(
    no_args_is_help=True, help="What waits for a second person to agree, and drafts that nobody has sent yet."
)
Number = Annotated[str, typer.Argument(metavar="ID", help="The request's number, or `latest`.")]
Seen = Annotated[str, typer.Option("--digest", metavar="DIGEST", help="Agree to this effect only (see --dry-run).")]
COLUMNS = ("ID", "state", "what", "of", "asked by", "at", "until", "why", "decided by")
VERBS = {
    "send_override": "override send",
    "extend_override": "override extend",
    "release_override": "override release",
    "start_backstop": "backstop start",
    "rehearse_backstop": "backstop test",
    "erase_connection": "connection erase",
}


def _cells(one: t.Approval) -> tuple[str, ...]:
    times = shown_time(one.created), shown_time(one.expires)
    what = VERBS.get(one.verb, one.verb)
    return (str(one.id), one.state, what, one.subject, one.asker, *times, one.why, one.decider)


@verb(approval, "list")
def list_approvals(
    *,
    every: Annotated[bool, typer.Option("--every", help="Also those that are decided on or expired.")] = False,
    limit: Limit = 100,
) -> None:
    """Requests that still wait, and drafts, the newest first."""
    found = api().get("/approvals", t.Listed[t.Approval], every=every, limit=limit)
    rows = (_cells(one) for one in found.items)
    show(found, listed(found.total, len(found.items), "request"), columns=COLUMNS, rows=rows)


@verb(approval, "show")
def show_approval(number: Number = "latest") -> None:
    """One request: what is asked for, and what it would have done as its asker saw it."""
    found = api().get(at("approvals", number), t.ApprovalShown)
    asked = f"Asked for: {bytes(found.asked).decode()}"
    next_step = f"Look and agree: sep2 approval approve {found.id} --dry-run"
    text = Lines("\n".join(filter(None, (_effect(bytes(found.sheet)), asked, next_step))))
    show(found, text, columns=COLUMNS, rows=[_cells(found)])


@verb(approval, "approve", changes=True)
def approve_change(number: Number, *, digest: Seen = "") -> None:
    """Agree to what somebody else asked for; it is done at once, in both names. --dry-run shows what it does now.

    [bold]sep2 approval approve 7 --dry-run[/]  and  [bold]sep2 approval approve 7[/]
    """
    done = api().change("POST", at("approvals", number, "approve"), t.Agreed, t.Agree(digest=digest))
    show(done, _done(done))


@verb(approval, "send", changes=True)
def send_draft(number: Number, *, digest: Seen = "") -> None:
    """Send a draft: your own, or somebody else's, to which you are the second person then."""
    done = api().change("POST", at("approvals", number, "send"), t.Agreed, t.Agree(digest=digest))
    show(done, _done(done))


def _done(done: t.Agreed) -> str:
    by = done.asker if done.asker == done.decider else f"{done.asker} and {done.decider}"
    effect = _effect(bytes(done.answer))
    return Lines("\n".join(filter(None, (f"Request {done.id} is {done.state}, and done by {by}.", effect))))


def _effect(answer: bytes) -> str:
    """What a change does: an override in its own words, another one in the sentences of its answer."""
    try:
        return said(msgspec.json.decode(answer, type=t.OverrideSent))
    except msgspec.ValidationError:
        return "\n".join(t.sentences_of(answer))


@verb(approval, "refuse", changes=True)
def refuse_change(number: Number, *, note: Annotated[str, typer.Option(help="Why not, for the record.")] = "") -> None:
    """Refuse a request, or withdraw your own.

    [bold]sep2 approval refuse 7 --note "T7 is not overloaded"[/]
    """
    done = api().change("POST", at("approvals", number, "refuse"), t.Approval, t.Decline(note=note))
    show(done, f"Request {done.id} is {done.state} by {done.decider}.")
