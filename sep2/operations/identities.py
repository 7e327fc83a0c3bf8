"""Replacing a client's certificate: for a while both stand for the same client.

A new certificate is *expected* until it is used for the first time; it is the *current* one then, and the one before is
*retiring*. At the end of the overlap, or as an operator finishes the replacement, the one before is *gone*.
"""

import logging
from dataclasses import dataclass
from typing import Any

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations.alarms import CERTIFICATE_UNUSED, UNREGISTERED_LFDI, clear_alarm, raise_alarm
from sep2.rules.identifiers import is_lfdi, sfdi_of
from sep2.store import alarms, clients, devices, identities, outbox
from sep2.store.connection import Connection

log = logging.getLogger("sep2.certificates")

EXPECTED, CURRENT, RETIRING, GONE = "expected", "current", "retiring", "gone"
DAY_S = 86_400
OVERLAP_S, LONGEST_OVERLAP_S = 30 * DAY_S, 366 * DAY_S


class BadReplacement(BadValue):
    """The certificate can not take the place of the current one."""


class LfdiTaken(Conflict):
    """That LFDI is a client's or a device's already."""


class ReplacementUnderWay(Conflict):
    """A certificate of this client is being replaced already; finish or cancel that first."""


class NoReplacement(NotFound):
    """No certificate of this client is being replaced."""


class CertificateUnused(Conflict):
    """The new certificate has not been used yet; without the one before the client could not connect."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is known of a replacement: the current certificate, the other one, its state, and the end of the overlap."""

    current: str
    other: str
    state: str
    until: int


async def replace(db: Connection, client_id: int, lfdi: str, now: int, *, overlap_s: int = OVERLAP_S) -> Replacement:
    """Let a client act with another certificate too, for so long; devices, PINs, mirrors and subscriptions stay."""
    row = await clients.one(db, client_id)
    assert row is not None
    if not is_lfdi(lfdi):
        raise BadReplacement(f"lfdi: {lfdi[:60]!r} is not 40 hexadecimal digits")
    if not 1 <= overlap_s <= LONGEST_OVERLAP_S:
        raise BadReplacement(f"overlap: {overlap_s} s is outside 1..{LONGEST_OVERLAP_S}")
    if await _under_way(db, client_id) is not None:
        raise ReplacementUnderWay(row.name)
    known = await identities.one(db, lfdi)
    if known is not None and known.state == GONE:
        await identities.remove(db, lfdi)
    elif known is not None or await clients.by_lfdi(db, lfdi) or await devices.by_lfdi(db, lfdi):
        raise LfdiTaken(lfdi)
    until = now + overlap_s
    await identities.add(db, lfdi=lfdi, client_id=client_id, state=EXPECTED, since=now, until=until)
    await clear_alarm(db, UNREGISTERED_LFDI, lfdi, now)
    return Replacement(row.lfdi, lfdi, EXPECTED, until)


async def used(db: Connection, lfdi: str, now: int) -> bool:
    """A certificate beside the current one was shown; whether it was expected, and is the current one from now on."""
    row = await identities.one(db, lfdi)
    if row is None or row.state != EXPECTED:
        return False
    await _take_over(db, row, now, RETIRING)
    return True


async def finish(db: Connection, client_id: int, now: int, *, anyway: bool = False) -> Replacement:
    """End the overlap now: the certificate before is gone. anyway: also where the new one has not been used."""
    row = await _under_way(db, client_id)
    client = await clients.one(db, client_id)
    if row is None or client is None:
        raise NoReplacement(str(client_id) if client is None else client.name)
    if row.state == EXPECTED and not anyway:
        raise CertificateUnused(f"{client.name}: {row.lfdi}")
    return await _end(db, row, now)


async def cancel(db: Connection, client_id: int) -> Replacement:
    """Have only the current certificate stand for a client; refused once the new one is that."""
    row = await _under_way(db, client_id)
    client = await clients.one(db, client_id)
    if row is None or client is None or row.state != EXPECTED:
        raise NoReplacement("" if client is None else client.name)
    await identities.remove(db, row.lfdi)
    return Replacement(client.lfdi, row.lfdi, GONE, row.until)


async def end_overlaps(db: Connection, now: int) -> int:
    """End every overlap that is over; how many. A new certificate that was never used is an alarm."""
    rows = await identities.ended(db, now)
    for row in rows:
        unused = row.state == EXPECTED
        done = await _end(db, row, now)
        if unused:
            detail = f"the overlap of client {row.name} is over, and its new certificate was never used"
            await raise_alarm(db, CERTIFICATE_UNUSED, done.current, detail, now=now)
    return len(rows)


async def _under_way(db: Connection, client_id: int) -> Any:
    rows = [row for row in await identities.of_client(db, client_id) if row.state != GONE]
    return rows[0] if rows else None


async def _end(db: Connection, row: Any, now: int) -> Replacement:
    """The one before the new certificate is gone, also where the new one was never used."""
    if row.state == EXPECTED:
        before = await _take_over(db, row, now, GONE)
    else:
        before = row.lfdi
        await identities.update_one(db, before, state=GONE, since=now)
    client = await clients.one(db, row.client_id)
    assert client is not None
    log.info("certificate %s stands for client %s no longer; %s does", before, client.name, client.lfdi)
    return Replacement(client.lfdi, before, GONE, now)


async def _take_over(db: Connection, row: Any, now: int, before_is: str) -> str:
    """The expected certificate is the current one; the LFDI of the one before, which is retiring or gone."""
    client = await clients.one(db, row.client_id)
    assert client is not None
    own = await devices.by_lfdi(db, client.lfdi)
    await identities.remove(db, row.lfdi)
    await clients.update_one(db, client.id, lfdi=row.lfdi)
    await identities.add(db, lfdi=client.lfdi, client_id=client.id, state=before_is, since=now, until=row.until)
    if own is not None and own.client_id == client.id:
        await devices.update_one(db, own.id, lfdi=row.lfdi, sfdi=sfdi_of(row.lfdi), changed=now)
        await outbox.changed(db, "EndDevice", edev=own.id)
    await alarms.rename_subject(db, client.lfdi, row.lfdi, now)
    await clear_alarm(db, CERTIFICATE_UNUSED, row.lfdi, now)
    log.info("certificate %s is the current one of client %s; %s is %s", row.lfdi, client.name, client.lfdi, before_is)
    return str(client.lfdi)
