"""`sep2 status`, `subscription`, `poll-rate`, `audit`, `clock`: is all well?"""

from typing import Annotated, Any

import msgspec
import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.times import now_of, resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import verb
from sep2.rules.silence import named

subscription = typer.Typer(no_args_is_help=True, help="Subscriptions, and the notifications that wait for them.")
poll_rate = typer.Typer(no_args_is_help=True, help="Poll rates: how often clients are asked to look.")
audit = typer.Typer(no_args_is_help=True, help="The audit log: who changed what, and whether the log is whole.")
root = typer.Typer()


@verb(root, "status")
def show_status(
    *, check: Annotated[bool, typer.Option("--check", help="Exit status 6 unless all is well; for scripts.")] = False
) -> None:
    """How the server is doing: what waits, what failed, which alarms stand."""
    server = api()
    found, probes = server.get("/status", t.Status), server.get("/probes", list[t.Probe])
    waits = f"{counted(found.waiting + found.outbox, 'notification')} waiting, {found.dead} dead"
    shelved = f" ({found.shelved} more shelved)" if found.shelved else ""
    well = _well(found, probes)
    show(
        found,
        f"{well}: {waits}, {counted(found.alarms, 'alarm')}{shelved}.{_named(found)}{_workers(found)}",
        columns=("time", "clock", "clients", "devices", "controls"),
        rows=[(shown_time(found.now), found.clock, str(found.clients), str(found.devices), str(found.controls))],
    )
    if check and well != WELL:
        raise typer.Exit(6)


WELL = "All is well"


def _well(found: t.Status, probes: list[t.Probe]) -> str:
    """That all is well, where everything was looked at and is; else where to look first."""
    if found.set_aside:
        return "Look at `sep2 subscription changes`"
    if found.dead:
        return "Look at `sep2 subscription list --dead`"
    if found.alarms:
        return "Look at `sep2 alarm list`"
    if found.silent_clients or found.silent_devices:
        return "Look at `sep2 contact list`"
    if found.disobeying:
        return "Look at `sep2 compliance list`"
    bad = next((one for one in probes if one.state == "bad"), None)
    if bad is not None:
        return f"Not well, {bad.name}: {bad.detail}"
    unknown = [one.name for one in probes if one.state == "unknown"]
    return f"Not known: nobody has looked at {' and '.join(unknown)} yet" if unknown else WELL


def _named(found: t.Status) -> str:
    """Who is silent and who does not keep limits, by name."""
    parts = {
        "silent": found.silent_clients,
        "silent devices": found.silent_devices,
        "beyond their limits": found.disobeying,
        f"{counted(found.uncontrolled, 'load')} told no limit, such as": found.uncontrolled_devices[:5],
    }
    return "".join(f" {what[0].upper()}{what[1:]}: {named(names)}." for what, names in parts.items() if names)


def _workers(found: t.Status) -> str:
    """How many processes serve, where there are several."""
    if not found.workers:
        return ""
    serving = sum(one.state == "serving" for one in found.workers)
    again = sum(one.starts - 1 for one in found.workers)
    return f" {counted(serving, 'worker')} of {len(found.workers)} serving, started again {counted(again, 'time')}."


@verb(audit, "list")
def list_audit(
    *,
    operator: Annotated[str | None, typer.Option(help="Only what this operator did.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what begins so, such as /connections/NMI1.")] = None,
    limit: Limit = 50,
) -> None:
    """What operators changed and what they were refused, newest first."""
    found = api().get("/audit", t.Listed[t.Entry], operator=operator, subject=subject, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "entry"),
        columns=("time", "operator", "verb", "subject", "outcome", "asked"),
        rows=((shown_time(e.at), _who(e), e.verb, e.subject, e.outcome, _asked(e.detail)) for e in found.items),
    )


def _who(entry: t.Entry) -> str:
    """The name that was let in, and beside it what the program called its user."""
    return f"{entry.operator} ({entry.label})" if entry.label and entry.label != entry.operator else entry.operator


@verb(audit, "verify")
def verify_audit() -> None:
    """Whether the audit log is as it was written; exit status 6 where it is not."""
    found = api().get("/audit/verify", t.ChainChecked)
    if found.whole:
        signed = f", {counted(found.seals, 'signed head')}" if found.seals else ""
        show(found, f"The audit log is whole: {counted(found.entries, 'entry')}{signed}, head {found.head}.")
        return
    show(found, f"The audit log is broken at entry {found.broken_at}: {found.problem}.")
    raise typer.Exit(6)


def _asked(detail: msgspec.Raw) -> str:
    return _spoken((msgspec.json.decode(detail) or {}).get("asked", {}))


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
    target = resolved(server, to)
    if target is None:
        target = now_of(server)
    done = server.change("PUT", "/clock", t.Done, t.SetClock(now=target))
    show(done, f"The server's time is {shown_time(target)}.")


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
