"""EndDevice, Registration and ConnectionPoint (2030.5 8.5, CSIP-AUS)."""

from collections.abc import Callable
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
    items = list(map(devices_view(rq), page.rows))
    return w.EndDeviceList(all=page.total, results=len(items), EndDevice=items)


async def one_device(rq: Request) -> w.EndDevice:
    """One EndDevice."""
    return devices_view(rq)(found(await devices.seen(rq.db, rq.ids.edev)))


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


def devices_view(rq: Request) -> Callable[[Row[Any]], w.EndDevice]:
    """The view of EndDevices with their links; what is the same for all of a request is looked up once."""
    href, events, registration, ders, sets, place, subscriptions, sheds = (
        rq.hrefs(name, "edev")
        for name in (
            "EndDevice",
            "LogEventList",
            "Registration",
            "DERList",
            "FunctionSetAssignmentsList",
            "ConnectionPoint",
            "SubscriptionList",
            "LoadShedAvailabilityList",
        )
    )
    subscribable = rq.subscribable("EndDevice")
    one_set = rq.house.settings.utility.fsa_layout == "one"
    follows_load_control = rq.caller.profile is w.Profile.CSIP

    def view(row: Row[Any]) -> w.EndDevice:
        number, lfdi, category = row.id, row.lfdi, row.device_category
        shown = rq.lfdi(lfdi)
        made = w.EndDevice(
            href=href(number),
            subscribable=subscribable,
            deviceCategory=None if category is None else w.HexBinary(category, 4),
            lFDI=w.HexBinary(shown),
            LogEventListLink=w.LogEventListLink(href=events(number), all=row.events),
            sFDI=row.sfdi if shown == lfdi else sfdi_of(shown),
            changedTime=row.changed,
            enabled=row.enabled,
            postRate=row.post_rate,
        )
        if _may_read_pin(lfdi, rq):
            made.RegistrationLink = w.RegistrationLink(href=registration(number))
        if is_der(lfdi, rq.caller):
            made.DERListLink = w.DERListLink(href=ders(number), all=THE_DER)
            made.FunctionSetAssignmentsListLink = w.FunctionSetAssignmentsListLink(
                href=sets(number), all=1 if one_set else row.groups
            )
            made.ConnectionPointLink = w.Link(href=place(number))
            if follows_load_control and row.load_control_w is not None:
                made.LoadShedAvailabilityListLink = w.LoadShedAvailabilityListLink(href=sheds(number))
        if lfdi == rq.caller.lfdi:
            made.SubscriptionListLink = w.SubscriptionListLink(href=subscriptions(number), all=row.subscriptions)
        return made

    return view


def is_der(lfdi: str, caller: Caller) -> bool:
    """Whether an EndDevice of the caller obeys: the one that stands for an aggregator only subscribes (CSIP)."""
    return caller.kind != "aggregator" or lfdi != caller.lfdi


def _may_read_pin(lfdi: str, rq: Request) -> bool:
    return lfdi == rq.caller.lfdi or rq.house.settings.utility.registration_readable
