"""EndDevice, Registration and ConnectionPoint (2030.5 8.5, CSIP-AUS)."""

from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import BadValue, Forbidden, NotFound
from sep2.functions.request import Caller, Made, Request, found
from sep2.operations.clients import let_in
from sep2.operations.devices import BadDevice, NewDevice, add_device, change_device, claim_place
from sep2.rules.identifiers import sfdi_of
from sep2.store import connections, device_pages, devices

THE_DER = 1
"""Every EndDevice has one DER: 2023 allows no more, and gateways report the sum of theirs."""


class NotInBand(Forbidden):
    """EndDevices of this client are registered by the utility."""


class WrongIdentity(BadValue):
    """An EndDevice is registered under the LFDI of the certificate."""


async def list_devices(rq: Request) -> w.EndDeviceList:
    """The devices the caller may act for, its own entry first, then the latest changed."""
    if rq.caller.client is None:
        return w.EndDeviceList(all=0, results=0)
    page = await device_pages.of_client(rq.db, rq.caller.client, rq.caller.lfdi, rq.page)
    items = [end_device(row, rq) for row in page.rows]
    return w.EndDeviceList(all=page.total, results=len(items), EndDevice=items)


async def one_device(rq: Request) -> w.EndDevice:
    """One EndDevice."""
    return end_device(found(await devices.seen(rq.db, rq.ids.edev)), rq)


async def register(rq: Request, body: w.EndDevice) -> Made:
    """Register a device in-band: the certificate decides who it is, an aggregator names those it manages.

    Where the utility lets every client register itself, one that nobody has authorised registers its own device only.
    """
    is_new = rq.caller.client is None and rq.house.settings.utility.registration == "in-band"
    if not is_new and (rq.caller.client is None or rq.caller.registration != "in-band"):
        raise NotInBand(rq.caller.lfdi)
    said = rq.meant(str(body.lFDI)) if body.lFDI is not None else rq.caller.lfdi
    if rq.caller.kind == "device" and said != rq.caller.lfdi:
        raise WrongIdentity(f"lFDI: {said} is not {rq.caller.lfdi}")
    category = int(body.deviceCategory) if body.deviceCategory is not None else None
    group = rq.house.settings.utility.in_band_group
    client = await let_in(rq.db, rq.caller.lfdi, rq.caller.profile, rq.now) if is_new else rq.client
    new = NewDevice(said, client, post_rate=body.postRate, device_category=category, group=group)
    return Made(rq.href("EndDevice", edev=await add_device(rq.db, new, rq.now)))


async def change(rq: Request, body: w.EndDevice) -> None:
    """Take over what a client may say of its EndDevice; who it is never changes."""
    if body.lFDI is not None and rq.meant(str(body.lFDI)) != rq.own.lfdi:
        raise WrongIdentity(f"lFDI: {body.lFDI} is not {rq.own.lfdi}")
    category = int(body.deviceCategory) if body.deviceCategory is not None else None
    await change_device(rq.db, rq.ids.edev, now=rq.now, post_rate=body.postRate, device_category=category)


async def registration(rq: Request) -> w.Registration:
    """The PIN, by which a device knows that it talks to the right server (2030.5 6.9)."""
    row = found(await devices.one(rq.db, rq.ids.edev))
    if not _may_read_pin(row.lfdi, rq):
        raise NotFound
    return w.Registration(dateTimeRegistered=row.registered, pIN=row.pin)


async def connection_point(rq: Request) -> w.ConnectionPoint:
    """The customer's point in the network that the device stands for, as its client wrote it last.

    While an operator has yet to agree to another one, the device is held to the limits of the one before.
    """
    row_id = rq.own.connection_id
    name = rq.own.claimed_connection or (await connections.name_of(rq.db, row_id) if row_id is not None else None)
    if name is None:
        raise NotFound
    return w.ConnectionPoint(connectionPointId=name)


async def place(rq: Request, body: w.ConnectionPoint) -> Made:
    """Say at which connection the device is; the harness of CSIP-AUS wants the Location each time."""
    name = body.connectionPointId
    if not name:
        raise BadDevice("connectionPointId: is empty")
    await claim_place(rq.db, rq.ids.edev, name, rq.now, move=rq.house.settings.utility.connection_move)
    return Made(rq.href("ConnectionPoint"), new=False)


def end_device(row: Row[Any], rq: Request) -> w.EndDevice:
    """An EndDevice with its links."""
    is_peer = row.lfdi == rq.caller.lfdi
    shown = rq.lfdi(row.lfdi)
    at: dict[str, int] = {"edev": row.id}
    view = w.EndDevice(
        href=rq.href("EndDevice", **at),
        subscribable=rq.subscribable("EndDevice"),
        deviceCategory=None if row.device_category is None else w.HexBinary(row.device_category, 4),
        lFDI=w.HexBinary(shown),
        LogEventListLink=rq.list_link(w.LogEventListLink, "LogEventList", row.events, **at),
        sFDI=row.sfdi if shown == row.lfdi else sfdi_of(shown),
        changedTime=row.changed,
        enabled=row.enabled,
        postRate=row.post_rate,
    )
    if _may_read_pin(row.lfdi, rq):
        view.RegistrationLink = rq.link(w.RegistrationLink, "Registration", **at)
    if is_der(row.lfdi, rq.caller):
        view.DERListLink = rq.list_link(w.DERListLink, "DERList", THE_DER, **at)
        count = 1 if rq.house.settings.utility.fsa_layout == "one" else row.groups
        view.FunctionSetAssignmentsListLink = rq.list_link(
            w.FunctionSetAssignmentsListLink, "FunctionSetAssignmentsList", count, **at
        )
        view.ConnectionPointLink = w.Link(href=rq.href("ConnectionPoint", **at))
    if is_peer:
        view.SubscriptionListLink = rq.list_link(w.SubscriptionListLink, "SubscriptionList", row.subscriptions, **at)
    return view


def is_der(lfdi: str, caller: Caller) -> bool:
    """Whether an EndDevice of the caller obeys: the one that stands for an aggregator only subscribes (CSIP)."""
    return caller.kind != "aggregator" or lfdi != caller.lfdi


def _may_read_pin(lfdi: str, rq: Request) -> bool:
    return lfdi == rq.caller.lfdi or rq.house.settings.utility.registration_readable
