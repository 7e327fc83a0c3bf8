"""Entries of the audit log about requests: what was done, and what was refused."""

import logging
from typing import Any

import msgspec
from aiohttp import web

from sep2.errors import SepError
from sep2.rest.callers import Caller
from sep2.rest.decoding import CONTROL_CHARACTERS
from sep2.rest.hiding import hidden
from sep2.server import security
from sep2.server.app import State
from sep2.store import audits
from sep2.terminal import request_id

log = logging.getLogger(__name__)

MOST_OF_A_REFUSED_BODY = 4000


def entry(
    http: web.Request, caller: Caller, now: int, *, verb: str, detail: Any, outcome: str = "done"
) -> audits.Entry:
    """The entry of a request: who, what, how they came in; the details without passwords and the like."""
    return audits.Entry(
        at=now,
        operator=caller.name,
        verb=verb,
        subject=CONTROL_CHARACTERS.sub("?", http.path)[:500],
        detail=msgspec.json.encode(hidden(detail)).decode(),
        outcome=outcome[:80],
        label=caller.label,
        via=caller.via,
        address=caller.address,
        request=request_id.get(),
    )


async def note_refusal(
    state: State, http: web.Request, refusal: SepError, *, caller: Caller, verb: str, asked: Any = None
) -> None:
    """Note that somebody who was let in asked for what was refused; not what failed on our side."""
    if refusal.status >= 500:
        return
    if refusal.status == 403:
        security.event("refused", operator=caller.name, address=caller.address, verb=verb, code=refusal.code)
    detail = {"message": str(refusal)} | ({} if asked is None else {"asked": asked})
    if len(msgspec.json.encode(detail)) > MOST_OF_A_REFUSED_BODY:
        del detail["asked"]
    try:
        async with state.db.write() as db:
            said = entry(http, caller, state.clock.now(), verb=verb, detail=detail, outcome=f"refused: {refusal.code}")
            await audits.add(db, said)
    except SepError as problem:
        log.warning("a refusal is not in the audit log: %s", problem)
