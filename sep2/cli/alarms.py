"""`sep2 alarm`: what asks an operator to act, what it means, and what they do about it."""

from enum import StrEnum
from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.times import resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import verb
from sep2.rules.silence import named

alarm = typer.Typer(no_args_is_help=True, help="Alarms: what asks an operator to act, and what they do about it.")


class State(StrEnum):
    """What has become of an alarm."""

    STANDING = "standing"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    GONE = "gone"
    CLEARED = "cleared"
    ALL = "all"


Number = Annotated[int, typer.Argument(metavar="ID", help="The alarm's id, as `sep2 alarm list` shows it.")]
Numbers = Annotated[list[int], typer.Argument(metavar="ID...", help="Ids, as `sep2 alarm list` shows them.")]


@verb(alarm, "list")
def list_alarms(
    *,
    state: Annotated[
        State,
        typer.Option(help="standing, shelved, suppressed (another explains them), gone (over, not acknowledged)."),
    ] = State("standing"),  # noqa: B008 - an option's default
    cleared: Annotated[bool, typer.Option("--cleared", help="All, also those that are over.")] = False,
    code: Annotated[str | None, typer.Option(help="Only of this code.")] = None,
    under: Annotated[int | None, typer.Option(metavar="ID", help="Only what this alarm explains.")] = None,
    limit: Limit = 100,
) -> None:
    """Alarms that stand, the most urgent first: 1 act within 5 minutes, 2 within 30 minutes, 3 this day."""
    server = api()
    which = "suppressed" if under is not None else state.value
    query = {"state": which, "cleared": cleared, "code": code, "under": under, "limit": limit}
    found = server.get("/alarms", t.Listed[t.Alarm], **query)
    show(
        found,
        listed(found.total, len(found.items), "alarm") + _beside(server.get("/alarm-figures", t.AlarmFigures), state),
        columns=("id", "priority", "raised", "state", "code", "about", "count", "detail"),
        rows=((str(a.id), str(a.priority), shown_time(a.raised), _state(a), *_cells(a)) for a in found.items),
    )


def _beside(figures: t.AlarmFigures, state: State) -> str:
    """What the list of standing alarms leaves out."""
    others = {"shelved": figures.shelved, "suppressed": figures.suppressed, "gone": figures.gone}
    said = [f"{n} {name}" for name, n in others.items() if n and state.value == "standing"]
    return f" Beside them: {', '.join(said)} (--state)." if said else ""


def _cells(one: t.Alarm) -> tuple[str, ...]:
    more = f" (+{one.explains} explained)" if one.explains else ""
    return one.code, one.name, str(one.count) + more, one.detail


def _state(one: t.Alarm) -> str:
    if one.state == "acknowledged":
        return f"{one.acknowledged_by} sees to it"
    if one.state == "shelved":
        return f"shelved until {shown_time(one.shelved_until)}"
    return f"cleared {shown_time(one.cleared)}" if one.cleared is not None else one.state


@verb(alarm, "show")
def show_alarm(number: Number) -> None:
    """One alarm: what it is about, what it means, what to do, and what was done."""
    one = api().get(at("alarms", str(number)), t.AlarmShown)
    show(
        one,
        f"What to do: {one.do}",
        columns=("alarm", str(one.id)),
        rows=[
            ("code", f"{one.code}: {one.meaning}"),
            ("priority", str(one.priority)),
            ("about", f"{one.kind} {one.name}" + (f", through {one.client}" if one.client else "")),
            ("detail", one.detail),
            ("count", str(one.count)),
            ("of", named(one.members, 50) if one.members else ""),
            ("explains", f"{one.explains} others: sep2 alarm list --under {one.id}" if one.explains else ""),
            ("explained by", "" if one.under is None else f"alarm {one.under}"),
            ("raised", shown_time(one.raised) + (f", came back {one.again} times" if one.again else "")),
            ("state", _state(one)),
            ("acknowledged", f"{shown_time(one.acknowledged)} {one.acknowledged_by} {one.note}".strip()),
            ("shelved", f"by {one.shelved_by}: {one.shelved_because}" if one.shelved_by else ""),
            ("is raised when", one.raised_when),
            ("is over when", one.cleared_when),
        ],
    )


