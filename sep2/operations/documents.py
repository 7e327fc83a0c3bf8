"""What devices write about themselves."""

from typing import Any

from sep2.operations.der_events import take_alarm_status
from sep2.operations.ratings import take_report
from sep2.store import documents, outbox
from sep2.store.connection import Connection


async def put_der_document(
    db: Connection,
    device_id: int,
    kind: str,
    body: bytes,
    *,
    now: int,
    reported: dict[str, Any] | None = None,
    alarm_status: int | None = None,
) -> None:
    """Store a DERCapability, DERSettings, DERStatus, DERAvailability or LoadShedAvailability.

    reported: what it says of the device's rating and modes, as columns of the device; percentages follow it.
    alarm_status: the bits of a DERStatus that says any.
    """
    differs = await documents.put(db, device_id, kind, body, now=now)
    if reported:
        await take_report(db, device_id, reported, now)
    if alarm_status is not None:
        await take_alarm_status(db, device_id, alarm_status, now)
    if differs:
        await outbox.changed(db, kind, edev=device_id)
