"""The front: finds the row, admits the caller, opens the transaction, runs the handler, encodes, and answers errors."""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl

from sep2 import wire as w
from sep2.clock import Clock
from sep2.errors import NotFound, SepError
from sep2.functions.fsa import group_named
from sep2.functions.request import Caller, House, Ids, Made, Request
from sep2.operations.alarms import raise_alarm
from sep2.operations.devices import DeviceTaken
from sep2.resources import TABLE, Reads, Resource
from sep2.rules import media
from sep2.rules.paging import Page, read
from sep2.server.access import Unregistered, admitted
from sep2.server.answers import Answer, Asked, NoSuchMethod, NotOffered, changed, refused
from sep2.server.bodies import Bodies
from sep2.server.dialect import Dialects
from sep2.server.holding import ensure_told
from sep2.server.kept_answers import NEVER, KeptAnswer, KeptAnswers, Key
from sep2.server.metrics import Metrics
from sep2.server.outages import Outages
from sep2.server.paces import Paces
from sep2.server.seen import Seen, What
from sep2.server.shares import Shares
from sep2.store.connection import Busy, Clash, Connection, Outage, Stale
from sep2.store.database import Database
from sep2.store.next_turn import next_turn
from sep2.terminal import request_id

log = logging.getLogger("sep2.front")

WRITES = frozenset({"PUT", "POST", "DELETE"})
READS = frozenset({"GET", "HEAD"})
METHODS = WRITES | READS
SENT = {
    "ResponseList": What.ANSWER,
    **dict.fromkeys(
        (
            "MirrorUsagePointList",
            "MirrorUsagePoint",
            "LogEventList",
            "DERCapability",
            "DERSettings",
            "DERStatus",
            "DERAvailability",
            "LoadShedAvailabilityList",
            "LoadShedAvailability",
        ),
        What.POST,
    ),
}
"""What a client has sent with a PUT or POST to a resource; to others it is a request as any."""
NEVER_OFFERED = frozenset({"PATCH", "OPTIONS", "TRACE", "CONNECT"})
"""Methods of HTTP that no resource of 2030.5 has."""


class _Anew(Enum):
    """That a change has to be made anew, from its body on."""

    ANEW = auto()


_ANEW = _Anew.ANEW


