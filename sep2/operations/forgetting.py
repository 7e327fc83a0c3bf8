"""Clients that were removed are forgotten once their subscribers have been told, or once their certificate is back."""

from sep2.store import clients, dependants, devices, identities, receivers, subscriptions
from sep2.store.connection import Connection


async def forget_told(db: Connection) -> int:
    """Forget clients that were removed and whose subscribers have been told; how many."""
    rows = await dependants.removed_and_told(db)
    for row in rows:
        await forget(db, row.id, row.lfdi)
    return len(rows)


async def forget(db: Connection, client_id: int, lfdi: str) -> None:
    """Forget a client that was removed, with all that is its own."""
    for number in await subscriptions.ids_of(db, client_id):
        await subscriptions.remove(db, number)
    own = await devices.by_lfdi(db, lfdi)
    if own is not None and own.client_id == client_id:
        await devices.remove(db, own.id)
    await receivers.forget_unused(db, client_id)
    await identities.remove_all(db, client_id)
    await clients.remove(db, client_id)
