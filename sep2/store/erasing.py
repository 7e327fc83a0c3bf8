"""Deletion of what is stored of a connection's customer: readings, texts, events, details of the audit log."""

from collections.abc import Sequence

from sqlalchemy import Select, delete, func, or_, select, update

from sep2.store.connection import Connection
from sep2.store.judged_tables import exemption, judged
from sep2.store.many import among
from sep2.store.operator_tables import audit, audit_detail
from sep2.store.seen_tables import document_history
from sep2.store.tables import connection, end_device, log_event, reading, reading_set
from sep2.store.tables import mirror_meter_reading as series
from sep2.store.tables import mirror_usage_point as mirror


async def devices_at(db: Connection, connection_id: int) -> Sequence[int]:
    """The ids of the devices at a connection."""
    query = select(end_device.c.id).where(end_device.c.connection_id == connection_id).order_by(end_device.c.id)
    return [row.id for row in await db.all(query)]


async def erase_measured(db: Connection, device_ids: Sequence[int], before: int) -> int:
    """Delete what devices measured, posted and were judged by before a time; how many readings went."""
    of_them = _series(device_ids)
    gone = await db.run(delete(reading).where(reading.c.mirror_meter_reading_id.in_(of_them), reading.c.start < before))
    of_sets = reading_set.c.mirror_meter_reading_id.in_(of_them), reading_set.c.start < before
    await db.run(delete(reading_set).where(*of_sets))
    await db.run(delete(judged).where(among(judged.c.end_device_id, device_ids), judged.c.start < before))
    for table, time in ((log_event, log_event.c.received), (document_history, document_history.c.received)):
        await db.run(delete(table).where(among(table.c.end_device_id, device_ids), time < before))
    return gone.rowcount


def _series(device_ids: Sequence[int]) -> Select[tuple[int]]:
    joined = select(series.c.id).join(mirror, mirror.c.id == series.c.mirror_usage_point_id)
    return joined.where(among(mirror.c.end_device_id, device_ids))


async def erase_texts(db: Connection, connection_id: int, device_ids: Sequence[int], label: str) -> None:
    """Put a label in the place of what people wrote about a connection and its meters."""
    await db.run(update(connection).where(connection.c.id == connection_id).values(description=label))
    await db.run(update(exemption).where(exemption.c.connection_id == connection_id).values(reason=label))
    plain = {"description": label[:32]}
    named = {"name": None, "name_key": None}
    await db.run(update(mirror).where(among(mirror.c.end_device_id, device_ids)).values(**plain, **named))
    await db.run(update(series).where(series.c.id.in_(_series(device_ids))).values(**plain))


async def erase_audit_details(db: Connection, connection_name: str, until: int) -> int:
    """Delete the details of what was changed of a connection; the rows stay, and their chain stays whole."""
    path = f"/connections/{connection_name}".lower()
    quoted = f'"connection_id":"{connection_name}"'
    subject = func.lower(audit.c.subject)
    added = (subject == "/connections") & audit_detail.c.detail.contains(quoted, autoescape=True)
    own = or_(subject == path, subject.startswith(f"{path}/", autoescape=True))
    found = (
        select(audit.c.id)
        .join(audit_detail, audit_detail.c.audit_id == audit.c.id)
        .where(or_(own, added), audit.c.at <= until)
    )
    return (await db.run(delete(audit_detail).where(audit_detail.c.audit_id.in_(found)))).rowcount
