"""From an HTTP request to a handler and back: decoding, transaction, audit log, idempotency, long polls."""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from sep2.rest import decoding
from sep2.rest.idempotency import Once, asked_once
from sep2.rest.polls import Poll, Polls
from sep2.rest.refusals import OUTAGES, Answer, as_json, errors_as_json
from sep2.rest.route import Request, Route
from sep2.server.app import State
from sep2.store import audits
from sep2.store.connection import Clash

log = logging.getLogger(__name__)

LARGEST_BODY = 32 * 1024 * 1024
"""An import of 200,000 rows has about so much."""
LONGEST_WAIT_S = 60


class _OnlyTrying(Exception):
    """Undoes the transaction of a dry run, once it is known what it would have answered."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer


class _Change(NamedTuple):
    """A change that is asked for, in its type; `once` where it came with an idempotency key."""

    route: Route
    http: web.Request
    asked: Any
    once: Once | None
    only_trying: bool


class _Done(NamedTuple):
    """What a change answered, what is to follow its commit, and whether it had been made before."""

    answer: bytes
    after: Sequence[Callable[[], Awaitable[None]]] = ()
    again: bool = False


def application(state: State, table: Sequence[Route], *middlewares: Middleware) -> web.Application:
    """An application that answers the routes of a table; the middlewares say who may ask."""
    app = web.Application(middlewares=[errors_as_json, *middlewares], client_max_size=LARGEST_BODY)
    app[OUTAGES] = state.front.outages
    polls = Polls()
    for route in table:
        app.router.add_route(route.method, route.path, _answering(state, route, polls))
    return app


def _answering(state: State, route: Route, polls: Polls) -> Answer:
    """What aiohttp calls for a route."""
    return _change(state, route) if route.changes else _look_up(state, route, polls)


def _look_up(state: State, route: Route, polls: Polls) -> Answer:
    async def answer(http: web.Request) -> web.StreamResponse:
        asked = decoding.query(http, route.asked)
        body = await _seen(state, route, http, asked)
        known, patience_s = http.headers.get("If-None-Match"), _patience(http)
        if known == _tag(body) and patience_s > 0:
            # A long poll is the GET again, until its answer is another one than the caller has.
            poll = Poll(
                f"{http.path}?{http.query_string}",
                look=lambda: _seen(state, route, http, asked),
                is_news=lambda found: known != _tag(found),
                is_gone=lambda: http.transport is None or http.transport.is_closing(),
            )
            body = await polls.news(poll, patience_s) or body
        if known == _tag(body):
            return web.Response(status=304, headers={"ETag": known})
        return web.Response(body=body, content_type="application/json", headers={"ETag": _tag(body)})

    return answer


async def _seen(state: State, route: Route, http: web.Request, asked: Any) -> bytes:
    async with state.db.read() as db:
        request = Request(state, db, state.clock.now(), decoding.ids(http))
        return msgspec.json.encode(await route.handler(request, asked))


def _change(state: State, route: Route) -> Answer:
    async def answer(http: web.Request) -> web.StreamResponse:
        only_trying = decoding.is_dry(http)
        said = await http.read()
        asked = decoding.body(said, route.asked)
        once = None if only_trying else asked_once(http, _operator(http), said)
        try:
            done = await _made_once(state, _Change(route, http, asked, once, only_trying))
        except _OnlyTrying as tried:
            return as_json(tried.answer)
        for step in done.after:
            await step()
        state.wake()
        headers = {"Idempotency-Replayed": "true"} if done.again else None
        return web.Response(body=done.answer, content_type="application/json", headers=headers)

    return answer


async def _made_once(state: State, change: _Change) -> _Done:
    """What the change answers; where the same request is under way beside it, what that one answered."""
    try:
        return await _made(state, change)
    except Clash:
        if change.once is None:
            raise
    return await _made(state, change)


async def _made(state: State, change: _Change) -> _Done:
    """What the handler answered, kept together with its entry in the audit log."""
    route, http, asked, once, only_trying = change
    async with state.db.write() as db:
        rq = Request(state, db, state.clock.now(), decoding.ids(http), _operator(http))
        if once is not None and (before := await once.answered(db, rq.now)) is not None:
            return _Done(before, again=True)
        done = await route.handler(rq, asked)
        if only_trying:
            raise _OnlyTrying(done)
        detail = msgspec.json.encode({"asked": asked, "answered": done}).decode()
        await audits.add(db, at=rq.now, operator=rq.operator, verb=route.verb, subject=http.path, detail=detail)
        answer = msgspec.json.encode(done)
        if once is not None:
            await once.keep(db, rq.now, answer)
    log.info("%s by %s: %s", route.verb, rq.operator, http.path)
    return _Done(answer, rq.after)


def _operator(http: web.Request) -> str:
    return decoding.CONTROL_CHARACTERS.sub("", http.headers.get("X-Operator", ""))[:60] or "operator"


def _patience(http: web.Request) -> float:
    """How long the caller would wait for another answer (RFC 7240: `Prefer: wait=30`)."""
    found = re.search(r"\bwait=(\d{1,3})\b", http.headers.get("Prefer", ""))
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0


def _tag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
