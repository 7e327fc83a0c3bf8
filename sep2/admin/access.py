"""Who is let in: bearer tokens, passwords, one-time links, and the sessions that the last two begin."""

import asyncio
import hmac
import ipaddress
import secrets
from hashlib import sha256
from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Row

from sep2.admin import one_time
from sep2.admin.throttle import Throttle
from sep2.errors import Forbidden, SepError
from sep2.rest.callers import Caller, Unauthorized
from sep2.rest.decoding import CONTROL_CHARACTERS
from sep2.rules import credentials
from sep2.rules.roles import ENGINEER, ROLES, OperatorRole
from sep2.server import security
from sep2.server.app import State
from sep2.settings import read_token
from sep2.store import operators
from sep2.store.connection import Connection

LOCAL = "local"
"""The operator, and the token, of `operator.token_file`."""
COOKIE = "__Host-sep2"
SESSION_S, IDLE_S = 12 * 3600, 30 * 60
LINK_S = 60
MOST_LINKS = 100
NOTED_EVERY_S = 60
HASHING_AT_ONCE = 2
NOBODY = credentials.hashed(secrets.token_hex(16))
"""Compared where there is no such operator, so that it takes as long."""


class WrongPassword(Unauthorized):
    """Name, password or one-time code is wrong."""


class WrongLink(Unauthorized):
    """This link was used, or is older than a minute; `sep2 desk open` makes another one."""


class TooManyLogins(SepError):
    """Too many logins failed from this address."""

    status = 429

    def __init__(self, retry_s: int) -> None:
        super().__init__(f"try again in {retry_s} s")
        self.retry_s = retry_s


class NotHere(Forbidden):
    """That is done on the server's own machine only."""


class Session(NamedTuple):
    """A new session: its number, the value of its cookie, which is stored nowhere, and whose it is."""

    id: int
    cookie: str
    name: str
    role: OperatorRole


class _Link(NamedTuple):
    operator: str
    until: int


