"""The audit log: what operators and the engine changed and what was refused, as a chain of hashes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, insert, select, update

from sep2.rules.chain import Link, digest, hash_of
from sep2.store.connection import Connection
from sep2.store.operator_tables import audit as t
from sep2.store.operator_tables import audit_detail, audit_head, audit_seal

HEAD = 1
_HEAD = select(audit_head.c.audit_id, audit_head.c.hash).where(audit_head.c.id == HEAD)
_LINK = [t.c[name] for name in Link._fields]
_AFTER = (
    select(t.c.id, t.c.hash, audit_detail.c.detail, *_LINK)
    .outerjoin(audit_detail, audit_detail.c.audit_id == t.c.id)
    .where(t.c.id > bindparam("last"))
    .order_by(t.c.id)
    .limit(bindparam("most"))
)
_COUNT = select(func.count().label("n")).select_from(t)


class Entry(NamedTuple):
    """One row: who did what to what, how they came in, and what came of it; `detail` is JSON."""

    at: int
    operator: str
    verb: str
    subject: str
    detail: str = "{}"
    outcome: str = "done"
    label: str = ""
    via: str = ""
    address: str = ""
    request: str = ""


class Head(NamedTuple):
    """The end of the chain: the number of its last row (0 where there is none) and that row's hash."""

    audit_id: int
    hash: str


async def add(db: Connection, entry: Entry) -> int:
    """Note what was done, in the transaction that does it, and as its last statement: others wait for the chain."""
    head = await db.one(_HEAD.with_for_update())
    assert head is not None
    said = entry._asdict()
    detail = said.pop("detail")
    link = Link(**said, detail_digest=digest(detail))
    own = hash_of(head.hash, link)
    number = await db.add(insert(t).values(**link._asdict(), hash=own))
    await db.run(insert(audit_detail).values(audit_id=number, detail=detail))
    await db.run(update(audit_head).where(audit_head.c.id == HEAD).values(audit_id=number, hash=own))
    return number


async def head(db: Connection) -> Head:
    """The end of the chain."""
    row = await db.one(_HEAD)
    assert row is not None
    return Head(row.audit_id, row.hash)


async def add_seal(db: Connection, of: Head, **columns: Any) -> None:
    """Keep a signed head: at, signature, certificate."""
    await db.run(insert(audit_seal).values(audit_id=of.audit_id, hash=of.hash, **columns))


async def seals_between(db: Connection, first: int, last: int) -> Sequence[Row[Any]]:
    """The seals of rows from one number to another."""
    query = select(audit_seal).where(audit_seal.c.audit_id >= first, audit_seal.c.audit_id <= last)
    return await db.all(query.order_by(audit_seal.c.id))


async def last_seal(db: Connection) -> Row[Any] | None:
    """The seal that was made last."""
    return await db.one(select(audit_seal).order_by(audit_seal.c.id.desc()).limit(1))


async def following(db: Connection, last: int, most: int) -> Sequence[Row[Any]]:
    """The rows after one, oldest first: the columns of a Link, id, hash, and detail, which is NULL once erased."""
    return await db.all(_AFTER, last=last, most=most)
