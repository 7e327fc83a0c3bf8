"""Certificates that clients have shown, and which clients may still act."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import client, client_identity
from sep2.store.tables import client_certificate as t
from sep2.store.upsert import upsert


class Shown(NamedTuple):
    """A client's certificate: when it ends and was seen last, epoch seconds; `serial` is the certificate's number."""

    lfdi: str
    not_after: int
    subject: str
    serial: str
    seen: int


_NOTE = upsert(t, ["lfdi"], ["seen"])


async def note(db: Connection, shown: Sequence[Shown]) -> None:
    """Remember certificates; of one that is known only when it was seen last changes."""
    if rows := list({one.lfdi: one._asdict() for one in shown}.values()):
        await db.run(_NOTE, rows)


_ENDING = (
    select(t, client.c.name)
    .join_from(t, client, client.c.lfdi == t.c.lfdi)
    .where(client.c.enabled, t.c.not_after < bindparam("before"))
    .order_by(t.c.not_after, t.c.lfdi)
    .limit(bindparam("most"))
)


async def ending(db: Connection, before: int, most: int) -> Sequence[Row[Any]]:
    """The certificates, and names, of clients that may connect, which end before that time: the first ones."""
    return await db.all(_ENDING, before=before, most=most)


_BLOCKED = select(client.c.lfdi).where(client.c.enabled.is_(False))
_BLOCKED_BESIDE = select(client_identity.c.lfdi).join_from(client_identity, client).where(client.c.enabled.is_(False))


async def blocked(db: Connection) -> set[str]:
    """The LFDIs of clients that operators have shut out."""
    return {row.lfdi for row in (*await db.all(_BLOCKED), *await db.all(_BLOCKED_BESIDE))}


async def of(db: Connection, lfdis: Sequence[str]) -> dict[str, Row[Any]]:
    """What is known of certificates that were shown, by their LFDIs."""
    return {row.lfdi: row for row in await db.all(select(t).where(among(t.c.lfdi, lfdis)))}
