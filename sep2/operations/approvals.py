"""Requests for a second person: kept with what they would do, agreed to or refused by somebody else, or expired."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import Conflict, Forbidden, NotFound
from sep2.operations.issuing import LONGEST_REASON, check_fits
from sep2.store import approvals
from sep2.store.connection import Connection

DRAFT, WAITING, APPROVED, REFUSED, WITHDRAWN, EXPIRED = (
    "draft",
    "waiting",
    "approved",
    "refused",
    "withdrawn",
    "expired",
)


class UnknownApproval(NotFound):
    """There is no request of that number."""


class ApprovalDecided(Conflict):
    """The request is decided on, withdrawn or expired already; ask anew."""


class SamePerson(Forbidden):
    """Who asks for a change can not be the second person who agrees to it."""


class SecondPerson(SamePerson):
    """A market's rules have another person agree to it than who asked for it."""


class NewRequest(NamedTuple):
    """A change to keep: what is asked for, of what, by whom, and what it would do; texts are JSON."""

    verb: str
    ids: str
    subject: str
    body: str
    sheet: str
    why: str
    asker: str
    role: int


async def keep(db: Connection, new: NewRequest, now: int, *, state: str, lasts_s: int) -> int:
    """The number of a request that waits from now on, or of a draft."""
    return await approvals.add(db, **new._asdict(), state=state, created=now, expires=now + lasts_s)


async def wait(db: Connection, number: int, why: str, now: int, *, lasts_s: int) -> int:
    """Have a draft that its author has sent wait for a second person from now on."""
    row = await open_one(db, number, now)
    await approvals.decide(db, row.id, state=WAITING, why=why, expires=now + lasts_s)
    return number


def state_of(row: Row[Any], now: int) -> str:
    """What became of a request: draft, waiting, approved, refused, withdrawn or expired."""
    return EXPIRED if row.state in approvals.OPEN and row.expires <= now else str(row.state)


async def open_one(db: Connection, number: int, now: int) -> Row[Any]:
    """A request that can still be decided on."""
    row = await approvals.locked(db, number)
    if row is None:
        raise UnknownApproval(str(number))
    if (state := state_of(row, now)) not in approvals.OPEN:
        raise ApprovalDecided(f"{number} is {state}")
    return row


def refuse_same(row: Row[Any], name: str) -> None:
    """Nothing, unless the person who decides is the one who asked."""
    if is_same(row.asker, name):
        kind = SecondPerson if "market" in row.verb else SamePerson
        raise kind(f"{name} asked for it")


def is_same(one: str, other: str) -> bool:
    """Whether two names are of one person."""
    return one.casefold() == other.casefold()


async def refuse(db: Connection, row: Row[Any], now: int, *, by: str, note: str) -> str:
    """Have a request not be done: refused by somebody else, or withdrawn by who asked."""
    check_fits("note", note, LONGEST_REASON)
    state = WITHDRAWN if is_same(row.asker, by) else REFUSED
    await approvals.decide(db, row.id, state=state, decider=by, decided=now, note=note)
    return state
