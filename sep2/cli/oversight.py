"""`sep2 status`, `alarm`, `subscription`, `poll-rate`, `audit`, `clock`: is all well?"""

from typing import Annotated, Any

import msgspec
import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.times import now_of, resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import verb

alarm = typer.Typer(no_args_is_help=True, help="Alarms: what an operator should look at.")
subscription = typer.Typer(no_args_is_help=True, help="Subscriptions, and the notifications that wait for them.")
poll_rate = typer.Typer(no_args_is_help=True, help="Poll rates: how often clients are asked to look.")
root = typer.Typer()


@verb(root, "status")
def show_status() -> None:
    """How the server is doing: what waits, what failed, which alarms stand."""
    found = api().get("/status", t.Status)
    waits = f"{counted(found.waiting + found.outbox, 'notification')} waiting, {found.dead} dead"
    well = "All is well" if not found.dead and not found.alarms else "Look at `sep2 alarm list`"
    if found.dead:
        well = "Look at `sep2 subscription list --dead`"
    if found.set_aside:
        well = "Look at `sep2 subscription changes`"
    show(
        found,
        f"{well}: {waits}, {counted(found.alarms, 'alarm')}.",
        columns=("time", "clock", "clients", "devices", "controls"),
        rows=[(shown_time(found.now), found.clock, str(found.clients), str(found.devices), str(found.controls))],
    )


@verb(root, "audit")
def list_audit(limit: Limit = 50) -> None:
    """What operators changed, newest first."""
    found = api().get("/audit", t.Listed[t.Entry], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "change"),
        columns=("time", "operator", "verb", "subject", "asked"),
        rows=((shown_time(e.at), e.operator, e.verb, e.subject, _asked(e.detail)) for e in found.items),
    )


def _asked(detail: msgspec.Raw) -> str:
    return _spoken(msgspec.json.decode(detail).get("asked", {}))


def _spoken(said: Any) -> str:
    """What was asked for, without what was left out."""
    if isinstance(said, list):
        return "; ".join(_spoken(one) for one in said)
    if not isinstance(said, dict):
        return str(said)
    told = {
        name: value
        for name, value in said.items()
        if value is not None and value is not False and value not in ("", [], {})
    }
    return ", ".join(f"{name} {_spoken(value)}" for name, value in told.items())


CONFIRM = When(ahead=-1)
"""What stands for the word instead of a time; no time typed is before now."""


def _time_or_confirm(text: str) -> When:
    return CONFIRM if text.strip() == "confirm" else when(text)


@verb(root, "clock", changes=True)
def move_clock(
    to: Annotated[
        When,
        typer.Argument(parser=_time_or_confirm, metavar="TIME", help="+10m, or 2026-01-31T14:30+10:00; or confirm"),
    ],
) -> None:
    """Move a paced clock (`clock = "paced"` in sep2.toml) forward; `sep2 clock confirm`: the machine's clock is right.

    A machine's clock that has jumped is believed by itself once it has held for a minute; at a start that is far from
    the time of the last one, and where a minute is too long, you say so. `sep2 alarm list` shows what has happened.
    """
    server = api()
    if to == CONFIRM:
        done = server.change("POST", "/clock/confirm", t.Done)
        show(done, "The machine's clock is confirmed; the server's time is the machine's.")
        return
    target = resolved(server, to) or now_of(server)
    done = server.change("PUT", "/clock", t.Done, t.SetClock(now=target))
    show(done, f"The server's time is {shown_time(target)}.")


@verb(alarm, "list")
def list_alarms(
    *,
    cleared: Annotated[bool, typer.Option("--cleared", help="Also those that were cleared.")] = False,
    limit: Limit = 100,
) -> None:
    """Alarms that stand, the most urgent first: 1 act within 5 minutes, 2 within 30 minutes, 3 this day."""
    found = api().get("/alarms", t.Listed[t.Alarm], cleared=cleared, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "alarm"),
        columns=("id", "priority", "raised", "cleared", "code", "subject", "detail"),
        rows=(
            (
                str(a.id),
                str(a.priority),
                shown_time(a.raised),
                shown_time(a.cleared),
                a.code,
                a.subject,
                a.detail,
            )
            for a in found.items
        ),
    )


