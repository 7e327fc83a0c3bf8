"""One connection: its limits of yesterday and tomorrow by source, what was measured, what was answered, and why."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from sep2.admin import changes, compliance, controls, desk, overrides, register, telemetry
from sep2.admin import types as t
from sep2.desk import words
from sep2.desk.door import Visit
from sep2.rest.types import Asked, Epoch

DAY_S = 86_400
RESOLUTION_S = 300
MOST_READINGS = 5000


class ConnectionQuery(Asked, frozen=True, kw_only=True):
    """Which connection, from when until when, and at which moment somebody points."""

    id: Annotated[str, Meta(max_length=60)]
    since: Epoch | None = field(default=None, name="from")
    until: Epoch | None = None
    at: Epoch | None = None


async def show(visit: Visit, asked: ConnectionQuery) -> dict[str, Any]:
    """One connection over a day, and its limits of the day to come."""
    place: t.Connection = await visit.ask(register.show_connection, connection=asked.id)
    limits: t.ConnectionLimits = await visit.ask(
        desk.show_limits, t.LimitsQuery(since=asked.since, until=asked.until), connection=place.connection_id
    )
    span = limits.since, min(limits.until, visit.now)
    readings = await _measured(visit, place.connection_id, span) if span[0] < span[1] else []
    answers: t.Listed[t.ResponseSaid] = await visit.ask(
        telemetry.list_responses, t.ResponseQuery(connection=place.connection_id, since=span[0], limit=100)
    )
    kept: t.ConnectionCompliance = await visit.ask(
        compliance.show_compliance, t.CourseQuery(), connection=place.connection_id
    )
    at, clock = visit.now if asked.at is None else asked.at, words.clock_of(visit.state.settings)
    return {
        "place": place,
        "limits": limits,
        "at": at,
        "why": words.sentences(limits, at, clock),
        "about": place.connection_id,
        "chart": _chart(place, limits, readings, (answers.items, kept.course), clock=clock),
        "rows": [(run, words.why(run, clock) + words.but(run, limits.not_done)) for run in limits.runs],
        "beside": [
            (one, run, words.why(run, clock) + words.but(run, one.not_done))
            for one in limits.others
            for run in one.runs
        ],
        "readings": readings,
        "answers": answers,
        "kept": kept,
        "devices": await visit.ask(register.list_devices, t.DeviceQuery(connection=place.connection_id, limit=100)),
        "overrides": await _overrides(visit, place.connection_id),
        "may_override": visit.may(overrides.send_override),
        "may_change": visit.may(changes.change_connection),
        "may_send": visit.may(controls.send_to_connection),
        "needs": visit.needs(overrides.send_override),
    }


async def _measured(visit: Visit, connection: str, span: tuple[int, int]) -> list[t.Reading]:
    """The mean power of the site by five minutes; gaps are left out."""
    found: t.Readings = await visit.ask(
        telemetry.list_readings,
        t.ReadingQuery(
            connection=connection,
            quantity="power",
            since=span[0],
            until=span[1],
            resolution=RESOLUTION_S,
            limit=MOST_READINGS,
        ),
    )
    return [one for one in found.items if one.role == "site" and one.value is not None]


async def _overrides(visit: Visit, connection: str) -> list[t.Override]:
    """Overrides of this connection that are to come or hold."""
    found: t.Listed[t.Override] = await visit.ask(overrides.list_overrides, t.OverrideQuery(limit=500))
    return [one for one in found.items if (one.scope, one.subject) == ("connection", connection)]


def _chart(
    place: t.Connection,
    limits: t.ConnectionLimits,
    readings: list[t.Reading],
    said: tuple[list[t.ResponseSaid], list[t.Run]],
    *,
    clock: words.Clock,
) -> str:
    """What the script draws, as JSON; said: answers to controls, and what was judged."""
    answers, course = said
    found = {
        "now": limits.now,
        "from": limits.since,
        "until": limits.until,
        "offset": clock.offset_s(limits.now),
        "runs": [
            msgspec.to_builtins(run) | {"why": words.why(run, clock), "but": words.but(run, limits.not_done)}
            for run in limits.runs
        ],
        "beside": [(run.start, run.end, words.why_of(one, run, clock)) for one in limits.others for run in one.runs],
        "nothing": words.NO_LIMIT,
        "measured": [(one.start, one.duration_s, one.value) for one in readings],
        "reaches": [
            (one.direction, one.start, one.end, one.reach_w, words.because(one, limits.engine_run))
            for one in limits.reaches
        ],
        "firm": {"export": place.firm_export_w, "import": place.firm_import_w},
        "breaches": [(one.start, one.end, one.state) for one in course if one.state in ("breach", "late")],
        "answers": [(one.received, words.RESPONSES.get(one.status, str(one.status))) for one in answers],
    }
    return msgspec.json.encode(found).decode()


async def show_why(visit: Visit, asked: ConnectionQuery) -> dict[str, Any]:
    """What limits a connection at a moment, to print for its customer."""
    place: t.Connection = await visit.ask(register.show_connection, connection=asked.id)
    at = visit.now if asked.at is None else asked.at
    limits: t.ConnectionLimits = await visit.ask(
        desk.show_limits, t.LimitsQuery(since=max(0, at - RESOLUTION_S), until=at + RESOLUTION_S), connection=asked.id
    )
    return {"place": place, "at": at, "why": words.sentences(limits, at, words.clock_of(visit.state.settings))}
