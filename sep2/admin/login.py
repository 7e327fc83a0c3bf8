"""Signing in and out: what a browser does before and after everything else."""

from typing import Annotated, Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Meta, Struct

from sep2.admin import oidc
from sep2.admin.access import COOKIE, SESSION_S, Access, NotHere, Session, address_of, csrf_token, is_local
from sep2.admin.types import DeskLink
from sep2.errors import Forbidden, NotFound, SepError
from sep2.operations.alarms import LOCAL_LOGIN, raise_alarm
from sep2.operations.operators import signed_in
from sep2.rest import auditing, browsers, decoding
from sep2.rest.callers import CALLER, ID, REQUEST_ID, Caller, RoleTooLow, caller_of, new_request_id
from sep2.rest.refusals import as_json
from sep2.rest.types import Asked, Done
from sep2.rules.credentials import LONGEST_PASSWORD, folded
from sep2.rules.roles import ROLES, VIEWER
from sep2.server import security
from sep2.server.app import State
from sep2.settings import Settings
from sep2.store import audits, operators
from sep2.terminal import request_id

PROBES = frozenset({"/healthz", "/readyz"})
"""What is answered whatever host it is asked of: who probes knows an address only."""
OPEN = PROBES | {"/login", "/login/oidc", oidc.CALLBACK, "/desk/open", "/desk/sign-in"}
"""What is answered to everybody."""
OPEN_UNDER = "/desk/static/"
"""Where style sheets and scripts are, which are the same for everybody."""
LOCALLY_OPEN = frozenset({"/metrics"})
"""What is answered to everybody on this machine."""
GO_ON = '<!doctype html><title>Signed in</title><meta http-equiv="refresh" content="0; url=/"><a href="/">Go on</a>'
"""After the provider: a cookie that is for our own pages only comes with a request that one of them makes."""
_COOKIE: dict[str, Any] = {"path": "/", "secure": True, "httponly": True, "samesite": "Strict"}
Password = Annotated[str, Meta(min_length=1, max_length=LONGEST_PASSWORD)]


class Credentials(Asked, frozen=True, kw_only=True):
    """Name and password of an operator."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    password: Password
    code: Annotated[str, Meta(max_length=20)] = ""
    """Of the operator's authenticator app, where they have one."""


class SignedIn(Struct, frozen=True, kw_only=True):
    """Who is signed in, and the token that changes by this session carry in X-CSRF-Token."""

    operator: str
    role: str
    csrf: str


class NoProvider(NotFound):
    """There is no sign-in provider here (operator.oidc)."""


class CertificateMissing(Forbidden):
    """From another machine a client certificate (operator.authorities) is needed, or a password and a one-time code."""


def gate(state: State, access: Access) -> Middleware:
    """The middleware that lets requests in: for a host of ours, from no page of others, by somebody who is known."""
    names = host_names(state.settings)

    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        token = request_id.set(new_request_id())
        request[ID] = request_id.get()
        try:
            if request.path not in PROBES:
                browsers.check_host(request, names)
            browsers.check_origin(request)
            if not _is_open(request):
                caller = await access.caller(request)
                _check_certificate(request, state.settings, caller)
                request[CALLER] = caller
                if request.method not in ("GET", "HEAD"):
                    await _check_csrf(state, request, caller)
            return await handler(request)
        finally:
            request_id.reset(token)

    return let_in


def host_names(settings: Settings) -> frozenset[str]:
    """The host names that operators may use for this server."""
    operator = settings.operator
    return frozenset({"localhost", "127.0.0.1", "::1", operator.host.lower(), *(n.lower() for n in operator.names)})


def _is_open(http: web.Request) -> bool:
    if http.method == "GET" and http.path.startswith(OPEN_UNDER):
        return True
    return http.path in OPEN or (http.path in LOCALLY_OPEN and is_local(http) and "Authorization" not in http.headers)


def _check_certificate(http: web.Request, settings: Settings, caller: Caller) -> None:
    """Where client certificates are asked for, this machine goes without, and who has signed in with a code."""
    is_known = is_local(http) or has_certificate(http) or (caller.session is not None and caller.has_codes)
    if settings.operator.authorities and not is_known:
        raise CertificateMissing


def has_certificate(http: web.Request) -> bool:
    """Whether the peer has shown a certificate of the operators' authorities."""
    return http.transport is not None and bool(http.transport.get_extra_info("peercert"))


async def _check_csrf(state: State, http: web.Request, caller: Caller) -> None:
    try:
        browsers.check_csrf(http, caller)
    except SepError as refusal:
        await auditing.note_refusal(state, http, refusal, caller=caller, verb="csrf")
        raise


async def add_request_id(http: web.Request, answer: web.StreamResponse) -> None:
    """Tell the id of a request, by which the log and the audit log know it."""
    if ID in http:
        answer.headers[REQUEST_ID] = http[ID]


