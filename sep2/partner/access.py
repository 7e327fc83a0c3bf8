"""Who asks at the market API: the party whose certificate was shown, and only while it is active."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from certs.errors import BadCertificate
from sep2.errors import BadRequest, Forbidden
from sep2.rest import browsers
from sep2.rest.callers import CALLER, ID, REQUEST_ID, Caller, new_request_id
from sep2.rest.idempotency import HEADER
from sep2.rest.route import Request
from sep2.rules.roles import OPERATOR
from sep2.server import security
from sep2.server.app import State
from sep2.store.market import register
from sep2.store.market.facts import AsOf
from sep2.terminal import request_id

BASE = "/market/v1"
ISO = f"{BASE}/iso"
FOR_ALL = tuple(f"{BASE}/{name}" for name in ("party", "messages", "keys", "webhooks", "profile", "openapi.json"))
"""Paths, with those below them, that are for every party; the others are for aggregators, those below `iso` are not."""
SYSTEM_OPERATOR = "iso"
PURPOSES = ("market", "both")
ACTIVE = "active"


class NoParty(Forbidden):
    """This certificate stands for nobody in the market."""


class PartyNotActive(Forbidden):
    """The party takes no part in the market at present."""


class NotForThisParty(Forbidden):
    """This is for parties of another kind: aggregators, or, below `iso`, system operators."""


class IdempotencyKeyMissing(BadRequest):
    """A POST needs an Idempotency-Key: sent again under it, it is made once."""


@dataclass(frozen=True)
class PartyCaller(Caller):
    """A party, known by its certificate."""

    party_id: int = 0
    kind: str = ""


def party_of(rq: Request) -> PartyCaller:
    """The party that asks."""
    assert isinstance(rq.caller, PartyCaller)  # `gate` lets in nobody else
    return rq.caller


def gate(state: State) -> Middleware:
    """A middleware that lets in the parties that certificates stand for."""

    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ID] = new_request_id()
        told = request_id.set(request[ID])
        try:
            browsers.check_origin(request)
            request[CALLER] = caller = await _caller(state, request)
            _check_kind(caller, request.path)
            if request.method == "POST" and HEADER not in request.headers:
                raise IdempotencyKeyMissing
            return await handler(request)
        finally:
            request_id.reset(told)

    return let_in


async def _caller(state: State, http: web.Request) -> PartyCaller:
    lfdi, address = _lfdi(state, http), http.remote or ""
    now = state.clock.now()
    async with state.db.read() as db:
        rows = [
            row
            for row in await register.with_certificate(db, lfdi)
            if row.purpose in PURPOSES and row.valid_from <= now and (row.valid_to is None or now < row.valid_to)
        ]
        party = None if not rows else await register.entry(db, "party", rows[0].party_id, AsOf(now))
    if party is None:
        security.event("refused", lfdi=lfdi, address=address, code=NoParty.code)
        raise NoParty(lfdi)
    if party.status != ACTIVE:
        raise PartyNotActive(f"{party.name} is {party.status}")
    return PartyCaller(
        name=f"party {party.name}",
        role=OPERATOR,
        via=f"certificate {lfdi}",
        address=address,
        sees=f"party {party.id}",
        party_id=party.id,
        kind=party.kind,
    )


def _check_kind(caller: PartyCaller, path: str) -> None:
    if any(path == one or path.startswith(f"{one}/") for one in FOR_ALL):
        return
    if path.startswith(f"{ISO}/") != (caller.kind == SYSTEM_OPERATOR):
        raise NotForThisParty(f"{caller.name} is of the kind {caller.kind}")


def _lfdi(state: State, http: web.Request) -> str:
    """The LFDI of the certificate that was shown, of those that are trusted."""
    connection = None if http.transport is None else http.transport.get_extra_info("ssl_object")
    if connection is None:
        raise NoParty("no certificate")
    try:
        return state.tls.admit(connection).lfdi
    except BadCertificate as bad:
        raise NoParty(bad.detail) from None


async def add_request_id(http: web.Request, answer: web.StreamResponse) -> None:
    """Say under which id the log knows a request."""
    headers: Mapping[str, str] = answer.headers
    if REQUEST_ID not in headers and ID in http:
        answer.headers[REQUEST_ID] = http[ID]
