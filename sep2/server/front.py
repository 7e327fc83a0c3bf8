"""The front: finds the row, admits the caller, opens the transaction, runs the handler, encodes, and answers errors."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sep2 import wire as w
from sep2.clock import Clock
from sep2.errors import NotFound, SepError
from sep2.functions.request import House, Ids, Made, Request
from sep2.operations.alarms import PROFILE_MISMATCH, TOO_MANY_REQUESTS, raise_alarm
from sep2.operations.devices import DeviceTaken
from sep2.resources import TABLE, Resource
from sep2.rules import media, pace
from sep2.rules.paging import Page, read
from sep2.server.access import Unregistered, admitted
from sep2.server.dialect import Dialects
from sep2.store.connection import Busy, Clash, Connection
from sep2.store.database import Database

log = logging.getLogger("sep2.front")

WRITES = frozenset({"PUT", "POST", "DELETE"})
METHODS = WRITES | {"GET", "HEAD"}
NEVER_OFFERED = frozenset({"PATCH", "OPTIONS", "TRACE", "CONNECT"})
"""Methods of HTTP that no resource of 2030.5 has."""


BUSY_S = 5
"""After how long a client may try again where the database is overloaded."""


class NoSuchMethod(SepError):
    """2030.5 uses GET, HEAD, PUT, POST and DELETE."""

    status = 501


class NotOffered(SepError):
    """This resource does not offer that method."""

    status = 405

    def __init__(self, row: Resource) -> None:
        super().__init__(row.name)
        self.allow = row.allow


class TooManyRequests(SepError):
    """The client asks more often than this utility lets it."""

    status = 429
    reason = 4

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


@dataclass(slots=True)
class Asked:
    """A request as it came in; the LFDI is that of the peer's certificate."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    lfdi: str = ""


