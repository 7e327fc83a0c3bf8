"""Commitments: which DER is promised to which service, from when until when."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.after_tables import commitment, commitment_state
from sep2.store.market.facts import known
from sep2.store.market.tables import aggregation, component_der


class Which(NamedTuple):
    """Which commitments a list shows: of one DER or aggregation, in some states, touching a time."""

    der_id: int | None = None
    aggregation_id: int | None = None
    states: Collection[str] = ()
    start: int | None = None
    end: int | None = None
    known_at: int | None = None
    party_id: int | None = None
    """whose DERs"""


def _commitments(at: int | None = None) -> Select[Any]:
    c, s = commitment, commitment_state
    query = select(
        *(c.c[name] for name in ("id", "component_der_id", "aggregation_id", "service", "holder", "program", "basis")),
        c.c.origin_id,
        *(s.c[name] for name in ("version", "state", "start", "end", "reason", "recorded_at", "recorded_by")),
        component_der.c.name.label("der_name"),
        aggregation.c.name.label("aggregation_name"),
    )
    query = query.join_from(c, s, s.c.commitment_id == c.c.id)
    query = query.join(component_der, component_der.c.id == c.c.component_der_id)
    query = query.join(aggregation, aggregation.c.id == c.c.aggregation_id, isouter=True)
    return query.where(known(s, at))


def _chosen(which: Which) -> Select[Any]:
    query = _commitments(which.known_at)
    if which.der_id is not None:
        query = query.where(commitment.c.component_der_id == which.der_id)
    if which.aggregation_id is not None:
        query = query.where(commitment.c.aggregation_id == which.aggregation_id)
    if which.party_id is not None:
        query = query.where(component_der.c.party_id == which.party_id)
    if which.states:
        query = query.where(among(commitment_state.c.state, list(which.states)))
    if which.start is not None:
        query = query.where(commitment_state.c.end > which.start)
    if which.end is not None:
        query = query.where(commitment_state.c.start < which.end)
    return query


async def listed(db: Connection, which: Which, page: Keyset) -> Following:
    """Commitments, the earliest first."""
    return await select_following(db, _chosen(which).order_by(commitment_state.c.start, commitment.c.id), page)


async def every(db: Connection, which: Which) -> Sequence[Row[Any]]:
    """All of them at once."""
    return await db.all(_chosen(which).order_by(commitment_state.c.start, commitment.c.id))


async def one(db: Connection, number: int) -> Row[Any] | None:
    """One commitment as it stands now."""
    return await db.one(_commitments().where(commitment.c.id == number))


async def versions(db: Connection, number: int) -> Sequence[Row[Any]]:
    """Every way it stood, the first first."""
    t = commitment_state
    return await db.all(select(t).where(t.c.commitment_id == number).order_by(t.c.version))


async def add(db: Connection, **columns: Any) -> int:
    """The number of a new commitment; how it stands is added with `put`."""
    return await db.add(insert(commitment).values(columns))


async def put(db: Connection, number: int, said: Mapping[str, Any], *, now: int, by: str) -> None:
    """Have a commitment stand so from now on, in place of how it stood."""
    t = commitment_state
    last = await db.one(select(func.max(t.c.version).label("last")).where(t.c.commitment_id == number))
    version = (last.last or 0) + 1 if last else 1
    await db.run(update(t).where(t.c.commitment_id == number, t.c.superseded_at.is_(None)).values(superseded_at=now))
    fixed = {"commitment_id": number, "version": version, "recorded_at": now, "superseded_at": None, "recorded_by": by}
    await db.run(insert(t).values({**fixed, **said}))
