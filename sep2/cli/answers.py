"""A control and what its devices answered, in words."""

from sep2.admin import types as t
from sep2.cli.limits import LIMIT_COLUMNS, limit_cells
from sep2.cli.show import counted
from sep2.cli.units import shown_span, shown_time

STATUS = ("scheduled", "active", "cancelled", "cancelled", "superseded")
RESPONSE = {
    1: "received",
    2: "started",
    3: "completed",
    4: "opted out",
    5: "opted in",
    6: "cancelled",
    7: "superseded",
    8: "partly, opted out",
    9: "partly, opted in",
    10: "did not take part",
    11: "acknowledged",
    12: "can not show it",
    13: "gave way to another server",
    14: "gave way to another program",
    252: "rejected, not applicable",
    253: "rejected, invalid",
    254: "rejected, already over",
}
"""Response.status of DERControls (2030.5 table 27), as people say it."""


def status_of(one: t.Control) -> str:
    """The status of a control in a word; one that ran its course is completed."""
    return "completed" if one.over and one.status == 1 else STATUS[one.status]


DEVICE_COLUMNS = ("LFDI", "connection", "through", "received", "started", "ended", "answer", "note")
ENDS = (3, 4, 6, 7, 8, 9, 10, 13, 14, 252, 253, 254)


def device_rows(found: t.ControlShown) -> list[tuple[str, ...]]:
    """One line per device: when it received, started and ended the control."""
    return [
        (
            one.lfdi,
            one.connection_id or "",
            one.client,
            shown_time(one.responses.get(1)),
            shown_time(one.responses.get(2)),
            shown_time(next((one.responses[status] for status in ENDS if status in one.responses), None)),
            answer_of(one),
            one.note,
        )
        for one in found.devices
    ]


def answer_of(one: t.Reached) -> str:
    """The last thing a device answered, in words."""
    if not one.responses:
        return "nothing yet"
    last = next((status for status in (*ENDS, 2, 1) if status in one.responses), max(one.responses))
    return RESPONSE.get(last, f"status {last}")


def summary(found: t.ControlShown) -> str:
    """A control in one line."""
    limits = dict(zip(LIMIT_COLUMNS, limit_cells(found.limits), strict=True))
    asked = ", ".join([*(f"{what} {power}" for what, power in limits.items() if power), *found.modes])
    times = f"{shown_time(found.start)} for {shown_span(found.duration)}"
    answered = sum(bool(one.responses) for one in found.devices)
    return (
        f"Control {found.mrid} ({asked}; {times}) is {status_of(found)}; "
        f"{answered} of {counted(len(found.devices), 'device')} answered."
    )
