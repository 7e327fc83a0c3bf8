"""`sep2 reading`, `rating`, `device-status`, `log-event`, `response`, `contact`: what clients sent, and when."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.cli.answers import RESPONSE
from sep2.cli.api import Api, api
from sep2.cli.exporting import export
from sep2.cli.selection import ALL, Selection
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.times import now_of, resolved
from sep2.cli.units import When, moment, shown_span, shown_time, span
from sep2.cli.verb import verb

reading = typer.Typer(no_args_is_help=True, help="Readings: what meters have posted; power is import positive.")
rating = typer.Typer(no_args_is_help=True, help="Ratings and settings that devices have reported.")
device_status = typer.Typer(no_args_is_help=True, help="Status and availability that devices have reported.")
log_event = typer.Typer(no_args_is_help=True, help="LogEvents: what devices reported to have happened.")
response = typer.Typer(no_args_is_help=True, help="Responses: what devices answered to controls.")
contact = typer.Typer(no_args_is_help=True, help="Last contact: when clients and devices were heard of.")

Client = Annotated[str | None, typer.Option(help="Only this client, by its name.")]
Quantity = Annotated[str | None, typer.Option(help="power, voltage, energy, current, frequency, ...")]
TIME = "now, -1d, or 2026-01-31T14:30+10:00"
From = Annotated[When | None, typer.Option("--from", parser=moment, metavar="TIME", help=f"From when on: {TIME}.")]
Until = Annotated[When | None, typer.Option("--to", parser=moment, metavar="TIME", help=f"Until when: {TIME}.")]
Resolution = Annotated[
    int | None,
    typer.Option("--every", parser=span, metavar="SPAN", help="Means over so long, e.g. 15m."),
]
History = Annotated[bool, typer.Option("--history", help="Every edition, the latest first.")]
SHOWN = ("time", "for", "connection", "device", "meter", "quantity", "phase", "value", "unit", "covered", "sign")
COLUMNS: dict[str, type] = {
    **{"connection": str, "device": str, "client": str, "meter": int, "role": str, "quantity": str, "unit": str},
    **{"phase": str, "sign": str, "start": int, "duration_s": int, "value": float, "least": float, "most": float},
    **{"covered_s": int, "quality": int, "received": int},
}

DAY_S = 86_400
READINGS_AT_ONCE = 5000


def within(server: Api, since: When | None, until: When | None) -> dict[str, int | None]:
    """The times of a query; those that count from now take the server's now, and a time of day is the last one."""
    relative = any(one is not None and one.at is None for one in (since, until))
    now = now_of(server) if relative else 0
    times = [None if one is None else resolved(server, one, after=now - DAY_S) for one in (since, until)]
    said = zip(("from", "until"), (since, until), times, strict=True)
    return {name: now if one is not None and at is None else at for name, one, at in said}


@verb(reading, "list")
def list_latest(
    *,
    of: Selection = ALL,
    quantity: Quantity = None,
    limit: Limit = 100,
) -> None:
    """The latest reading of each series; one without a value has none yet."""
    query = {**of.query(), "quantity": quantity}
    found = api().get("/readings/latest", t.Readings, limit=limit, **query)
    _show(found, "series")


@verb(reading, "show")
def show_readings(
    *,
    of: Selection = ALL,
    quantity: Quantity = None,
    since: From = None,
    until: Until = None,
    every: Resolution = None,
    limit: Limit = 100,
) -> None:
    """Readings of a time, a day up to now where none is given; --every 15m shows means, and how much they cover."""
    server = api()
    query = {**of.query(), "quantity": quantity}
    times = within(server, since, until)
    found = server.get("/readings", t.Readings, limit=limit, resolution=every, **query, **times)
    _show(found, "reading")


@verb(reading, "export")
def export_readings(
    file: Annotated[Path, typer.Argument(help="Where to: .csv or .parquet; - is standard output.", allow_dash=True)],
    *,
    of: Selection = ALL,
    quantity: Quantity = None,
    since: From = None,
    until: Until = None,
    every: Resolution = None,
) -> None:
    """Write readings to a file, however many; times are epoch seconds, power is import positive, gaps stay gaps."""
    server = api()
    query = {**of.query(), "quantity": quantity}
    times = within(server, since, until)
    found = server.all("/readings", t.Readings, limit=READINGS_AT_ONCE, resolution=every, **query, **times)
    count = export(file, COLUMNS, ({name: getattr(one, name) for name in COLUMNS} for one in found))
    if str(file) != "-":
        show(t.Done(message=f"{count}"), f"{counted(count, 'reading')} written to {file}.")


def _show(found: t.Readings, noun: str) -> None:
    more = " There are more: --limit, or `sep2 reading export`." if found.next else ""
    several = noun if noun == "series" else f"{noun}s"
    said = f"{len(found.items)} {noun if len(found.items) == 1 else several}." if found.items else f"No {several}."
    show(found, said + more, columns=SHOWN, rows=(_row(one) for one in found.items))


