"""From an HTTP request to a handler and back: role, decoding, transaction, idempotency, long polls."""

import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sep2.errors import NotFound, SepError
from sep2.operations import approvals
from sep2.rest import auditing, decoding
from sep2.rest.callers import Caller, caller_of
from sep2.rest.hiding import hidden
from sep2.rest.idempotency import REPLAYED, Once, asked_once
from sep2.rest.operator_pace import OperatorPace, TooManyChanges
from sep2.rest.polls import Poll, Polls
from sep2.rest.refusals import OUTAGES, Answer, as_json, errors_as_json
from sep2.rest.route import LARGEST_BODY, Ahead, Request, Route
from sep2.rest.tables import CSV, DECLARATION, NEXT, XML, as_csv, wants_csv
from sep2.rest.types import SecondedQuery, Waiting
from sep2.rules.told_times import tell_in
from sep2.server.app import State
from sep2.store import audits
from sep2.store.connection import Clash, Connection

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 60


class _OnlyTrying(Exception):
    """Undoes the transaction of a dry run, once it is known what it would have answered."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer


class ChangedMeanwhile(SepError):
    """It is not what you have seen any more; look at it again."""

    status = 412


class _NotYet(Exception):
    """Undoes the transaction of a change that a second person has to agree to, or that is only prepared."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer


class _Change(NamedTuple):
    """A change that is asked for, in its type; `once` where it came with an idempotency key."""

    route: Route
    http: web.Request
    caller: Caller
    asked: Any
    once: Once | None
    how: SecondedQuery
    said: bytes

    def is_put_off(self, answer: Any) -> bool:
        """Whether it is not made now: it is a draft, or its answer says that a second person has to agree."""
        return self.route.seconded and (self.how.draft or bool(answer.needs_second))


class _Done(NamedTuple):
    """What a change answered, what is to follow its commit, and whether it had been made before."""

    answer: bytes
    after: Sequence[Callable[[], Awaitable[None]]] = ()
    again: bool = False
    status: int = 200


def application(
    state: State, table: Sequence[Route], *middlewares: Middleware, pace: OperatorPace | None = None
) -> web.Application:
    """An application that answers the routes of a table; the middlewares say who asks (see `callers`).

    pace: how often one caller may ask; None: as operators may.
    """
    app = web.Application(middlewares=[_measured(state), errors_as_json, *middlewares], client_max_size=LARGEST_BODY)
    app[OUTAGES] = state.front.outages
    polls, operator = Polls(), state.settings.operator
    pace = pace or OperatorPace(operator.reads_per_second, operator.changes_per_second)
    for route in table:
        app.router.add_route(route.method, route.path, _answering(state, route, polls, pace))
    return app


