"""DER and what a device writes about itself (2030.5 10.10)."""

from typing import TypeVar

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions.edev import THE_DER
from sep2.functions.request import Request
from sep2.operations.documents import put_der_document
from sep2.rules.ratings import whole_watts
from sep2.store import documents

WIDEST = w.Profile.CSIP_AUS_1_3
"""What a client sent in the namespace of one edition is given back in that of its own profile."""
MILDEST = w.Profile.CSIP
"""Reads every edition, and asks for no extension: a US client's DERCapability has none."""

Kind = TypeVar("Kind", w.DERCapability, w.DERSettings, w.DERStatus, w.DERAvailability)
Document = w.DERCapability | w.DERSettings | w.DERStatus | w.DERAvailability


async def list_ders(rq: Request) -> w.DERList:
    """The device's one DER."""
    items = [_view(rq)][rq.page.start : rq.page.start + rq.page.limit]
    return w.DERList(all=1, results=len(items), DER=items)


async def one_der(rq: Request) -> w.DER:
    """The DER, with its four documents linked whether or not they were written yet."""
    _the_der(rq)
    return _view(rq)


async def capability(rq: Request) -> w.DERCapability:
    """The nameplate, as the device wrote it."""
    return await _written(rq, w.DERCapability)


async def settings(rq: Request) -> w.DERSettings:
    """The settings, as the device wrote them."""
    return await _written(rq, w.DERSettings)


async def status(rq: Request) -> w.DERStatus:
    """The status, as the device wrote it last."""
    return await _written(rq, w.DERStatus)


async def availability(rq: Request) -> w.DERAvailability:
    """The availability, as the device wrote it last."""
    return await _written(rq, w.DERAvailability)


async def put_document(rq: Request, body: Document) -> None:
    """Store a document in place of the one before."""
    _the_der(rq)
    body.href = None
    kind = type(body).__name__
    await put_der_document(
        rq.db,
        rq.ids.edev,
        kind,
        _kept(body),
        now=rq.now,
        reported=_reported(body),
        alarm_status=_alarm_status(body),
    )


def _alarm_status(body: Document) -> int | None:
    """The faults that a DERStatus reports, as bits; None where it says none or nothing of them."""
    if not isinstance(body, w.DERStatus) or body.alarmStatus is None:
        return None
    return int(body.alarmStatus)


def _reported(body: Document) -> dict[str, int | None]:
    """What a document says of the device's rating and modes, as columns of the device."""
    if isinstance(body, w.DERSettings):
        return {"set_max_w": whole_watts(body.setMaxW.value, body.setMaxW.multiplier)}
    if not isinstance(body, w.DERCapability):
        return {}
    doe = body.doeModesSupported
    return {
        "nameplate_w": whole_watts(body.rtgMaxW.value, body.rtgMaxW.multiplier),
        "modes_supported": int(body.modesSupported),
        "doe_modes_supported": None if doe is None else int(doe),
    }


def _kept(body: Document) -> bytes:
    """A document with all that it says, in the widest profile that can say it."""
    try:
        return w.encode(body, WIDEST)
    except w.WireError:
        return w.encode(body, MILDEST)


async def _written(rq: Request, kind: type[Kind]) -> Kind:
    _the_der(rq)
    body = await documents.body(rq.db, rq.ids.edev, kind.__name__)
    if body is None:
        raise NotFound
    written = w.decode(body, kind, profile=MILDEST)
    try:
        w.check(written, rq.caller.profile)
    except w.WireError:
        # Written before the client moved to another profile: in that one there is nothing yet.
        raise NotFound from None
    return written


def _the_der(rq: Request) -> None:
    if rq.ids.der != THE_DER:
        raise NotFound


def _view(rq: Request) -> w.DER:
    at = {"der": THE_DER}
    return w.DER(
        href=rq.href("DER", **at),
        subscribable=rq.subscribable("DER"),
        DERAvailabilityLink=rq.link(w.DERAvailabilityLink, "DERAvailability", **at),
        DERCapabilityLink=rq.link(w.DERCapabilityLink, "DERCapability", **at),
        DERSettingsLink=rq.link(w.DERSettingsLink, "DERSettings", **at),
        DERStatusLink=rq.link(w.DERStatusLink, "DERStatus", **at),
    )
