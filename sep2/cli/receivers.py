"""`sep2 receiver`, `sep2 state`: what the utility's own systems are told, and can read."""

import time
from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import shown_power, shown_time
from sep2.cli.verb import given, verb
from sep2.errors import SepError
from sep2.rules.webhooks import Topic
from sep2.terminal import Lines, shown

receiver = typer.Typer(no_args_is_help=True, help="Receivers: systems and people of yours that are told.")
root = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="The receiver's name.")]
Topics = Annotated[list[Topic] | None, typer.Option("--topic", help="alarms, controls or measured; repeatable.")]
Priority = Annotated[
    int | None, typer.Option("--priority", min=1, max=3, help="Of alarms: 1 the most urgent only, 3 all of them.")
]
Codes = Annotated[list[str] | None, typer.Option("--code", help="Of alarms: only of this code; repeatable.")]
Hours = Annotated[str | None, typer.Option(help="Of alarms: only at these hours, by local time, e.g. 07:00-18:00.")]
Escalation = Annotated[
    bool | None,
    typer.Option("--escalation/--no-escalation", help="Of alarms: only those that nobody acknowledged in time."),
]
PATIENCE_S = 15


class NotTaken(SepError):
    """The receiver has not taken the message."""


@verb(root, "state")
def show_state(*, limit: Limit = 100) -> None:
    """Connections, each with the limits that hold now, who says them, and the power that was measured last."""
    found = api().get("/state", t.Listed[t.ConnectionState], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "connection"),
        columns=("connection", "export", "by", "until", "import", "by", "until", "site meter", "at"),
        rows=(
            (
                one.connection_id,
                *_cells(one.export_w),
                *_cells(one.import_w),
                "" if one.site_w is None else f"{one.site_w:.0f} W",
                shown_time(one.site_at),
            )
            for one in found.items
        ),
    )


def _cells(limit: t.LimitInForce | None) -> tuple[str, str, str]:
    if limit is None:
        return "", "", ""
    but = " (not done)" if limit.unsupported else ""
    return shown_power(limit.watts) + but, limit.source, shown_time(limit.until)


@verb(receiver, "add", changes=True)
def add_receiver(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://… where messages are posted to, or mailto:…")],
    *,
    topic: Topics = None,
    priority: Priority = None,
    code: Codes = None,
    hours: Hours = None,
    escalation: Escalation = None,
) -> None:
    """Add a receiver, and print the secret that it checks signatures with: it is shown this once.

    [bold]sep2 receiver add DERMS https://derms.example.com/hook --topic alarms --topic controls[/]

    [bold]sep2 receiver add Ada mailto:ada@example.com --priority 2[/]   by the mail server of the settings
    """
    body = t.NewReceiver(
        name=name,
        url=url,
        topics=topic or [Topic.ALARMS],
        least_priority=priority or 3,
        codes=code or [],
        hours=hours or "",
        escalation=bool(escalation),
    )
    made = api().change("POST", "/receivers", t.ReceiverMade, body)
    next_ = f"{made.name} is told of {', '.join(made.topics)}; next: sep2 receiver test {made.name}"
    show(made, Lines(f"{made.secret}\n{shown(next_)}") if made.secret else next_)


@verb(receiver, "list")
def list_receivers(*, limit: Limit = 100) -> None:
    """Who is told, and how they stand."""
    found = api().get("/receivers", t.Listed[t.Receiver], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "receiver"),
        columns=("name", "url", "topics", "alarms", "took last", "at", "waiting", "given up", "error"),
        rows=(
            (
                one.name,
                one.url,
                ", ".join(one.topics) + ("" if one.enabled else " (off)"),
                _wish(one),
                str(one.delivered or ""),
                shown_time(one.delivered_at),
                str(one.waiting or ""),
                str(one.dead or ""),
                one.error,
            )
            for one in found.items
        ),
    )


def _wish(one: t.Receiver) -> str:
    """Which alarms a receiver is told of."""
    if "alarms" not in one.topics:
        return ""
    said = [f"to {one.least_priority}", *one.codes, one.hours, "escalated" if one.escalation else ""]
    return ", ".join(part for part in said if part)


@verb(receiver, "show")
def show_receiver(name: Name) -> None:
    """One receiver."""
    one = api().get(at("receivers", name), t.Receiver)
    took = (
        f"took message {one.delivered} at {shown_time(one.delivered_at)}" if one.delivered else "has taken nothing yet"
    )
    more = f"; the last attempt failed: {one.error}" if one.error else ""
    show(one, f"{one.name} ({one.url}) {took}, {one.waiting} wait, {one.dead} were given up{more}.")


@verb(receiver, "set", changes=True)
def set_receiver(
    name: Name,
    *,
    url: Annotated[str | None, typer.Option(help="https://… or mailto:…")] = None,
    topic: Topics = None,
    priority: Priority = None,
    code: Codes = None,
    hours: Hours = None,
    escalation: Escalation = None,
    enabled: Annotated[
        bool | None, typer.Option("--on/--off", help="Whether it is told; off: nothing new waits.")
    ] = None,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Sign with a new secret, and print it.")] = False,
) -> None:
    """Change a receiver."""
    body = t.ReceiverChange(
        url=url,
        topics=topic,
        least_priority=priority,
        codes=code,
        hours=hours,
        escalation=escalation,
        enabled=enabled,
        new_secret=new_secret,
    )
    done = api().change("PUT", at("receivers", name), t.ReceiverMade, body)
    said = f"{done.name} is changed."
    show(done, Lines(f"{done.secret}\n{shown(said)}") if done.secret else said)


@verb(receiver, "remove", changes=True)
def remove_receiver(name: Name) -> None:
    """Tell a receiver nothing more, also not what waits."""
    done = api().change("DELETE", at("receivers", name), t.Done)
    show(done, f"{done.message[0].upper()}{done.message[1:]}.")


@verb(receiver, "test", changes=True)
def test_receiver(name: Name) -> None:
    """Send a receiver a message of the topic `test`, and wait until it has taken it."""
    server = api()
    one = server.change("POST", at("receivers", name, "test"), t.Receiver)
    number, until = one.next_sequence - 1, time.monotonic() + PATIENCE_S
    while not given.get().dry_run and one.delivered < number:
        if one.error or time.monotonic() > until:
            raise NotTaken(one.error or f"within {PATIENCE_S} s")
        time.sleep(0.2)
        one = server.get(at("receivers", name), t.Receiver)
    show(one, f"{one.name} has taken message {number}.")


@verb(receiver, "replay", changes=True)
def replay_receiver(name: Name) -> None:
    """Send again what was given up, and at once what waits."""
    done = api().change("POST", at("receivers", name, "replay"), t.Done)
    show(done, f"{done.message[0].upper()}{done.message[1:]}.")
