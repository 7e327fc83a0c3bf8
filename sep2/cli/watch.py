"""What devices answer to a control, as it comes in."""

import math
import time
from collections.abc import Sequence

import typer

from sep2.admin import types as t
from sep2.cli.answers import DEVICE_COLUMNS, ENDS, RESPONSE, device_rows, status_of, summary
from sep2.cli.api import Api, NoServer, at
from sep2.cli.show import show
from sep2.cli.units import shown_span, shown_time
from sep2.cli.verb import given
from sep2.terminal import say

STEPS = {"received": (1, 2, *ENDS), "started": (2, *ENDS), "ended": ENDS}
"""What counts as having got so far: who ended has also begun."""
FIRST_LOOK_S, LONGEST_LOOK_S = 10, 20


def follow(server: Api, mrids: Sequence[str], *, until: str, patience_s: int = 600) -> None:
    """Print the answers to a control as they come in, to each of its parts if there are several, the earliest first.

    Exits with status 1 if a device's answer to one of them never comes.
    """
    silent = False
    for mrid in mrids:
        found = _heard_out(server, mrid, until, patience_s)
        missing = _missing(found, until)
        said = f"Not {until}: {', '.join(missing)}." if missing else f"All have {until} it."
        show(found, f"{summary(found)} {said}", columns=DEVICE_COLUMNS, rows=device_rows(found))
        silent |= bool(missing)
    if silent:
        raise typer.Exit(1)


def _heard_out(server: Api, mrid: str, until: str, patience_s: int) -> t.ControlShown:
    """The control once every device has got so far, or once nothing has come for too long."""
    first, tag = server.next(at("controls", mrid), t.ControlShown, "", 0)
    assert first is not None  # an empty tag is no answer's
    found, path = first, at("controls", first.mrid)
    _tell(None, found)
    heard, look_s = time.monotonic(), max(1, min(FIRST_LOOK_S, patience_s // 2))
    while _missing(found, until) and not (_overdue(found, until) and time.monotonic() - heard > patience_s):
        try:
            # Patience runs from when devices should have answered; no look lasts longer than what is left of it.
            left_s = math.ceil(heard + patience_s - time.monotonic()) if _overdue(found, until) else look_s
            news, tag = server.next(path, t.ControlShown, tag, max(1, min(look_s, left_s)))
        except NoServer:
            # It may be starting again; what it has answered is not lost.
            if time.monotonic() - heard > patience_s:
                raise
            continue
        if news is not None:
            _tell(found, news)
            found, heard = news, time.monotonic()
        elif _overdue(found, until) and look_s < LONGEST_LOOK_S:
            _explain(_missing(found, until), patience_s)
            look_s = LONGEST_LOOK_S
    return found


def _explain(missing: list[str], patience_s: int) -> None:
    """Say what a silence means, once."""
    if not given.get().as_json:
        of = missing[0] if len(missing) == 1 else f"{len(missing)} devices"
        say(f"Nothing yet of {of}: does its client run? Waiting up to {shown_span(patience_s)}, or until Ctrl-C.")


def _missing(found: t.ControlShown, until: str) -> list[str]:
    return [one.lfdi for one in found.devices if not any(status in one.responses for status in STEPS[until])]


def _overdue(found: t.ControlShown, until: str) -> bool:
    """Whether devices should have answered: reception at once, the start from the start on, the end at the end."""
    return until == "received" or found.over or (found.status != 0 and (until == "started" or found.status != 1))


def _tell(before: t.ControlShown | None, found: t.ControlShown) -> None:
    """Print what is new since `before`, a line each."""
    if given.get().as_json:
        return
    if before is None or status_of(before) != status_of(found):
        since = found.ends if status_of(found) == "completed" else found.status_since
        say(f"{shown_time(since)}  control {found.mrid} is {status_of(found)}")
    known = {one.lfdi: one.responses for one in before.devices} if before else {}
    news = [
        (received, one.lfdi, status)
        for one in found.devices
        for status, received in one.responses.items()
        if status not in known.get(one.lfdi, {})
    ]
    for received, lfdi, status in sorted(news):
        say(f"{shown_time(received)}  {lfdi} answers: {RESPONSE.get(status, f'status {status}')}")
