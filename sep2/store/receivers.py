"""Receivers: where a client has notifications sent to, whether it answers, and until when it is left alone."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, case, delete, exists, func, select, union, update

from sep2.store.connection import Connection
from sep2.store.identities import ACTS, client_with
from sep2.store.tables import client, client_identity, delivery, subscription
from sep2.store.tables import receiver as t
from sep2.store.upsert import upsert

_NAMED = upsert(t, ("client_id", "place"), ("place",)).returning(t.c.id)
_UNUSED = delete(t).where(
    t.c.client_id == bindparam("of_client"), ~exists().where(subscription.c.receiver_id == t.c.id)
)


async def named(db: Connection, client_id: int, place: str) -> int:
    """The id of a client's receiver at `host:port`; it is made if there is none."""
    row = await db.one(_NAMED, client_id=client_id, place=place)
    assert row is not None
    return int(row.id)


async def forget_unused(db: Connection, client_id: int) -> None:
    """Forget the receivers of a client that no subscription names."""
    await db.run(_UNUSED, {"of_client": client_id})


_FIRST = (
    select(delivery.c.receiver_id, func.min(delivery.c.due).label("due"))
    .where(delivery.c.dead.is_(False))
    .group_by(delivery.c.receiver_id)
    .subquery()
)
_NEXT = case((t.c.rests_until > _FIRST.c.due, t.c.rests_until), else_=_FIRST.c.due).label("next")
_WAITING = select(t.c.id, t.c.client_id, t.c.failures, _NEXT).join_from(_FIRST, t, t.c.id == _FIRST.c.receiver_id)
_NEXT_DUE = select(func.min(_WAITING.subquery().c.next).label("at"))


async def waiting(db: Connection) -> Sequence[Row[Any]]:
    """The receivers for which something waits: id, client_id, failures, and `next`, when it is to be sent."""
    return await db.all(_WAITING)


async def next_due(db: Connection) -> int | None:
    """When something is to be sent to any receiver; None where nothing waits."""
    row = await db.one(_NEXT_DUE)
    return row.at if row else None


async def answered(db: Connection, receiver_id: int) -> None:
    """It answers again: it may be sent everything that waits."""
    said = {"failures": 0, "silent_since": None, "rests_until": 0, "rests_at_least_until": 0}
    await db.run(update(t).where(t.c.id == receiver_id).values(said))


async def rest(db: Connection, receiver_id: int, until: int, *, at_least_until: int) -> None:
    """Send nothing there before; a request of its client ends the rest, though not before `at_least_until`."""
    said = {"rests_until": until, "rests_at_least_until": at_least_until}
    await db.run(update(t).where(t.c.id == receiver_id).values(said))


async def silent(db: Connection, receiver_id: int, now: int) -> None:
    """It gave no answer, once more."""
    since = func.coalesce(t.c.silent_since, now)
    await db.run(update(t).where(t.c.id == receiver_id).values(failures=t.c.failures + 1, silent_since=since))


_RESTS = t.c.rests_until > bindparam("now"), t.c.rests_until > t.c.rests_at_least_until
_RESTING = union(
    select(client.c.lfdi).join_from(t, client).where(*_RESTS),
    select(client_identity.c.lfdi).join(t, t.c.client_id == client_identity.c.client_id).where(*_RESTS, ACTS),
)


async def resting(db: Connection, now: int) -> set[str]:
    """The LFDIs of the clients that have a receiver whose rest a request of theirs shortens."""
    return {row.lfdi for row in await db.all(_RESTING, now=now)}


async def heard_of(db: Connection, lfdi: str, now: int) -> bool:
    """Whether a request of this client shortened the rest of any of its receivers."""
    ours = t.c.client_id == client_with(lfdi), t.c.rests_until > now, t.c.rests_until > t.c.rests_at_least_until
    return (await db.run(update(t).where(*ours).values(rests_until=t.c.rests_at_least_until))).rowcount > 0


async def shift(db: Connection, by_s: int) -> None:
    """Move the times of all rests with a clock that was set to another time: they last as long as they did."""
    moved = {name: t.c[name] + by_s for name in ("silent_since", "rests_until", "rests_at_least_until")}
    await db.run(update(t).where(t.c.rests_until > 0).values(moved))


async def bring_forward(db: Connection, latest: int) -> None:
    """Have no receiver rest beyond that time: what does was told to by a clock that was ahead."""
    for name in ("rests_until", "rests_at_least_until"):
        await db.run(update(t).where(t.c[name] > latest).values({name: latest}))