@verb(alarm, "clear", changes=True)
def clear_alarm(number: Annotated[int, typer.Argument(metavar="ID", help="The alarm's id.")]) -> None:
    """Clear an alarm; it is raised again if its cause goes on."""
    done = api().change("POST", at("alarms", str(number), "clear"), t.Done)
    show(done, f"Alarm {number} is cleared.")


@verb(subscription, "list")
def list_subscriptions(
    *,
    client: Annotated[str | None, typer.Option(help="Only those of one client.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those with a notification that waits.")] = False,
    dead: Annotated[bool, typer.Option("--dead", help="Only those whose notification was given up.")] = False,
    limit: Limit = 100,
) -> None:
    """Subscriptions, and the notifications that wait for them."""
    if waiting and dead:
        raise typer.BadParameter("give --waiting or --dead: a notification that was given up waits no more")
    query = {"client": client, "waiting": waiting, "dead": dead, "limit": limit}
    found = api().get("/subscriptions", t.Listed[t.Subscription], **query)
    show(
        found,
        listed(found.total, len(found.items), "subscription"),
        columns=("id", "client", "resource", "receiver", "waiting since", "attempts", "next", "error"),
        rows=(
            (
                str(s.id),
                s.client,
                s.subscribed_resource,
                s.notification_uri,
                shown_time(s.waiting_since),
                str(s.attempts or ""),
                "given up" if s.dead else shown_time(s.due),
                s.error,
            )
            for s in found.items
        ),
    )


@verb(subscription, "replay", changes=True)
def replay(number: Annotated[int, typer.Argument(metavar="ID", help="The subscription's id.")]) -> None:
    """Send a notification again that waits or was given up, with the newest state."""
    done = api().change("POST", at("subscriptions", str(number), "replay"), t.Done)
    show(done, f"The notification for subscription {number} is sent again; see `sep2 subscription list --waiting`.")


@verb(subscription, "changes")
def list_changes(limit: Limit = 100) -> None:
    """Changes that could not be turned into notifications, and were set aside so that all others are told."""
    found = api().get("/changes-set-aside", t.Listed[t.SetAside], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "change"),
        columns=("id", "resource", "of", "attempts", "error"),
        rows=((str(c.id), c.resource, c.ids, str(c.attempts), c.error) for c in found.items),
    )


@verb(subscription, "replay-change", changes=True)
def replay_change(number: Annotated[int, typer.Argument(metavar="ID", help="The change's id.")]) -> None:
    """Try again to turn a change into notifications that was set aside."""
    done = api().change("POST", at("changes-set-aside", str(number), "replay"), t.Done)
    show(done, f"Change {number} is tried again; see `sep2 subscription changes`.")


@verb(poll_rate, "list")
def list_poll_rates() -> None:
    """How often clients are asked to poll each resource."""
    found = api().get("/poll-rates", list[t.Rate])
    show(
        found,
        "Controls, defaults and programs follow the DERProgramList.",
        columns=("resource", "every"),
        rows=((rate.resource, shown_span(rate.seconds)) for rate in found),
    )


@verb(poll_rate, "set", changes=True)
def set_poll_rate(
    resource: Annotated[str, typer.Argument(help="As `sep2 poll-rate list` names it, e.g. DERProgramList.")],
    every: Annotated[int, typer.Argument(parser=span, metavar="SPAN", help="e.g. 5m")],
) -> None:
    """Change how often clients are asked to poll a resource; its subscribers are told."""
    done = api().change("PUT", at("poll-rates", resource), t.Rate, t.NewRate(seconds=every))
    show(done, f"{done.resource} is polled every {shown_span(done.seconds)}.")
