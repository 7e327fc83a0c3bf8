"""Requests for a second person, and drafts: listed, shown, agreed to, refused."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from sqlalchemy import Row

from sep2.admin import backstops, erasing, overrides
from sep2.admin import types as t
from sep2.admin.brought import brought
from sep2.admin.effects import EffectChanged, is_same
from sep2.admin.market import overrides as market_overrides
from sep2.admin.market import reviews as market_reviews
from sep2.admin.types.market_overrides import NewMarketOverride
from sep2.admin.types.market_reviews import NewDecision
from sep2.operations import approvals
from sep2.operations.approvals import UnknownApproval
from sep2.rest.callers import Caller
from sep2.rest.route import Handler, Request, listed, page
from sep2.rules.roles import OPERATOR, OperatorRole
from sep2.rules.row_numbers import row_number
from sep2.store import approvals as stored

HANDLERS: Mapping[str, tuple[Handler, Any]] = {
    overrides.send_override.__name__: (overrides.send_override, t.NewOverride),
    overrides.extend_override.__name__: (overrides.extend_override, t.Extend),
    overrides.release_override.__name__: (overrides.release_override, t.Release),
    backstops.start_backstop.__name__: (backstops.start_backstop, t.NewBackstop),
    backstops.rehearse_backstop.__name__: (backstops.rehearse_backstop, t.NewDrill),
    market_reviews.decide_review.__name__: (market_reviews.decide_review, NewDecision),
    market_overrides.send_market_override.__name__: (market_overrides.send_market_override, NewMarketOverride),
    erasing.erase_connection.__name__: (erasing.erase_connection, t.Erase),
}
"""What a second person may have to agree to, by its verb, with the type of its body; each needs the role operator."""
NOTHING = Raw(b"null")


def _handler_of(verb: str) -> tuple[Handler, Any, OperatorRole]:
    """What does a change, the type of its body, and the role it needs; also of a change that an extension brings."""
    if verb in HANDLERS:
        return *HANDLERS[verb], OPERATOR
    for route in brought():
        if route.seconded and route.verb == verb:
            return route.handler, route.asked, route.role
    raise UnknownApproval(f"{verb}: its extension is not installed")


async def list_approvals(rq: Request, asked: t.ApprovalQuery) -> t.Listed[t.Approval]:
    """Requests that somebody can still decide on, or all of them, the newest first."""
    found = await stored.listed(rq.db, page(asked), open_at=None if asked.every else rq.now)
    return listed(found, [t.Approval(**_of(row, rq.now)) for row in found.rows])


async def show_approval(rq: Request, asked: t.Nothing) -> t.ApprovalShown:
    """One request, with what it asks for and what it would have done as its asker saw it."""
    row = await _found(rq)
    answer = Raw(row.answer.encode()) if row.answer else NOTHING
    return t.ApprovalShown(
        **_of(row, rq.now), asked=Raw(row.body.encode()), sheet=Raw(row.sheet.encode()), answer=answer
    )


async def approve_change(rq: Request, asked: t.Agree) -> t.Agreed:
    """What came of a request that a second person agrees to; as a dry run, what it would do now.

    It is done as its asker asked for it, with both names. What it does now has to be what its asker saw, or what
    the second person did.
    """
    row = await approvals.open_one(rq.db, (await _found(rq)).id, rq.now)
    approvals.refuse_same(row, rq.operator)
    done = await _do(rq, row, second=rq.operator)
    seen = asked.digest or msgspec.json.decode(row.sheet).get("digest", "")
    if not rq.only_trying and not is_same(seen, done.digest):
        raise EffectChanged(f"digest: {seen[:40]} was looked at, and now it is {done.digest}")
    return await _agreed(rq, row, done, second=rq.operator)


async def send_draft(rq: Request, asked: t.Agree) -> t.Agreed:
    """What came of a draft that is sent, by its author or somebody else, who is its second person then."""
    row = await approvals.open_one(rq.db, (await _found(rq)).id, rq.now)
    if row.state != approvals.DRAFT:
        raise approvals.ApprovalDecided(f"{row.id} is no draft")
    second = "" if approvals.is_same(row.asker, rq.operator) else rq.operator
    done = await _do(rq, row, second=second)
    if asked.digest and not rq.only_trying and not is_same(asked.digest, done.digest):
        raise EffectChanged(f"digest: {asked.digest[:40]} was looked at, and now it is {done.digest}")
    return await _agreed(rq, row, done, second=second)


async def refuse_change(rq: Request, asked: t.Decline) -> t.Approval:
    """The request that is not done: refused by somebody else, or withdrawn by who asked for it."""
    row = await approvals.open_one(rq.db, (await _found(rq)).id, rq.now)
    await approvals.refuse(rq.db, row, rq.now, by=rq.operator, note=asked.note)
    return t.Approval(**_of(await _found(rq), rq.now))


async def _do(rq: Request, row: Row[Any], *, second: str) -> Any:
    """Do what was asked for, in the name of who asked, with no more than the role that either of them has."""
    handler, kind, needed = _handler_of(row.verb)
    role = OperatorRole(min(row.role, rq.caller.role))
    caller = Caller(row.asker, role, f"approval {row.id}", rq.caller.address)
    caller.require(needed, change=True)
    body = msgspec.json.decode(row.body, type=kind)
    request = Request(rq.state, rq.db, rq.now, msgspec.json.decode(row.ids), caller, second=second, after=rq.after)
    return await handler(request, msgspec.structs.replace(body, digest=""))


async def _agreed(rq: Request, row: Row[Any], done: Any, *, second: str) -> t.Agreed:
    answer = msgspec.json.encode(done)
    columns = {"decider": second or row.asker, "decided": rq.now, "answer": answer.decode()}
    await stored.decide(rq.db, row.id, state=approvals.APPROVED, **columns)
    return t.Agreed(
        id=row.id,
        state=approvals.APPROVED,
        verb=row.verb,
        asker=row.asker,
        decider=second or row.asker,
        digest=done.digest,
        needs_second=done.needs_second,
        answer=Raw(answer),
    )


async def _found(rq: Request) -> Row[Any]:
    named = rq.ids["approval"]
    row = await stored.latest(rq.db) if named == "latest" else await stored.one(rq.db, row_number(named))
    if row is None:
        raise UnknownApproval(named[:60])
    return row


def _of(row: Row[Any], now: int) -> dict[str, Any]:
    plain = ("id", "verb", "subject", "why", "asker", "created", "expires", "decider", "decided", "note")
    return {name: getattr(row, name) for name in plain} | {"state": approvals.state_of(row, now)}
