"""LoadShedAvailability (2030.5 10.3): what a device that follows demand response could do without, and for how long.

A device has one, whatever program it names: all its programs bound the same load. Another one takes its place.
"""

from sep2 import wire as w
from sep2.errors import BadValue, NotFound
from sep2.functions.der import MILDEST
from sep2.functions.request import Made, Request
from sep2.operations import documents as operations
from sep2.rules.reach import has_load_control
from sep2.store import documents, groups

THE_ONE = 1
"""The number of the one LoadShedAvailability that a device has."""
KIND = "LoadShedAvailability"


class NoSuchProgram(BadValue):
    """It is about a DemandResponseProgram that the device is not assigned to."""


async def list_offers(rq: Request) -> w.LoadShedAvailabilityList:
    """The one that the device has written, if any."""
    _check(rq)
    said = await _written(rq)
    items = [] if said is None else [said][rq.page.start : rq.page.start + rq.page.limit]
    return w.LoadShedAvailabilityList(all=int(said is not None), results=len(items), LoadShedAvailability=items)


async def one_offer(rq: Request) -> w.LoadShedAvailability:
    """The LoadShedAvailability, as the device wrote it."""
    _the_one(rq)
    said = await _written(rq)
    if said is None:
        raise NotFound
    return said


async def post_offer(rq: Request, body: w.LoadShedAvailability) -> Made:
    """Store it in place of the one before."""
    _check(rq)
    is_new = await documents.body(rq.db, rq.ids.edev, KIND) is None
    await _put(rq, body)
    return Made(rq.href(KIND, ls=THE_ONE), is_new)


async def put_offer(rq: Request, body: w.LoadShedAvailability) -> None:
    """Store it in place of the one before."""
    _the_one(rq)
    await _put(rq, body)


async def remove_offer(rq: Request) -> None:
    """Forget it: nothing is known of what the device could do without."""
    _the_one(rq)
    if not await documents.remove(rq.db, rq.ids.edev, KIND):
        raise NotFound


async def _put(rq: Request, body: w.LoadShedAvailability) -> None:
    link = body.DemandResponseProgramLink
    if link is not None:
        name, ids = rq.table.locate(link.href) or ("", {})
        is_own = name == "DemandResponseProgram" and ids["edev"] == rq.ids.edev
        if not is_own or await groups.program(rq.db, rq.ids.edev, ids["derp"], rq.seen) is None:
            raise NoSuchProgram(f"DemandResponseProgramLink: {link.href[:80]}")
    body.href = None
    await operations.put_der_document(rq.db, rq.ids.edev, KIND, w.encode(body, MILDEST), now=rq.now)


async def _written(rq: Request) -> w.LoadShedAvailability | None:
    body = await documents.body(rq.db, rq.ids.edev, KIND)
    if body is None:
        return None
    written = w.decode(body, w.LoadShedAvailability, profile=MILDEST)
    written.href = rq.href(KIND, ls=THE_ONE)
    return written


def _the_one(rq: Request) -> None:
    _check(rq)
    if rq.ids.ls != THE_ONE:
        raise NotFound


def _check(rq: Request) -> None:
    """Nothing, where the device of the path follows EndDeviceControls."""
    if not has_load_control(rq.own):
        raise NotFound