def _measured(state: State) -> Middleware:
    """A middleware that counts answers and times them by their path in the table, and has times be told as local."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        tell_in(state.settings.utility.local)
        began = time.perf_counter()
        answer = await handler(request)
        resource = request.match_info.route.resource
        route = "" if resource is None else resource.canonical
        state.metrics.operator_answered(route, request.method, answer.status, began)
        return answer

    return measure


def _answering(state: State, route: Route, polls: Polls, pace: OperatorPace) -> Answer:
    """What aiohttp calls for a route: who may not use it is refused, and that is noted."""
    answer = _change(state, route) if route.changes else _look_up(state, route, polls)

    async def permitted(http: web.Request) -> web.StreamResponse:
        caller = caller_of(http)
        try:
            pace.admit(caller.name, change=route.changes)
            caller.require(route.role, change=route.changes)
        except TooManyChanges:
            raise  # what comes too often would fill the audit log as well
        except SepError as refusal:
            await auditing.note_refusal(state, http, refusal, caller=caller, verb=route.verb)
            raise
        return await answer(http)

    return permitted


def _look_up(state: State, route: Route, polls: Polls) -> Answer:
    async def answer(http: web.Request) -> web.StreamResponse:
        asked, caller = decoding.query(http, route.asked), caller_of(http)
        if route.is_list and wants_csv(http):
            return await _as_table(state, route, http, asked)
        if route.is_document and XML in http.headers.get("Accept", ""):
            found = await _found(state, route, http, asked)
            return web.Response(body=f"{DECLARATION}{found.xml}".encode(), content_type=XML, charset="utf-8")
        body = await _seen(state, route, http, asked)
        known, patience_s = http.headers.get("If-None-Match"), _patience(http)
        if known == _tag(body) and patience_s > 0:
            # A long poll is the GET again, until its answer is another one than the caller has.
            poll = Poll(
                f"{caller.sees} {caller.role} {http.path}?{http.query_string}",
                look=lambda: _seen(state, route, http, asked),
                is_news=lambda found: known != _tag(found),
                is_gone=lambda: http.transport is None or http.transport.is_closing(),
            )
            body = await polls.news(poll, patience_s) or body
        if known == _tag(body):
            return web.Response(status=304, headers={"ETag": known})
        return web.Response(body=body, content_type="application/json", headers={"ETag": _tag(body)})

    return answer


async def _as_table(state: State, route: Route, http: web.Request, asked: Any) -> web.Response:
    found = await _found(state, route, http, asked)
    headers = {} if found.next is None else {NEXT: found.next}
    return web.Response(body=as_csv(found), content_type=CSV, charset="utf-8", headers=headers)


async def _seen(state: State, route: Route, http: web.Request, asked: Any) -> bytes:
    return msgspec.json.encode(await _found(state, route, http, asked))


async def _found(state: State, route: Route, http: web.Request, asked: Any) -> Any:
    async with state.db.read() as db:
        request = Request(state, db, state.clock.now(), decoding.ids(http), caller_of(http))
        return await route.handler(request, asked)


def _change(state: State, route: Route) -> Answer:
    async def answer(http: web.Request) -> web.StreamResponse:
        caller, how = caller_of(http), decoding.how(http, seconded=route.seconded)
        said = await http.clone(client_max_size=route.largest_body).read()
        asked = decoding.body(said, route.asked)
        once = None if how.dry_run else asked_once(http, caller.name, said)
        try:
            done = await _made_once(state, _Change(route, http, caller, asked, once, how, said))
        except _OnlyTrying as tried:
            return as_json(hidden(tried.answer) if route.secret else tried.answer)
        except SepError as refusal:
            if not how.dry_run:
                kept = _without(asked, route.kept_apart)
                await auditing.note_refusal(state, http, refusal, caller=caller, verb=route.verb, asked=kept)
            raise
        for step in done.after:
            await step()
        state.wake()
        headers = {REPLAYED: "true"} if done.again else None
        return web.Response(body=done.answer, content_type="application/json", headers=headers, status=done.status)

    return answer


async def tried(state: State, route: Route, caller: Caller, said: tuple[Any, Mapping[str, str]]) -> Any:
    """What a change would answer to a caller; nothing is changed. said: what is asked for, and the path's ids."""
    caller.require(route.role, change=True)
    asked, ids = said
    prepared = None if route.ahead is None else await route.ahead(Ahead(state, ids, caller, True), asked)
    try:
        async with state.db.write() as db:
            rq = Request(state, db, state.clock.now(), ids, caller, only_trying=True, prepared=prepared)
            raise _OnlyTrying(await route.handler(rq, asked))
    except _OnlyTrying as done:
        return hidden(done.answer) if route.secret else done.answer


async def _made_once(state: State, change: _Change) -> _Done:
    """What the change answers; where the same request is under way beside it, what that one answered."""
    try:
        return await _made(state, change)
    except _NotYet as put_off:
        return await _kept(state, change, put_off.answer)
    except SepError as refusal:
        # What the other one has just made may be why this one is refused.
        if change.once is None or not (isinstance(refusal, Clash) or await _is_answered(state, change.once)):
            raise
    return await _made(state, change)


async def _is_answered(state: State, once: Once) -> bool:
    """Whether a change that is to be made once was made before."""
    async with state.db.read() as db:
        return await once.answered(db, state.clock.now()) is not None