class Login:
    """Signing in by password and by link, and out: what is asked for before there is a caller."""

    def __init__(self, state: State, access: Access) -> None:
        self._state = state
        self._access = access
        known = state.settings.operator.oidc
        self._provider = None if known is None else oidc.Provider(known)

    def routes(self) -> list[web.RouteDef]:
        """What the application answers beside its table."""
        return [
            web.post("/login", self.sign_in),
            web.post("/logout", self.sign_out),
            web.post("/desk/links", self.make_link),
            web.get("/desk/open", self.follow),
            web.get("/login/oidc", self.go_to_provider),
            web.get(oidc.CALLBACK, self.come_from_provider),
        ]

    async def sign_in(self, http: web.Request) -> web.StreamResponse:
        """A session by name and password."""
        asked: Credentials = decoding.body(await http.read(), Credentials)
        needs_code = not is_local(http) and not has_certificate(http)
        if needs_code and not asked.code:
            raise CertificateMissing
        try:
            session = await self._access.sign_in(http, asked.name, asked.password, asked.code, needs_code=needs_code)
        except SepError as refusal:
            if refusal.status == 401:
                nobody = Caller(_printable(asked.name), VIEWER, "password", address_of(http))
                await auditing.note_refusal(self._state, http, refusal, caller=nobody, verb="login")
            raise
        if self._provider is not None:
            async with self._state.db.write() as db:
                detail = f"from {address_of(http)}, by password"
                await raise_alarm(db, LOCAL_LOGIN, session.name, detail, now=self._state.clock.now())
        return await self._begin(http, session, web.Response(content_type="application/json"))

    async def go_to_provider(self, http: web.Request) -> web.StreamResponse:
        """Send the browser to the utility's sign-in provider."""
        if self._provider is None:
            raise NoProvider
        begun = await self._provider.begin(http, self._access.now)
        answer = web.Response(status=303, headers={"Location": begun.url})
        # Who comes back comes from the provider's page: a Strict cookie would not come with them.
        answer.set_cookie(oidc.COOKIE, begun.cookie, max_age=oidc.GOOD_FOR_S, **{**_COOKIE, "samesite": "Lax"})
        return answer

    async def come_from_provider(self, http: web.Request) -> web.StreamResponse:
        """A session of whom the provider has signed in; a page of ours goes on to the desk, with the cookie."""
        if self._provider is None:
            raise NoProvider
        try:
            who = await self._provider.finish(http, self._access.now)
            async with self._state.db.write() as db:
                name = _printable(who.name)[:80]
                row = await signed_in(db, who.subject, name, who.role, now=self._state.clock.now())
        except SepError as refusal:
            security.event("login_failed", address=address_of(http), by="provider", code=refusal.code)
            nobody = Caller("", VIEWER, "provider", address_of(http))
            await auditing.note_refusal(self._state, http, refusal, caller=nobody, verb="login")
            raise
        session = await self._access.begin(http, row)
        answer = await self._begin(http, session, web.Response(text=GO_ON, content_type="text/html"))
        answer.del_cookie(oidc.COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return answer

    async def make_link(self, http: web.Request) -> web.StreamResponse:
        """A link that signs a browser on this machine in as the caller, once."""
        caller = caller_of(http)
        if not is_local(http):
            raise NotHere
        async with self._state.db.read() as db:
            row = await operators.named(db, folded(caller.name))
        if row is None or caller.read_only or caller.role < ROLES[row.role]:
            raise RoleTooLow("a link signs in with the operator's own role, and this token has less")
        await self._note(http, caller, "make_desk_link")
        return as_json(DeskLink(link=f"/desk/open?link={self._access.link(caller.name)}"))

    async def follow(self, http: web.Request) -> web.StreamResponse:
        """A session by a link; the browser goes on to the first page."""
        if not is_local(http):
            raise NotHere
        session = await self._access.follow(http, http.query.get("link", ""))
        return await self._begin(http, session, web.Response(status=303, headers={"Location": "/"}))

    async def sign_out(self, http: web.Request) -> web.StreamResponse:
        """The session is over."""
        caller = caller_of(http)
        if caller.session is not None:
            async with self._state.db.write() as db:
                await operators.end_session(db, caller.session)
            await self._note(http, caller, "logout")
            security.event("logout", operator=caller.name, address=caller.address)
        answer = as_json(Done(message="signed out"))
        answer.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

    async def _begin(self, http: web.Request, session: Session, answer: web.Response) -> web.Response:
        caller = Caller(session.name, session.role, f"session {session.id}", address_of(http))
        await self._note(http, caller, "login")
        answer.set_cookie(COOKIE, session.cookie, max_age=SESSION_S, **_COOKIE)
        if answer.content_type == "application/json":
            csrf = csrf_token(session.cookie)
            answer.body = msgspec.json.encode(SignedIn(operator=session.name, role=session.role.word, csrf=csrf))
        return answer

    async def _note(self, http: web.Request, caller: Caller, verb: str) -> None:
        async with self._state.db.write() as db:
            await audits.add(db, auditing.entry(http, caller, self._state.clock.now(), verb=verb, detail={}))


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)