@dataclass(slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    unregistered: bool = False
    """Whether the certificate is no client's."""


class Front:
    """Answers requests out of one database."""

    def __init__(self, db: Database, clock: Clock, house: House) -> None:
        self.db = db
        self.clock = clock
        self.house = house
        self.on_request: Callable[[str], None] = lambda lfdi: None
        """Hears of every request, by the LFDI of the peer's certificate."""
        self._compared: set[str] = set()
        self._hurried: set[str] = set()
        self._kinds: dict[str, str] = {}
        self._booked: dict[str, float] = {}
        self._dialects = Dialects(db)

    async def answer(self, asked: Asked) -> Answer:
        """The answer to a request; whatever goes wrong is an answer too."""
        try:
            return await self._answer(asked)
        except SepError as refusal:
            log.info("%s %s %s: %s (%s)", asked.lfdi[:12], asked.method, asked.path, refusal, refusal.code)
            answer = refused(refusal, self._place_of(refusal))
            answer.unregistered = isinstance(refusal, Unregistered)
            return answer
        except Exception:
            log.exception("%s %s %s failed", asked.lfdi[:12], asked.method, asked.path)
            return refused(SepError())

    async def represent(self, lfdi: str, name: str, ids: dict[str, int], limit: int) -> tuple[Any, w.Profile]:
        """What a GET by this peer would show, with at most `limit` items, and the profile to show it in."""
        row = TABLE[name]
        async with self.db.read() as db:
            rq = await self._admit(db, row, ids, Page(0, min(limit, self._cap)), lfdi=lfdi, writes=False)
            return await self._shown(row, rq), rq.caller.profile

    @property
    def _cap(self) -> int:
        return self.house.settings.utility.page_cap

    async def _answer(self, asked: Asked) -> Answer:
        if asked.method not in METHODS | NEVER_OFFERED:
            raise NoSuchMethod(asked.method[:20])
        await self._pace(asked.lfdi)
        self.on_request(asked.lfdi)
        found = TABLE.find(asked.path)
        if found is None:
            raise NotFound(asked.path[:80])
        row, ids = found
        if row.handler(asked.method) is None:
            raise NotOffered(row)
        media.check_accept(asked.headers.get("Accept"))
        if asked.method in WRITES:
            try:
                return await self._write(row, ids, asked)
            except (Clash, Busy):
                # Somebody else wrote the same first; what they wrote is there to be found now.
                return await self._write(row, ids, asked)
            finally:
                await self._dialects.compare(asked.lfdi, asked.body, self.clock.now())
        page = read(parse_qsl(asked.query, keep_blank_values=True), self._default_page, self._cap)
        async with self.db.read() as db:
            rq = await self._admit(db, row, ids, page, lfdi=asked.lfdi, writes=False)
            shown = await self._shown(row, rq)
        await self._compare(rq, asked.headers.get("Accept"))
        return Answer(200, w.encode(shown, rq.caller.profile), {"Content-Type": media.XML})

    @property
    def _default_page(self) -> int:
        return self.house.settings.utility.default_page

    async def _write(self, row: Resource, ids: dict[str, int], asked: Asked) -> Answer:
        handler = row.handler(asked.method)
        assert handler is not None
        async with self.db.write() as db:
            rq = await self._admit(db, row, ids, Page(), lfdi=asked.lfdi, writes=True)
            if asked.method == "DELETE":
                made = await handler(rq)
            else:
                media.check_content_type(asked.headers.get("Content-Type"))
                takes = row.posted if asked.method == "POST" else (row.kind,)
                body: Any = w.decode(asked.body, *takes, profile=rq.caller.profile)
                made = await handler(rq, body)
        return _changed(made)

    async def _admit(
        self, db: Connection, row: Resource, ids: dict[str, int], page: Page, *, lfdi: str, writes: bool
    ) -> Request:
        utility = self.house.settings.utility
        caller, device = await admitted(db, lfdi, row, ids, utility=utility, writes=writes)
        self._kinds[lfdi] = caller.kind
        return Request(
            db=db,
            now=self.clock.now(),
            caller=caller,
            ids=Ids(ids),
            page=page,
            house=self.house,
            table=TABLE,
            device=device,
        )

    async def _shown(self, row: Resource, rq: Request) -> Any:
        """What the handler returns, with the attributes that every representation of the row has."""
        shown = await row.get(rq)
        shown.href = rq.href(row.name)
        if row.subscribable:
            shown.subscribable = 1
        if hasattr(shown, "pollRate"):
            shown.pollRate = self.house.poll_rate(row.name)
        return shown

    async def _pace(self, lfdi: str) -> None:
        """Refuse a client that asks too often, before it costs anything; raise an alarm, once."""
        most = self.house.settings.utility.requests_per_minute
        per_minute = most.aggregator if self._kinds.get(lfdi) == "aggregator" else most.device
        if per_minute == 0:
            return
        now = self.clock.now()
        self._booked[lfdi], wait_s = pace.admit(self._booked.get(lfdi, 0), now, per_minute)
        if wait_s == 0:
            return
        if lfdi not in self._hurried:
            self._hurried.add(lfdi)
            async with self.db.write() as db:
                await raise_alarm(db, TOO_MANY_REQUESTS, lfdi, f"more than {per_minute} a minute", now=now)
        raise TooManyRequests(wait_s)

    async def _compare(self, rq: Request, accept: str | None) -> None:
        """Raise an alarm, once, for a client that says it reads no extensions and is registered as one that does.

        Its limits are sent all the same: a client that is left without any is the greater danger.
        """
        lfdi = rq.caller.lfdi
        if not accept or rq.caller.profile is w.Profile.CSIP or lfdi in self._compared:
            return
        self._compared.add(lfdi)
        if media.refuses_extensions(accept):
            detail = f"it accepts {accept[:60]!r} and is registered as {rq.caller.profile}"
            async with self.db.write() as db:
                await raise_alarm(db, PROFILE_MISMATCH, lfdi, detail, now=rq.now)

    def _place_of(self, refusal: SepError) -> str | None:
        """Where the EndDevice is that a second registration collided with."""
        if isinstance(refusal, DeviceTaken):
            return TABLE.href("EndDevice", {"edev": refusal.device_id})
        return None


def refused(refusal: SepError, location: str | None = None) -> Answer:
    """An answer that says no, with an Error where the standard has a reasonCode for it."""
    headers = {"Location": location} if location else {}
    if isinstance(refusal, NotOffered):
        headers["Allow"] = refusal.allow
    wait_s = refusal.wait_s if isinstance(refusal, TooManyRequests) else None
    if wait_s is not None or refusal.status == 503:
        headers["Retry-After"] = str(wait_s or BUSY_S)
    if refusal.reason is None and refusal.status != 409:
        return Answer(refusal.status, headers=headers)
    body = w.encode(w.Error(maxRetryDuration=wait_s, reasonCode=refusal.reason or 0), w.Profile.CSIP)
    return Answer(refusal.status, body, headers | {"Content-Type": media.XML})


def _changed(made: Made | None) -> Answer:
    """201 with the place of what is new; 204 for what was changed, with its place where clients expect one."""
    if made is None:
        return Answer(204)
    return Answer(201 if made.new else 204, headers={"Location": made.href})