class Front:
    """Answers requests out of one database."""

    def __init__(self, db: Database, clock: Clock, house: House, seen: Seen) -> None:
        self.db = db
        self.clock = clock
        self.house = house
        self.on_request: Callable[[str], None] = lambda lfdi: None
        """Hears of every request, by the LFDI of the peer's certificate."""
        self.on_other_certificate: Callable[[str], None] = lambda lfdi: None
        """Hears of admitted requests with a certificate that is not the current one of its client."""
        self.paces = Paces(house.settings.utility.requests_per_minute, clock)
        self.outages = Outages(clock)
        self.metrics = Metrics()
        self.seen = seen
        self.bodies = Bodies()
        self._reading = Shares(*db.reads_at_once)
        self._writing = Shares(*db.writes_at_once)
        self._together = self._writing if db.writes_together == db.writes_at_once else Shares(*db.writes_together)
        self._profiles: dict[str, w.Profile] = {}
        """Of clients that were admitted before: what they send can be decoded before a transaction begins."""
        self.dialects = Dialects(db)
        self.kept_answers = KeptAnswers(db, house.settings.limits.kept_answers_bytes)

    def close(self) -> None:
        """End what works for it."""
        self.bodies.close()

    async def answer(self, asked: Asked) -> Answer:
        """The answer to a request; whatever goes wrong is an answer too."""
        began = time.perf_counter()
        token = request_id.set(secrets.token_hex(8))
        try:
            answer = await self._answered(asked)
            self.metrics.answered(asked.resource, asked.method, answer.status, began)
            return answer
        finally:
            request_id.reset(token)

    async def _answered(self, asked: Asked) -> Answer:
        try:
            return await self._answer(asked)
        except Outage as outage:
            self.outages.note(outage)
            log.warning("%s %s %s: %s", asked.lfdi[:12], asked.method, asked.path, outage)
            return refused(outage)
        except SepError as refusal:
            self.seen.refused(asked.lfdi)
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
        async with self._reading.of(lfdi), self.db.read() as db:
            db.reads_anew = True
            rq = await self._admit(db, row, ids, Page(0, min(limit, self._cap)), lfdi=lfdi, writes=False)
            if rq.device is not None:
                self.house.tell(row.name, rq.ids.edev)
            return await self._shown(row, rq), rq.caller.profile

    @property
    def _cap(self) -> int:
        return self.house.settings.utility.page_cap

    async def _answer(self, asked: Asked) -> Answer:
        if asked.method not in METHODS | NEVER_OFFERED:
            raise NoSuchMethod(asked.method[:20])
        self.on_request(asked.lfdi)
        self.seen.asked(asked.lfdi, asked.headers.get("User-Agent", ""))
        if asked.method in READS and (answer := await self._kept_answer(asked)) is not None:
            return answer
        found = TABLE.find(asked.path)
        if found is None:
            raise NotFound(asked.path[:80])
        row, ids = found
        asked.resource = row.name
        if row.handler(asked.method) is None:
            raise NotOffered(row)
        media.check_accept(asked.headers.get("Accept"))
        if asked.method in WRITES:
            async with self.bodies.worked_on(asked.lfdi, asked.body):
                try:
                    return await self._change(row, ids, asked)
                finally:
                    known = self._profiles.get(asked.lfdi)
                    await self.dialects.compare(asked.lfdi, asked.body, self.clock.now(), known)
        try:
            kept = await self._read(row, ids, asked)
        except Stale:
            kept = await self._read(row, ids, asked, anew=True)
        return await self._given(kept, asked.headers.get("Accept"))

    async def _kept_answer(self, asked: Asked) -> Answer | None:
        """The answer to a GET that was answered before and reads the same now; its client is heard of all the same."""
        kept = self.kept_answers.find(Key(asked.lfdi, asked.path, asked.query), self.clock.now(), self.house.poll_rates)
        if kept is None or self.house.holds:
            return None
        accept = asked.headers.get("Accept")
        media.check_accept(accept)
        asked.resource = kept.row.name
        self._note_caller(asked.lfdi, kept.caller)
        return await self._given(kept, accept)

    async def _given(self, kept: KeptAnswer, accept: str | None) -> Answer:
        """The answer as it goes out, with a note of who was told what."""
        self._note_read(kept)
        await self._compare(kept.caller, accept)
        return Answer(200, kept.body, {"Content-Type": media.XML})

    async def _read(self, row: Resource, ids: dict[str, int], asked: Asked, *, anew: bool = False) -> KeptAnswer:
        """What a GET shows; it is kept where the row says so. anew: with nothing known from before."""
        page, keeps = self._page(row, asked.query), self.kept_answers.may_keep(row)
        async with self._reading.of(asked.lfdi):
            count, rates = self.db.written.count, self.house.poll_rates
            async with self.db.read() as db:
                db.looked_at, db.reads_anew = set() if keeps else None, anew
                rq = await self._admit(db, row, ids, page, lfdi=asked.lfdi, writes=False)
                answer = await self._shown(row, rq)
                until = await self._until(row, rq) if keeps else NEVER
                tables = frozenset(db.looked_at or ())
            body = w.encode(answer, rq.caller.profile)
        kept = KeptAnswer(body, row, ids, rq.caller, rates, tables, count, rq.now, until)
        if keeps:
            self.kept_answers.keep(Key(asked.lfdi, asked.path, asked.query), kept)
        return kept

    async def _until(self, row: Resource, rq: Request) -> float:
        """The time at which an answer reads differently, if nothing is changed until then."""
        if row.same is not Reads.UNTIL_TURN:
            return NEVER
        turn = await next_turn(rq.db, rq.ids.edev, group_named(rq.ids), rq.seen)
        return NEVER if turn is None else turn

    def _note_read(self, kept: KeptAnswer) -> None:
        """Note that a device was asked about, and what it was told of how often to ask."""
        if "edev" in kept.ids:
            self.seen.looked(kept.ids["edev"])
            self.house.tell(kept.row.name, kept.ids["edev"])

    def _page(self, row: Resource, query: str) -> Page:
        """The part of a list that is asked for; queries of what is no list are ignored (2030.5 4.7)."""
        if not issubclass(row.kind, w.List | w.SubscribableList):
            return Page()
        return read(parse_qsl(query, keep_blank_values=True), self.house.settings.utility.default_page, self._cap)

    async def _change(self, row: Resource, ids: dict[str, int], asked: Asked) -> Answer:
        """The answer to a PUT, POST or DELETE. Its body is decoded before anybody has to wait for the transaction."""
        body, profile = None, w.Profile.CSIP
        if asked.method != "DELETE":
            profile = self._profiles.get(asked.lfdi) or await self._profile(row, ids, asked.lfdi)
            try:
                media.check_content_type(asked.headers.get("Content-Type"))
                takes = row.posted if asked.method == "POST" else (row.kind,)
                body = await self.bodies.decoded(asked.lfdi, asked.body, takes, profile)
            except SepError:
                # Who may not write here is told that, whatever the body is.
                current = await self._profile(row, ids, asked.lfdi)
                if current is profile:
                    raise
                return await self._change(row, ids, asked)
        async with (self._together if asked.method in row.together else self._writing).of(asked.lfdi):
            try:
                made = await self._write(row, ids, asked, (body, profile))
            except (Clash, Busy):
                # Somebody else wrote the same first; what they wrote is there to be found now.
                made = await self._write(row, ids, asked, (body, profile), anew=True)
            except SepError as refusal:
                if refusal.alarm is not None:
                    await self._alarm(*refusal.alarm)
                raise
        # The profile of the client was changed meanwhile: it means something else now.
        if made is _ANEW:
            return await self._change(row, ids, asked)
        self._note(row, ids, asked.lfdi, made)
        return changed(made)

    async def _alarm(self, code: str, subject: str, detail: str) -> None:
        async with self.db.write() as db:
            await raise_alarm(db, code, subject, detail, now=self.clock.now())

    def _note(self, row: Resource, ids: dict[str, int], lfdi: str, made: Made | None) -> None:
        """Note who has sent what; `made` is what came of it."""
        device = ids.get("edev") if made is None or made.device is None else made.device
        written = None if made is None else made.written
        self.seen.sent(lfdi, SENT.get(row.name, What.REQUEST), device=device, written=written)

    async def _write(
        self, row: Resource, ids: dict[str, int], asked: Asked, said: tuple[Any, w.Profile], *, anew: bool = False
    ) -> Made | _Anew | None:
        """What the handler made, in one transaction; nothing, where the body was read for another profile."""
        body, profile = said
        handler: Callable[..., Awaitable[Made | None]] | None = row.handler(asked.method)
        assert handler is not None

        async def work(db: Connection) -> Made | _Anew | None:
            db.reads_anew = anew
            rq = await self._admit(db, row, ids, Page(), lfdi=asked.lfdi, writes=True)
            if asked.method == "DELETE":
                return await handler(rq)
            return await handler(rq, body) if rq.caller.profile is profile else _ANEW

        if asked.method in row.together:
            return await self.db.write_together(work, asked.lfdi)
        async with self.db.write() as db:
            return await work(db)

    async def _profile(self, row: Resource, ids: dict[str, int], lfdi: str) -> w.Profile:
        """The profile of a client that may write here; refuses one that may not."""
        async with self._reading.of(lfdi), self.db.read() as db:
            db.reads_anew = True
            return (await self._admit(db, row, ids, Page(), lfdi=lfdi, writes=True)).caller.profile

    async def _admit(
        self, db: Connection, row: Resource, ids: dict[str, int], page: Page, *, lfdi: str, writes: bool
    ) -> Request:
        utility = self.house.settings.utility
        caller, device = await admitted(db, lfdi, row, ids, utility=utility, writes=writes)
        self._note_caller(lfdi, caller)
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

    def _note_caller(self, lfdi: str, caller: Caller) -> None:
        self.paces.know(lfdi, caller.kind)
        if caller.shown:
            self.on_other_certificate(lfdi)
        if caller.client is not None:
            self._profiles[lfdi] = caller.profile

    async def _shown(self, row: Resource, rq: Request) -> Any:
        """What the handler returns, with the attributes that every representation of the row has."""
        ensure_told(row.name, self.house.holds)
        shown = await row.get(rq)
        shown.href = rq.href(row.name)
        if row.subscribable:
            shown.subscribable = 1
        if hasattr(shown, "pollRate"):
            shown.pollRate = self.house.poll_rate(row.name)
        return shown

    async def _compare(self, caller: Caller, accept: str | None) -> None:
        """Raise an alarm, at most once an hour, for a client that reads no extensions and is registered as if it did.

        Its limits are sent all the same: a client that is left without any is the greater danger.
        """
        lfdi, now = caller.lfdi, self.clock.now()
        if not accept or caller.profile is w.Profile.CSIP or not self.dialects.is_due(lfdi, now):
            return
        if media.refuses_extensions(accept):
            detail = f"it accepts {accept[:60]!r} and is registered as {caller.profile}"
            try:
                await self.dialects.raise_for(lfdi, detail, now)
            except Outage as outage:  # what was asked for can be shown all the same
                self.outages.note(outage)

    def _place_of(self, refusal: SepError) -> str | None:
        """Where the EndDevice is that a second registration collided with."""
        if isinstance(refusal, DeviceTaken):
            return TABLE.href("EndDevice", {"edev": refusal.device_id})
        return None
