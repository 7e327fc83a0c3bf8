"""Clients, devices and connections: who may connect, for what, and where in the network."""

import json
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import commissioning, curves, find, floors, views
from sep2.admin import types as t
from sep2.admin.overrides import primacies_of
from sep2.errors import BadRequest
from sep2.operations import clients, connections, devices, in_force, inherited, naming, ratings, territory
from sep2.rest.route import Request, listed, page
from sep2.rules.defaults import merged, modes_of
from sep2.rules.events import shows_at_once
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.roles import ENGINEER
from sep2.store import clients as stored_clients
from sep2.store import controls, listing_curves, listing_register
from sep2.store import devices as stored_devices
from sep2.store.controls import Seen


class NotAnAggregator(BadRequest):
    """A device that is its own client has one connection, and says itself which."""


class SaysNothing(BadRequest):
    """A field that does nothing where it stands is refused, not ignored."""


class LfdiMissing(BadRequest):
    """A device that is its own client is known by the LFDI of its certificate, and that was not given."""


async def list_clients(rq: Request, asked: t.Span) -> t.Listed[t.Client]:
    """Clients by name."""
    found = await listing_register.clients(rq.db, page(asked))
    return listed(found, [views.client(row) for row in found.rows])


async def register_client(rq: Request, asked: t.NewClient) -> t.Client:
    """The client that may connect from now on; an aggregator has an EndDevice of its own."""
    if asked.kind == "device" and asked.connections:
        raise NotAnAggregator
    if asked.kind == "device" and asked.pen is not None:
        raise SaysNothing("pen: it ends the LFDIs of the devices behind an aggregator")
    last = await commissioning.last_known(rq)
    client_id = await _register(rq, asked)
    pen = asked.pen or rq.state.settings.pen
    for connection_id in asked.connections:
        if await listing_register.connection_named(rq.db, connection_id) is None:
            await connections.add_connection(
                rq.db, connections.NewConnection(connection_id), rq.now, primacies=primacies_of(rq)
            )
        behind = devices.NewDevice(lfdi=managed_lfdi(pen), client_id=client_id, connection_id=connection_id)
        await devices.add_device(rq.db, behind, rq.now)
    await commissioning.open_new(rq, last)
    return views.client(await find.client(rq.db, asked.lfdi))


async def _register(rq: Request, asked: t.NewClient) -> int:
    utility = rq.state.settings.utility
    new = clients.NewClient(
        name=asked.name,
        lfdi=asked.lfdi.upper(),
        kind=asked.kind,
        profile=asked.profile or utility.profile,
        registration=asked.registration or utility.registration,
        pen=asked.pen,
        receiver_hosts=tuple(asked.receiver_hosts),
        pin=asked.pin,
    )
    return await clients.register_client(rq.db, new, rq.now)


async def list_devices(rq: Request, asked: t.DeviceQuery) -> t.Listed[t.Device]:
    """Devices, of one client, group or connection if so asked."""
    client = await find.client(rq.db, asked.client) if asked.client else None
    group = await find.group(rq.db, asked.group) if asked.group else None
    place = await find.connection(rq.db, asked.connection) if asked.connection else None
    found = await listing_register.devices(
        rq.db,
        page(asked),
        client_id=client.id if client else None,
        group_id=group.id if group else None,
        connection_id=place.id if place else None,
        uncontrolled=asked.uncontrolled,
    )
    return listed(found, [views.device(row) for row in found.rows])


async def show_device(rq: Request, asked: t.Nothing) -> t.DeviceShown:
    """One device, and what holds for it now; four digits of its LFDI are enough if no other begins so."""
    return await shown(rq, await find.device(rq.db, rq.ids["device"]))


async def add_device(rq: Request, asked: t.NewDevice) -> t.DeviceAdded:
    """The device that a client may act for from now on."""
    if asked.client is not None and asked.profile is not None:
        raise SaysNothing("profile: is that of a device which is its own client; this one has client")
    if asked.connection_id is None and not asked.holds_net_limit:
        raise SaysNothing("holds_net_limit: there is no limit to hold without connection_id")
    own = asked.client is None and asked.lfdi is not None
    known = own and await stored_clients.by_lfdi(rq.db, (asked.lfdi or "").upper()) is not None
    client_id, lfdi, name = await _client_of(rq, asked)
    new = devices.NewDevice(
        lfdi=lfdi,
        client_id=client_id,
        connection_id=asked.connection_id,
        holds_net_limit=asked.holds_net_limit,
        pin=asked.pin,
        post_rate=asked.post_rate,
        device_category=asked.device_category,
        make=asked.make,
        load_control_w=asked.load_control_w,
        name=name,
    )
    device_id = await devices.add_device(rq.db, new, rq.now)
    await stored_devices.update_one(rq.db, device_id, **floors.of_new(rq, asked))
    made = await shown(rq, await find.device(rq.db, lfdi))
    client = await stored_clients.one(rq.db, client_id)
    may_connect = client is not None and client.enabled
    return t.DeviceAdded(**msgspec.structs.asdict(made), known=known, may_connect=may_connect)


