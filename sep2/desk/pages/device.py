"""One device: what is in force for it, what it says of itself, its meters and its events."""

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sep2.admin import changes, oversight, register, telemetry
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.rest.types import Asked


class DeviceQuery(Asked, frozen=True, kw_only=True):
    """Which device, by its name, its LFDI or how that begins."""

    id: Annotated[str, Meta(max_length=80)]


async def show(visit: Visit, asked: DeviceQuery) -> dict[str, Any]:
    """One device."""
    device: t.DeviceShown = await visit.ask(register.show_device, device=asked.id)
    query = t.DocumentQuery(device=device.lfdi, limit=10)
    documents: list[t.Document] = []
    for handler in (telemetry.list_ratings, telemetry.list_device_status):
        found: t.Listed[t.Document] = await visit.ask(handler, query)
        documents += found.items
    return {
        "device": device,
        "documents": [(one, json.dumps(msgspec.to_builtins(one.says), indent=1)) for one in documents],
        "latest": await visit.ask(telemetry.list_latest_readings, t.LatestQuery(device=device.lfdi, limit=50)),
        "mirrors": await visit.ask(oversight.list_mirrors, t.MirrorQuery(device=device.lfdi, limit=20)),
        "events": await visit.ask(telemetry.list_log_events, t.Listing(device=device.lfdi, limit=20)),
        "may_change": visit.may(changes.change_device),
        "needs": visit.needs(changes.change_device),
    }
