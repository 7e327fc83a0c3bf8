"""From an HTTP request to a handler and back: token, decoding, transaction, audit log, errors."""

import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from sep2.admin import types as t
from sep2.admin.polls import Poll, Polls
from sep2.admin.route import Request, Route
from sep2.errors import BadRequest, NotFound, SepError
from sep2.server.app import State
from sep2.server.outages import Outages
from sep2.store import audits
from sep2.store.connection import Outage

log = logging.getLogger(__name__)

LARGEST_BODY = 8 * 1024 * 1024
LONGEST_WAIT_S = 60
CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f]")

OUTAGES: web.AppKey[Outages] = web.AppKey("outages", Outages)
"""What the application notes outages of the database in."""
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _OnlyTrying(Exception):
    """Undoes the transaction of a dry run, once it is known what it would have answered."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer


class WrongBody(BadRequest):
    """The request does not say what this route asks for."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.field = field


def answering(state: State, route: Route, polls: Polls) -> Answer:
    """What aiohttp calls for a route."""
    return _change(state, route) if route.changes else _look_up(state, route, polls)


def _look_up(state: State, route: Route, polls: Polls) -> Answer:
    async def answer(http: web.Request) -> web.StreamResponse:
        asked = _decoded(lambda: msgspec.convert(dict(http.query), route.asked, strict=False))
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
        return msgspec.json.encode(await route.handler(Request(state, db, state.clock.now(), _ids(http)), asked))


def _change(state: State, route: Route) -> Answer:
    async def answer(http: web.Request) -> web.StreamResponse:
        query = _decoded(lambda: msgspec.convert(dict(http.query), t.ChangeQuery, strict=False))
        said = await http.read() or b"{}"
        asked = _decoded(lambda: msgspec.json.decode(said, type=route.asked))
        if b"\\u0000" in said:  # PostgreSQL can not store it, SQLite could
            raise WrongBody("text with a NUL character")
        try:
            done, after = await _done(state, route, http, asked, only_trying=query.dry_run)
        except _OnlyTrying as tried:
            return _json(tried.answer)
        for step in after:
            await step()
        state.wake()
        return _json(done)

    return answer


async def _done(
    state: State, route: Route, http: web.Request, asked: Any, *, only_trying: bool
) -> tuple[Any, list[Callable[[], Awaitable[None]]]]:
    """What the handler answered, kept together with its entry in the audit log."""
    operator = CONTROL_CHARACTERS.sub("", http.headers.get("X-Operator", ""))[:60] or "operator"
    async with state.db.write() as db:
        rq = Request(state, db, state.clock.now(), _ids(http), operator)
        done = await route.handler(rq, asked)
        if only_trying:
            raise _OnlyTrying(done)
        detail = msgspec.json.encode({"asked": asked, "answered": done}).decode()
        await audits.add(db, at=rq.now, operator=operator, verb=route.verb, subject=http.path, detail=detail)
    log.info("%s by %s: %s", route.verb, operator, http.path)
    return done, rq.after


def _decoded(decode: Callable[[], Any]) -> Any:
    try:
        return decode()
    except msgspec.ValidationError as wrong:
        _refuse(wrong)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise WrongBody(str(wrong)) from None


def _refuse(wrong: msgspec.ValidationError) -> NoReturn:
    """msgspec's `Expected int - at $.controls[0].start` as a message and the field it is about."""
    what, _, where = str(wrong).replace("`", "").partition(" - at $")
    for pattern, words in t.WORDS.items():
        what = what.replace(f"str matching regex {pattern!r}", words)
    raise WrongBody(what, where.removeprefix(".")) from None


def _ids(http: web.Request) -> dict[str, str]:
    ids = dict(http.match_info)
    if any(CONTROL_CHARACTERS.search(value) for value in ids.values()):
        raise NotFound
    return ids


def _patience(http: web.Request) -> float:
    """How long the caller would wait for another answer (RFC 7240: `Prefer: wait=30`)."""
    found = re.search(r"\bwait=(\d{1,3})\b", http.headers.get("Prefer", ""))
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0


def _tag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json", status=status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Every refusal as {code, message, field}; what nobody foresaw is logged and answered with 500."""
    try:
        return await handler(request)
    except Outage as outage:
        if (outages := request.app.get(OUTAGES)) is not None:
            outages.note(outage)
        log.warning("%s %s: %s", request.method, request.path, outage)
        answer = _json(t.Refused(code=outage.code, message=str(outage)), outage.status)
        answer.headers["Retry-After"] = str(outage.retry_s)
        return answer
    except SepError as refusal:
        field = refusal.field if isinstance(refusal, WrongBody) else ""
        return _json(t.Refused(code=refusal.code, message=str(refusal), field=field), refusal.status)
    except web.HTTPException as refusal:
        code = refusal.reason.lower().replace(" ", "_")
        answer = _json(
            t.Refused(code=code, message=f"{request.method} {request.path}: {refusal.reason}"), refusal.status
        )
        if "Allow" in refusal.headers:
            answer.headers["Allow"] = refusal.headers["Allow"]
        return answer
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _json(t.Refused(code="internal", message="The server failed; its log says why"), 500)


def authenticated(token: str) -> Any:
    """A middleware that lets nobody in who does not show the token."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Answer) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if hmac.compare_digest(shown, expected):
            return await handler(request)
        refused = t.Refused(code="unauthorized", message="The operator's token is missing or wrong")
        answer = _json(refused, 401)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    return check