async def _client_of(rq: Request, asked: t.NewDevice) -> tuple[int, str, str | None]:
    """The client that acts for a new device, the device's LFDI, and its name."""
    if asked.client is not None:
        client = await find.client(rq.db, asked.client)
        pen = client.pen or rq.state.settings.pen
        return client.id, (asked.lfdi or managed_lfdi(pen)).upper(), asked.name
    if asked.lfdi is None:
        raise LfdiMissing
    lfdi = asked.lfdi.upper()
    known = await stored_clients.by_lfdi(rq.db, lfdi)
    name = asked.name
    if name is None:
        name = known.name if known else await naming.free(rq.db, "client", asked.connection_id or lfdi[:8])
    own = t.NewClient(name=name, lfdi=lfdi, kind="device", profile=asked.profile)
    return await _register(rq, own), lfdi, name


async def show_served_default(rq: Request, asked: t.Nothing) -> t.ServedDefault:
    """What the device holds to when no control is active, and where each mode is from."""
    row = await find.device(rq.db, rq.ids["device"])
    held = await inherited.held_by(rq.db, row.id)
    found = merged(tuple(one.said for one in held.programs), held.floor)
    beside = {name: one.value for name, one in found.items() if name in modes_of(found)}
    (modes,) = await curves.shown_modes(rq, json.dumps(beside))
    names = await listing_register.group_names(rq.db, row.id)
    firm = {"opModImpLimW": row.firm_import_w, "opModExpLimW": row.firm_export_w}
    contract = {mode for mode, watts in firm.items() if watts is not None}
    return views.served_default(row, names, found, modes, contract=contract)


async def move_device(rq: Request, asked: t.Place) -> t.DeviceShown:
    """The device at the connection where an operator puts it, or agrees that it is."""
    row = await find.device(rq.db, rq.ids["device"])
    await devices.place_device(rq.db, row.id, asked.connection_id, rq.now, holds_net_limit=asked.holds_net_limit)
    return await shown(rq, await find.device(rq.db, row.lfdi))


async def keep_device(rq: Request, asked: t.Nothing) -> t.DeviceShown:
    """The device where it was: the move that it asked for is refused."""
    row = await find.device(rq.db, rq.ids["device"])
    await devices.keep_place(rq.db, row.id, rq.now)
    return await shown(rq, await find.device(rq.db, row.lfdi))


async def agree_rating(rq: Request, asked: t.Nothing) -> t.DeviceShown:
    """The device, whose percentages are of the setMaxW that it reports from now on."""
    row = await find.device(rq.db, rq.ids["device"])
    await ratings.agree_rating(rq.db, row.id, rq.now)
    return await shown(rq, await find.device(rq.db, row.lfdi))


async def remove_device(rq: Request, asked: t.Nothing) -> t.Done:
    """The device is forgotten, and its client told; one that is its own client may no longer connect.

    Where clients register themselves (`utility.registration = in-band`), it may do so again.
    """
    row = await find.device(rq.db, rq.ids["device"])
    gone = await devices.remove_device(rq.db, row.id, rq.now)
    return t.Done(message=f"device {row.lfdi} is removed{_after_removal(rq, row, its_client_is_gone=gone)}")


def _after_removal(rq: Request, row: Row[Any], *, its_client_is_gone: bool) -> str:
    """What the client of a removed device may still do."""
    if its_client_is_gone:
        if rq.state.settings.utility.registration == "in-band":
            return f", and {row.client_name} may register itself again (utility.registration = in-band)"
        return f", and {row.client_name} may no longer connect; its certificate can be added again"
    return f"; {row.client_name} may register it again (in-band)" if row.client_registration == "in-band" else ""


async def shown(rq: Request, row: Row[Any]) -> t.DeviceShown:
    """A device with what is in force for it now."""
    seen = Seen(rq.now, superseded_at_once=shows_at_once(row.profile))
    groups = await listing_register.defaults_over(rq.db, row.id)
    standing = await controls.standing_for(rq.db, row.id, rq.now)
    programs = in_force.programs_from(groups, standing, seen)
    names = await listing_curves.over(rq.db, row.id)
    documents = await listing_register.documents_of(rq.db, row.id)
    asked = views.in_force(groups, programs, rq.now, names)
    floor = await in_force.floor_over(rq.db, groups)
    holds = views.holdings(groups, [*programs, floor], rq.now, names, writers=in_force.writers(standing), device=row)
    shown = views.device_shown(row, asked, holds, documents)
    return shown if rq.caller.role >= ENGINEER else msgspec.structs.replace(shown, pin=None)


async def list_connections(rq: Request, asked: t.ConnectionQuery) -> t.Listed[t.Connection]:
    """Connections by their id, those of one place if so asked."""
    place = await find.place(rq.db, asked.place) if asked.place else None
    found = await listing_register.connections(rq.db, page(asked), place_id=place.id if place else None)
    return listed(found, [views.connection(row) for row in found.rows])


async def show_connection(rq: Request, asked: t.Nothing) -> t.Connection:
    """One connection, by its id."""
    return views.connection(await find.connection(rq.db, rq.ids["connection"]))


async def add_connection(rq: Request, asked: t.NewConnection) -> t.Connection:
    """The new connection, with a group of its own."""
    new = connections.NewConnection(
        connection_id=asked.connection_id,
        description=asked.description,
        firm_import_w=asked.firm_import_w,
        firm_export_w=asked.firm_export_w,
        protected=asked.protected,
    )
    last = await commissioning.last_known(rq)
    row_id = await connections.add_connection(rq.db, new, rq.now, primacies=primacies_of(rq))
    if asked.place is not None:
        place = await find.place(rq.db, asked.place)
        await territory.put_connections(rq.db, [row_id], place.id, rq.now)
    await commissioning.open_new(rq, last)
    return views.connection(await find.connection(rq.db, asked.connection_id))
