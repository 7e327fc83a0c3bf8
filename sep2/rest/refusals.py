"""Refusals as JSON: a stable code, a message, and the field it is about."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from sep2.errors import SepError
from sep2.rest.decoding import WrongBody
from sep2.rest.types import FaultSaid, Refused
from sep2.rules.market.faults import Unfit
from sep2.server.outages import Outages
from sep2.store.connection import Outage

log = logging.getLogger(__name__)

OUTAGES: web.AppKey[Outages] = web.AppKey("outages", Outages)
"""What the application notes outages of the database in."""
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def as_json(answer: Any, status: int = 200) -> web.Response:
    """An answer of these values."""
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json", status=status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Every refusal as {code, message, field}; what nobody foresaw is logged and answered with 500."""
    try:
        return await handler(request)
    except Outage as outage:
        return _outage(request, outage)
    except SepError as refusal:
        return refused(refusal)
    except web.HTTPException as refusal:
        return _http(request, refusal)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return as_json(Refused(code="internal", message="The server failed; its log says why"), 500)


def refused(refusal: SepError) -> web.Response:
    """The answer to what can not be done."""
    answer = as_json(_said(refusal), refusal.status)
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if retry_s := getattr(refusal, "retry_s", 0):
        answer.headers["Retry-After"] = str(retry_s)
    return answer


def _said(refusal: SepError) -> Refused:
    if isinstance(refusal, Unfit):
        faults = [FaultSaid(**one._asdict()) for one in refusal.faults]
        return Refused(code=refusal.named, message=str(refusal), field=faults[0].path, faults=faults)
    field = refusal.field if isinstance(refusal, WrongBody) else ""
    return Refused(code=refusal.code, message=str(refusal), field=field)


def _outage(request: web.Request, outage: Outage) -> web.Response:
    if (outages := request.app.get(OUTAGES)) is not None:
        outages.note(outage)
    log.warning("%s %s: %s", request.method, request.path, outage)
    return refused(outage)


def _http(request: web.Request, refusal: web.HTTPException) -> web.Response:
    """What aiohttp refuses before a route is found: an unknown path or method, a body that is too large."""
    code = refusal.reason.lower().replace(" ", "_")
    message = f"{request.method} {request.path}: {refusal.reason}"
    answer = as_json(Refused(code=code, message=message), refusal.status)
    if "Allow" in refusal.headers:
        answer.headers["Allow"] = refusal.headers["Allow"]
    return answer