def _row(one: t.Reading) -> tuple[str, ...]:
    covered = "" if one.covered_s is None or not one.duration_s else f"{100 * one.covered_s // one.duration_s} %"
    return (
        shown_time(one.start) if one.start is not None else "nothing yet",
        "" if one.duration_s is None else shown_span(one.duration_s),
        one.connection or "",
        one.device[:12],
        f"{one.meter} ({one.role})",
        one.quantity,
        one.phase,
        "" if one.value is None else f"{one.value:.10g}",
        one.unit,
        covered,
        str(one.sign),
    )


@verb(rating, "list")
def list_ratings(
    *,
    of: Selection = ALL,
    history: History = False,
    limit: Limit = 100,
) -> None:
    """DERCapability and DERSettings of devices, in SI units."""
    query = {**of.query(), "history": history}
    _documents("/ratings", {**query, "limit": limit})


@verb(device_status, "list")
def list_device_status(
    *,
    of: Selection = ALL,
    history: History = False,
    limit: Limit = 100,
) -> None:
    """DERStatus, DERAvailability and LoadShedAvailability of devices, in SI units."""
    query = {**of.query(), "history": history}
    _documents("/device-status", {**query, "limit": limit})


def _documents(path: str, query: dict[str, Any]) -> None:
    found = api().get(path, t.Listed[t.Document], **query)
    show(
        found,
        listed(found.total, len(found.items), "document"),
        columns=("written", "connection", "device", "client", "document", "says"),
        rows=(
            (shown_time(one.written), one.connection or "", one.device[:12], one.client, one.kind, _said(one.says))
            for one in found.items
        ),
    )


def _said(says: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in says.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    return _value(value["value"]) if isinstance(value, dict) and "value" in value else str(value)


@verb(log_event, "list")
def list_log_events(
    *,
    of: Selection = ALL,
    since: From = None,
    until: Until = None,
    limit: Limit = 100,
) -> None:
    """Events that devices reported, the latest first; odd codes end what the even one before them began."""
    server = api()
    query = {**of.query(), "limit": limit}
    found = server.get("/log-events", t.Listed[t.LogEvent], **query, **within(server, since, until))
    show(
        found,
        listed(found.total, len(found.items), "event"),
        columns=("time", "connection", "device", "client", "functions", "code", "details"),
        rows=(
            (
                *(shown_time(one.created), one.connection or "", one.device[:12], one.client),
                *(str(one.function_set), str(one.code), one.details or ""),
            )
            for one in found.items
        ),
    )


@verb(response, "list")
def list_responses(
    *,
    of: Selection = ALL,
    control: Annotated[str | None, typer.Option(help="Only to this control: its mRID's beginning, or latest.")] = None,
    since: From = None,
    until: Until = None,
    limit: Limit = 100,
) -> None:
    """What devices answered to controls, the latest first; `written` is the device's own time."""
    server = api()
    query = {**of.query(), "control": control}
    found = server.get("/responses", t.Listed[t.ResponseSaid], limit=limit, **query, **within(server, since, until))
    show(
        found,
        listed(found.total, len(found.items), "response"),
        columns=("received", "written", "connection", "device", "client", "control", "of", "answer"),
        rows=(
            (
                *(shown_time(one.received), shown_time(one.created), one.connection or "", one.device[:12], one.client),
                *(one.control[:12], one.group, RESPONSE.get(one.status, f"status {one.status}")),
            )
            for one in found.items
        ),
    )


@verb(contact, "list")
def list_contacts(client: Client = None, limit: Limit = 100) -> None:
    """When clients were last heard of, those never heard of first; written every half minute."""
    found = api().get("/contacts", t.Listed[t.ClientContact], client=client, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "client"),
        columns=("client", "last request", "last post", "last answer", "requests", "refused", "from", "clock", "agent"),
        rows=(
            (
                one.client,
                *map(_heard, (one.last_request, one.last_post, one.last_answer)),
                *(str(one.requests), str(one.refusals), one.address),
                *("" if one.skew_s is None else f"{one.skew_s:+d} s", one.agent),
            )
            for one in found.items
        ),
    )


@verb(contact, "devices")
def list_device_contacts(client: Client = None, limit: Limit = 100) -> None:
    """When devices were last asked about, posted for and answered for; those never heard of first."""
    found = api().get("/device-contacts", t.Listed[t.DeviceContact], client=client, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "device"),
        columns=("connection", "LFDI", "client", "last request", "last post", "last answer", "posts", "answers"),
        rows=(
            (
                *(one.connection or "", one.device, one.client),
                *map(_heard, (one.last_request, one.last_post, one.last_answer)),
                *(str(one.posts), str(one.answers)),
            )
            for one in found.items
        ),
    )


def _heard(at: int | None) -> str:
    return "never" if at is None else shown_time(at)
