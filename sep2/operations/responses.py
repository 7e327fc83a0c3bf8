"""What devices answer to controls."""

from sep2.errors import BadValue
from sep2.store import controls, responses
from sep2.store.connection import Connection

STATUSES = frozenset({*range(1, 15), 252, 253, 254})
"""Response.status of the 2018 edition; the rest is reserved there."""


class BadResponse(BadValue):
    """The response can not be taken."""


async def answer(
    db: Connection, device_id: int, *, mrid: str, status: int | None, created: int | None, now: int
) -> int:
    """Store a response; late ones are taken too, for clients keep theirs through an outage."""
    if status not in STATUSES:
        raise BadResponse(f"status: {status} is reserved")
    control_id = await controls.addressed_to(db, mrid, device_id)
    if control_id is None:
        raise BadResponse(f"subject: {mrid} is not an event of this device")
    return await responses.add(
        db,
        control_id=control_id,
        end_device_id=device_id,
        status=status,
        created=now if created is None else created,
        received=now,
    )
