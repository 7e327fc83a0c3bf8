"""Erasure of what is personal of a connection's customer; the register, day sums and the audit chain stay."""

import secrets
from typing import NamedTuple

from sep2.store import erasing
from sep2.store.connection import Connection


class Erased(NamedTuple):
    """What was erased: how many readings and details of the audit log, and the label in the place of texts."""

    label: str
    readings: int
    audit_details: int


def new_label() -> str:
    """A label that says that a text was erased, and tells it from others."""
    return f"erased-{secrets.token_hex(2).upper()}"


async def erase_connection(db: Connection, row_id: int, name: str, now: int) -> Erased:
    """Erase what was stored of a connection's customer until now.

    Readings, judged intervals, log events and earlier documents are deleted; texts are replaced by a label. What is
    needed of the point itself stays: its id, its contract, its devices, controls and responses, the sums of days.
    """
    label = new_label()
    devices = await erasing.devices_at(db, row_id)
    readings = await erasing.erase_measured(db, devices, now)
    await erasing.erase_texts(db, row_id, devices, label)
    return Erased(label, readings, await erasing.erase_audit_details(db, name, now))
