"""TLS peers that the operator has authorised."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from sep2.store.connection import Connection
from sep2.store.identities import ACTS, client_with
from sep2.store.many import among
from sep2.store.naming import keyed
from sep2.store.tables import client, client_identity


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new client."""
    return await db.add(insert(client).values(keyed(columns)))


async def one(db: Connection, client_id: int) -> Row[Any] | None:
    """A client by its id."""
    return await db.one(select(client).where(client.c.id == client_id))


async def by_lfdi(db: Connection, lfdi: str) -> Row[Any] | None:
    """A client by the LFDI of its certificate, also of one beside the current one."""
    return await db.one(select(client).where(client.c.id == client_with(lfdi)))


async def update_one(db: Connection, client_id: int, **columns: Any) -> None:
    """Change columns of a client."""
    await db.run(update(client).where(client.c.id == client_id).values(keyed(columns)))


async def remove(db: Connection, client_id: int) -> None:
    """Forget a client that acts for no device."""
    await db.run(delete(client).where(client.c.id == client_id))


async def known(db: Connection, lfdis: Sequence[str]) -> set[str]:
    """Which of these LFDIs are those of clients, whether they have access or not."""
    current = select(client.c.lfdi).where(among(client.c.lfdi, lfdis), client.c.removed.is_(None))
    beside = select(client_identity.c.lfdi).join_from(client_identity, client)
    beside = beside.where(among(client_identity.c.lfdi, lfdis), ACTS, client.c.removed.is_(None))
    return {row.lfdi for row in (*await db.all(current), *await db.all(beside))}


async def set_enabled(db: Connection, client_id: int, enabled: bool) -> int:
    """How many clients were found to change."""
    return (await db.run(update(client).where(client.c.id == client_id).values(enabled=enabled))).rowcount
