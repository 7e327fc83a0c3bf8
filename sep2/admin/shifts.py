"""The shift log: notes, what stands, and its handover from one operator to the next."""

from typing import Any

import msgspec
from msgspec import Raw
from sqlalchemy import Row

from sep2.admin import alarms, approvals, overrides
from sep2.admin import types as t
from sep2.errors import Conflict, NotFound
from sep2.operations.approvals import SamePerson, is_same
from sep2.rest.route import Request, listed, page
from sep2.rules.row_numbers import row_number
from sep2.store import shifts

MOST = 100
NULL = Raw(b"null")


class UnknownHandover(NotFound):
    """There is no handover of that number."""


class HandoverTaken(Conflict):
    """Somebody has taken the handover over already."""


async def show_standing(rq: Request, asked: t.Nothing) -> t.ShiftStanding:
    """What stands now: overrides, requests, what is unreviewed, shelved alarms, and alarms of priority 1 and 2."""
    held = await overrides.list_overrides(rq, t.OverrideQuery(limit=MOST))
    unreviewed = await overrides.list_overrides(rq, t.OverrideQuery(limit=MOST, unreviewed=True))
    shelved = await alarms.list_alarms(rq, t.AlarmQuery(limit=MOST, state="shelved"))
    standing = await alarms.list_alarms(rq, t.AlarmQuery(limit=MOST))
    return t.ShiftStanding(
        at=rq.now,
        overrides=held.items,
        approvals=(await approvals.list_approvals(rq, t.ApprovalQuery(limit=MOST))).items,
        unreviewed=unreviewed.items,
        shelved=shelved.items,
        alarms=[one for one in standing.items if one.priority <= 2],
    )


async def list_shift_log(rq: Request, asked: t.Span) -> t.Listed[t.ShiftEntry]:
    """Notes and handovers, the newest first."""
    found = await shifts.listed(rq.db, page(asked))
    return listed(found, [_entry(row) for row in found.rows])


async def add_note(rq: Request, asked: t.NewNote) -> t.ShiftEntry:
    """The note in the log."""
    number = await shifts.add(rq.db, at=rq.now, kind="note", operator=rq.operator, note=asked.note)
    return await _shown(rq, number)


async def hand_over(rq: Request, asked: t.Handover) -> t.ShiftEntry:
    """The handover in the log, with all that stands now; it waits for somebody to take it over."""
    standing = msgspec.json.encode(await show_standing(rq, t.Nothing())).decode()
    said = {"at": rq.now, "kind": "handover", "operator": rq.operator, "note": asked.note, "standing": standing}
    return await _shown(rq, await shifts.add(rq.db, **said))


async def take_over(rq: Request, asked: t.Nothing) -> t.ShiftEntry:
    """The handover that somebody else takes over: what its author held is theirs now, to release alone."""
    row = await _handover(rq)
    if row.taken is not None:
        raise HandoverTaken(f"{row.id}: {row.taken_by}")
    if is_same(row.operator, rq.operator):
        raise SamePerson(f"{rq.operator} handed it over")
    standing = msgspec.json.decode(row.standing, type=t.ShiftStanding)
    mine = [one.id for one in standing.overrides if is_same(one.holder, row.operator)]
    await shifts.hold(rq.db, mine, rq.operator)
    await shifts.take(rq.db, row.id, rq.operator, rq.now)
    return await _shown(rq, row.id)


async def _handover(rq: Request) -> Row[Any]:
    named = rq.ids["entry"]
    if named == "latest":
        row = await shifts.last_handover(rq.db)
    else:
        row = await shifts.one(rq.db, row_number(named))
    if row is None or row.kind != "handover":
        raise UnknownHandover(named[:60])
    return row


async def _shown(rq: Request, number: int) -> t.ShiftEntry:
    row = await shifts.one(rq.db, number)
    assert row is not None
    return _entry(row)


def _entry(row: Row[Any]) -> t.ShiftEntry:
    return t.ShiftEntry(
        id=row.id,
        at=row.at,
        kind=row.kind,
        operator=row.operator,
        note=row.note,
        standing=Raw(row.standing.encode()) if row.standing else NULL,
        taken_by=row.taken_by,
        taken=row.taken,
    )