class Access:
    """What lets operators in."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._local = read_token(state.settings).encode()
        self._links: dict[str, _Link] = {}
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self.throttle = Throttle()

    @property
    def now(self) -> int:
        """The machine's time: tokens and sessions end by it, whatever clock clients are told."""
        return self._state.dates.now()

    async def caller(self, http: web.Request) -> Caller:
        """Who makes a request; Unauthorized where that is not shown."""
        address = address_of(http)
        kind, _, shown = http.headers.get("Authorization", "").partition(" ")
        cookie = http.cookies.get(COOKIE, "")
        if kind:
            found = await self._by_token(shown, http) if kind.lower() == "bearer" else None
        else:
            found = await self._by_session(cookie, address) if cookie else None
        if found is not None:
            return found
        if kind or cookie:
            self._failed(address, "token" if kind else "session")
        raise Unauthorized

    def _failed(self, address: str, by: str) -> None:
        """Note a failure of a secret of 256 bits, which nobody guesses; of many only the first are reported."""
        if not self.throttle.wait_s(address):
            security.event("login_failed", address=address, by=by)
        self.throttle.note(address)

    async def _by_token(self, shown: str, http: web.Request) -> Caller | None:
        address, label = address_of(http), _label(http)
        async with self._state.db.read() as db:
            if hmac.compare_digest(shown.encode(errors="replace"), self._local):
                row = await _operator(db, LOCAL)
                return None if row is None else Caller(row.name, ROLES[row.role], "token local", address, label)
            number = credentials.token_id(shown)
            row = None if number is None else await operators.token_by_id(db, number)
        if row is None or not credentials.is_that(shown, row.digest) or row.expires <= self.now:
            return None
        if (row.last_used or 0) + NOTED_EVERY_S < self.now:
            async with self._state.db.write() as db:
                await operators.token_used(db, row.id, self.now)
        role = min(ROLES[row.role], ROLES[row.operator_role])
        return Caller(row.operator_name, role, f"token {row.id}", address, label, read_only=row.read_only)

    async def _by_session(self, cookie: str, address: str) -> Caller | None:
        now = self.now
        async with self._state.db.read() as db:
            row = await operators.session_by_digest(db, credentials.digest(cookie))
        if row is None or row.expires <= now:
            return None
        role = ROLES[row.operator_role]
        if role >= ENGINEER and row.used + IDLE_S <= now:
            return None
        if row.used + NOTED_EVERY_S < now:
            async with self._state.db.write() as db:
                await operators.session_used(db, row.id, now)
        return Caller(
            row.operator_name,
            role,
            f"session {row.id}",
            address,
            session=row.id,
            csrf=csrf_token(cookie),
            has_codes=row.has_codes,
        )

    async def sign_in(
        self, http: web.Request, name: str, password: str, code: str = "", *, needs_code: bool
    ) -> Session:
        """A session of the operator with that name and password; takes as long whoever is named.

        code: of the operator's app, where it has one; needs_code: whether nobody comes in without.
        """
        address = address_of(http)
        if wait_s := self.throttle.wait_s(address):
            self.throttle.note(address)
            raise TooManyLogins(wait_s)
        async with self._state.db.read() as db:
            row = await _operator(db, name)
        stored = NOBODY if row is None or row.password is None else row.password
        async with self._hashing:
            right = await asyncio.to_thread(credentials.fits, password, stored)
        if row is not None and row.totp is not None:
            right = right and await self._is_good_code(row, code)
        elif needs_code:
            right = False
        if row is None or row.password is None or not right:
            self.throttle.note(address)
            security.event("login_failed", operator=name, address=address, by="password")
            raise WrongPassword
        return await self.begin(http, row)

    async def _is_good_code(self, row: Row[Any], code: str) -> bool:
        """Whether a one-time code is an operator's; it is good once, so that who has seen it does not come in by it."""
        step = one_time.step_of(row.totp, code, self.now)
        if step is None:
            return False
        async with self._state.db.write() as db:
            return await operators.use_step(db, row.id, step)

    def link(self, operator: str) -> str:
        """The value of a link that begins one session of an operator, within a minute."""
        self._links = {digest: one for digest, one in self._links.items() if one.until > self.now}
        if len(self._links) >= MOST_LINKS:
            self._links.pop(next(iter(self._links)))
        value = secrets.token_urlsafe(32)
        self._links[credentials.digest(value)] = _Link(operator, self.now + LINK_S)
        return value

    async def follow(self, http: web.Request, value: str) -> Session:
        """The session that a link begins; it is good for one."""
        link = self._links.pop(credentials.digest(value), None)
        row = None
        if link is not None and link.until > self.now:
            async with self._state.db.read() as db:
                row = await _operator(db, link.operator)
        if row is None:
            self._failed(address_of(http), "link")
            raise WrongLink
        return await self.begin(http, row)

    async def begin(self, http: web.Request, row: Row[Any]) -> Session:
        """A session of the operator of that row, which the caller has made sure of."""
        cookie, now = secrets.token_urlsafe(32), self.now
        agent = CONTROL_CHARACTERS.sub("?", http.headers.get("User-Agent", ""))[:200]
        async with self._state.db.write() as db:
            await operators.forget_expired(db, before=now)
            number = await operators.add_session(
                db,
                operator_id=row.id,
                digest=credentials.digest(cookie),
                address=address_of(http),
                agent=agent,
                created=now,
                expires=now + SESSION_S,
                used=now,
            )
        security.event("login", operator=row.name, address=address_of(http), session=str(number))
        return Session(number, cookie, row.name, ROLES[row.role])


def csrf_token(cookie: str) -> str:
    """The CSRF token of the session with that cookie: only who has the cookie could know it."""
    return sha256(f"csrf {cookie}".encode()).hexdigest()


def address_of(http: web.Request) -> str:
    """The address that a request comes from."""
    return (http.remote or "")[:64]


def is_local(http: web.Request) -> bool:
    """Whether a request comes from this machine."""
    try:
        return ipaddress.ip_address(address_of(http).partition("%")[0]).is_loopback
    except ValueError:
        return False


async def _operator(db: Connection, name: str) -> Row[Any] | None:
    found = await operators.password_of(db, credentials.folded(name))
    return found[0] if found else None


def _label(http: web.Request) -> str:
    return CONTROL_CHARACTERS.sub("", http.headers.get("X-Operator", ""))[:60]