async def _kept(state: State, change: _Change, sheet: Any) -> _Done:
    """Keep a change, with what it would do, for a second person to decide on."""
    route, http, caller, _, once, how, said = change
    terms = state.settings.utility.approvals
    is_draft = how.draft and not route.of_request
    new = approvals.NewRequest(
        verb=route.verb,
        ids=msgspec.json.encode(decoding.ids(http)).decode(),
        subject=http.path[:500],
        body=(said or b"{}").decode(),
        sheet=msgspec.json.encode(sheet).decode(),
        why=sheet.needs_second,
        asker=caller.name,
        role=int(caller.role),
    )
    now, state_name = state.clock.now(), approvals.DRAFT if is_draft else approvals.WAITING
    lasts_s = terms.draft_s if is_draft else terms.waits_s
    async with state.db.write() as db:
        if route.of_request:
            number = await approvals.wait(db, sheet.id, sheet.needs_second, now, lasts_s=lasts_s)
        else:
            number = await approvals.keep(db, new, now, state=state_name, lasts_s=lasts_s)
        waits = Waiting(approval=number, state=state_name, why=new.why, expires=now + lasts_s)
        answer = msgspec.json.encode(waits)
        if once is not None:
            await once.keep(db, now, answer)
        await _note(db, change, now, before=None, answered=waits, outcome=state_name)
    return _Done(answer, status=202)


async def _made(state: State, change: _Change) -> _Done:
    """What the handler answered, kept together with its entry in the audit log."""
    route, http, caller, asked, once, how, _ = change
    prepared = await _prepared(state, change)
    async with state.db.write() as db:
        ids = decoding.ids(http)
        rq = Request(state, db, state.clock.now(), ids, caller, only_trying=how.dry_run, prepared=prepared)
        if once is not None and (kept := await once.answered(db, rq.now)) is not None:
            waits = route.seconded and _is_waiting(kept)
            return _Done(kept, again=True, status=202 if waits else route.status_of(kept))
        before = await _before(route, rq, asked)
        _check_match(http, before)
        done = await route.handler(rq, asked)
        if how.dry_run:
            raise _OnlyTrying(done)
        if change.is_put_off(done):
            raise _NotYet(done)
        answer = msgspec.json.encode(done)
        if once is not None:
            await once.keep(db, rq.now, b"" if route.secret else answer)
        await _note(db, change, rq.now, before=before, answered=done)
    log.info("%s by %s: %s", route.verb, caller.name, http.path)
    return _Done(answer, rq.after, status=route.status_of(answer))


async def _prepared(state: State, change: _Change) -> Any:
    """What is worked out before the transaction; None where that is nothing, or it was answered before."""
    route, once = change.route, change.once
    if route.ahead is None:
        return None
    if once is not None and await _is_answered(state, once):
        return None
    return await route.ahead(Ahead(state, decoding.ids(change.http), change.caller, change.how.dry_run), change.asked)


async def _before(route: Route, rq: Request, asked: Any) -> Any:
    """What the thing was that is about to change; None where there was nothing."""
    if route.before is None:
        return None
    try:
        return await route.before(rq, route.asked_before(asked))
    except NotFound:
        return None


def _is_waiting(kept: bytes) -> bool:
    """Whether what was answered before is that a change waits."""
    try:
        msgspec.json.decode(kept, type=Waiting)
    except msgspec.ValidationError:
        return False
    return True


def _check_match(http: web.Request, before: Any) -> None:
    """Nothing, unless what is about to change is not what the caller has seen: If-Match has its ETag, or `*`."""
    said = http.headers.get("If-Match")
    if said is None or (said.strip() == "*" and before is not None):
        return
    tags = [one.strip() for one in said.split(",")]
    now = None if before is None else _tag(msgspec.json.encode(before))
    if now not in tags:
        raise ChangedMeanwhile(f"If-Match: {said[:60]}, and now it is {now or 'not there'}")


async def _note(
    db: Connection, change: _Change, now: int, *, before: Any, answered: Any, outcome: str = "done"
) -> None:
    detail = {"asked": _without(change.asked, change.route.kept_apart), "answered": answered} | (
        {} if before is None else {"before": before}
    )
    said = auditing.entry(change.http, change.caller, now, verb=change.route.verb, detail=detail, outcome=outcome)
    await audits.add(db, said)


def _without(asked: Any, names: Sequence[str]) -> Any:
    """What was asked, without fields that are kept elsewhere."""
    if not names:
        return asked
    return {name: value for name, value in msgspec.to_builtins(asked).items() if name not in names}


def _patience(http: web.Request) -> float:
    """How long the caller would wait for another answer (RFC 7240: `Prefer: wait=30`)."""
    found = re.search(r"\bwait=(\d{1,3})\b", http.headers.get("Prefer", ""))
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0


def _tag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