@verb(alarm, "acknowledge", changes=True, before=("ack",))
def acknowledge(
    numbers: Numbers, *, note: Annotated[str, typer.Option(help="What you want to say to others.")] = ""
) -> None:
    """You see to it: it stays in the list under your name, and is not escalated."""
    done = api().change("POST", "/alarms/acknowledge", t.Done, t.AcknowledgeMany(alarms=numbers, note=note))
    show(done, f"You see to {counted(len(numbers), 'alarm')}.")


@verb(alarm, "shelve", changes=True)
def shelve(
    number: Number,
    *,
    reason: Annotated[str, typer.Option(help="Why it can wait.")],
    duration: Annotated[
        int | None, typer.Option("--for", parser=span, metavar="SPAN", help="e.g. 2h; at most 8h, engineers 90d.")
    ] = None,
    until: Annotated[When | None, typer.Option(parser=when, metavar="TIME", help="e.g. 18:00.")] = None,
) -> None:
    """Put an alarm off: it leaves the list until then, and comes back by itself if its cause still stands.

    [bold]sep2 alarm shelve 12 --for 2h --reason "crew is on site"[/]
    """
    if (duration is None) is (until is None):
        raise typer.BadParameter("say --for or --until")
    server = api()
    ends = None if until is None else resolved(server, until)
    body = t.Shelve(reason=reason, duration=duration, until=ends)
    done = server.change("POST", at("alarms", str(number), "shelve"), t.Done, body)
    said = f"until {shown_time(ends)}" if duration is None else f"for {shown_span(duration)}"
    show(done, f"Alarm {number} is shelved {said}; sep2 alarm unshelve {number} brings it back.")


@verb(alarm, "unshelve", changes=True)
def unshelve(number: Number) -> None:
    """Bring a shelved alarm back into the list."""
    done = api().change("POST", at("alarms", str(number), "unshelve"), t.Done)
    show(done, f"Alarm {number} is in the list again.")


@verb(alarm, "clear", changes=True)
def clear_alarm(number: Number) -> None:
    """Clear an alarm that tells of something that has happened; all others clear once their cause is gone."""
    done = api().change("POST", at("alarms", str(number), "clear"), t.Done)
    show(done, f"Alarm {number} is cleared.")


@verb(alarm, "kinds")
def list_kinds(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="Only this one, with all that is known of it.")
    ] = None,
) -> None:
    """The catalogue: every kind of alarm, its cause, when it is over, and what to do."""
    found = api().get("/alarm-kinds", list[t.AlarmKind])
    if code is None:
        rows = ((kind.code, str(kind.priority), kind.subject, kind.meaning) for kind in found)
        show(found, "One of them: sep2 alarm kinds CODE", columns=("code", "priority", "about", "meaning"), rows=rows)
        return
    one = next((kind for kind in found if kind.code == code), None)
    if one is None:
        raise typer.BadParameter(f"there is no kind {code!r}; `sep2 alarm kinds` lists them")
    said = {
        "priority": str(one.priority),
        "about": one.subject,
        "meaning": one.meaning,
        "is raised when": one.raised,
        "is over when": one.cleared,
        "not announced under": ", ".join(one.under),
    }
    show(one, f"What to do: {one.do}", columns=("kind", one.code), rows=said.items())


@verb(alarm, "figures")
def show_figures(*, days: Annotated[int, typer.Option(min=1, max=366, help="Over how many days.")] = 7) -> None:
    """How many alarms there were, and which came most often; good is at most one in 10 minutes and fewer than 10."""
    found = api().get("/alarm-figures", t.AlarmFigures, days=days)
    show(
        found,
        f"{found.standing} stand, {found.new} of them new and {found.stale} for more than a day; "
        f"{found.shelved} shelved, {found.suppressed} suppressed. In {counted(days, 'day')}: "
        f"{found.announced} announced, {found.announced_in_10_min} in 10 min on average, "
        f"{found.busiest_10_min} in the busiest.",
        columns=("code", "about", "times"),
        rows=((one.code, one.name, str(one.times)) for one in found.often),
    )
