"""One attempt to tell a subscriber: the GET again, as the subscriber (2030.5 8.7), sent unless it has that already."""

import hashlib
import json
import logging
import math
import random
import time
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2 import wire as w
from sep2.clock import Clock
from sep2.errors import Forbidden, NotFound, SepError
from sep2.operations.alarms import DELIVERY_DEAD, DELIVERY_FAILING, clear_alarm, raise_alarm
from sep2.resources import TABLE
from sep2.rules import receivers as rules
from sep2.server.front import Front
from sep2.server.posting import Answer, NoAnswer, Poster
from sep2.server.tls import Tls
from sep2.server.turns import Lane, Standing
from sep2.settings import Receivers
from sep2.store import deliveries, receivers, subscriptions
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.terminal import request_id

log = logging.getLogger("sep2.notify")

ENDED_BY_RECEIVER = frozenset({400, 404, 410})
GONE = 4
"""Notification.status: the subscribed resource no longer exists for the subscriber."""
BROKEN = "can not be made: "
"""What the error begins with where the notification itself is at fault."""
TRIES = 5
"""Of a notification that can not be made, before it is given up."""
FIRST_HOUR_S = 3600
LONGEST_IN_FIRST_HOUR_S = 300
FAILING_S = 300
"""A receiver that has given no answer for so long is an alarm."""


class _Told(NamedTuple):
    """A notification: its body, the status it says, and the digest of the body."""

    body: bytes
    status: int
    digest: str


class Deliverer:
    """Attempts deliveries, and records what came of them."""

    def __init__(self, front: Front, db: Database, clock: Clock, *, tls: Tls, origin: str) -> None:
        self._front = front
        self._db = db
        self._clock = clock
        self._tls = tls
        self._origin = origin
        self._settings: Receivers = front.house.settings.receivers
        self._jitter = random.Random()  # noqa: S311 - spreads retries, hides nothing

    async def attempt(self, lane: Lane, subscription_id: int, poster: Poster) -> None:
        """Tell one subscriber, if it is to be told now; a database that can not be reached raises its SepError."""
        async with self._db.read() as db:
            row = await deliveries.one(db, subscription_id)
        if row is None or row.dead or row.due > self._clock.now() or row.receiver_id != lane.receiver_id:
            return
        token = request_id.set(row.request)
        try:
            await self._attempt(lane, row, poster)
        finally:
            request_id.reset(token)

    async def _attempt(self, lane: Lane, row: Row[Any], poster: Poster) -> None:
        try:
            rules.check(row.notification_uri, self._settings.policy(row.receiver_hosts.split()))
            told = await self._notification(row)
        except rules.ReceiverRefused as refused:
            await self._postpone(lane, row, str(refused))
        except SepError as problem:
            if problem.status == 503:
                raise
            await self._broken(lane, row, problem)
        except Exception as problem:
            log.exception("the notification of subscription %d can not be made", row.id)
            await self._broken(lane, row, problem)
        else:
            await self._tell(lane, row, told, poster)

    async def _tell(self, lane: Lane, row: Row[Any], told: _Told, poster: Poster) -> None:
        if told.status == 0 and told.digest == row.last_digest and not row.unsure:
            await self._note_done(lane, row, None)
            return
        began = time.monotonic()
        try:
            answer = await poster.post(row.notification_uri, told.body, self._tls.outgoing)
        except NoAnswer as silence:
            await self._silent(lane, row, silence, math.ceil(time.monotonic() - began))
        else:
            await self._settle(lane, row, told, answer)

    async def _settle(self, lane: Lane, row: Row[Any], told: _Told, answer: Answer) -> None:
        """What the receiver's answer means: told, told for the last time, or to be tried again."""
        lane.standing = Standing.ANSWERS
        ended = told.status != 0 or answer.status in ENDED_BY_RECEIVER
        self._front.metrics.delivered("ended" if ended else "told" if answer.status // 100 == 2 else "refused")
        if not ended and answer.status // 100 != 2:
            await self._refused(lane, row, answer)
            return
        if ended:
            log.info("subscription %d ended: HTTP %d, status %d", row.id, answer.status, told.status)
            async with self._db.write() as db:
                await subscriptions.remove(db, row.id)
        else:
            log.debug("subscription %d was told: HTTP %d", row.id, answer.status)
            await self._note_done(lane, row, told.digest)
        if row.failures or row.attempts:
            async with self._db.write() as db:
                await self._recovered(db, row)
        ids = json.loads(row.ids)
        if "derp" in ids and "edev" in ids:
            self._front.seen.told(ids["edev"], ids["derp"])

    async def _note_done(self, lane: Lane, row: Row[Any], digest: str | None) -> None:
        """Forget a delivery that arrived, or that need not be sent, unless something has changed meanwhile."""

        async def work(db: Connection) -> bool:
            return await deliveries.done(db, row.id, row.edition, digest=digest)

        lane.more |= not await self._db.write_together(work, row.client_lfdi)

    async def _recovered(self, db: Connection, row: Row[Any]) -> None:
        """A receiver that had failed takes notifications."""
        now = self._clock.now()
        await receivers.answered(db, row.receiver_id)
        await clear_alarm(db, DELIVERY_FAILING, _subject(row), now)
        if not await deliveries.count_dead(db, row.receiver_id):
            await clear_alarm(db, DELIVERY_DEAD, _subject(row), now)

    async def _refused(self, lane: Lane, row: Row[Any], answer: Answer) -> None:
        """The receiver answers that it does not take this now; it may say when it will."""
        now = self._clock.now()
        if answer.retry_after_s is None:
            await self._postpone(lane, row, f"HTTP {answer.status}", sent=True)
            return
        # A second more, as `now` is a whole one that has begun.
        until = now + min(max(answer.retry_after_s, 1), self._settings.longest_retry_s) + 1
        lane.close()
        await self._postpone(lane, row, f"HTTP {answer.status}, again in {until - now - 1} s", sent=True, due=until)
        async with self._db.write() as db:
            await receivers.rest(db, row.receiver_id, until, at_least_until=until)

    async def _silent(self, lane: Lane, row: Row[Any], silence: NoAnswer, waited_s: int) -> None:
        """Leave a receiver that gave no answer alone, for longer than it kept us waiting and longer every time."""
        now = self._clock.now()
        self._front.metrics.delivered("silent")
        log.warning("subscription %d was not told (attempt %d): %s", row.id, row.attempts + 1, silence)
        first, known = not lane.closed, lane.standing is Standing.SILENT
        lane.close()
        lane.standing = Standing.SILENT
        at_least = max(self._settings.first_retry_s, waited_s)
        since = now if row.silent_since is None else row.silent_since
        pause = self._pause(at_least, row.failures, now - since)
        async with self._db.write() as db:
            tries, error = row.attempts + 1, str(silence)[:200]
            await deliveries.postpone(db, row.id, due=row.due, error=error, attempts=tries, sent=silence.sent)
            if not first:  # it is known already from another attempt that was under way at the same time
                return
            await receivers.silent(db, row.receiver_id, now)
            await receivers.rest(db, row.receiver_id, now + pause, at_least_until=now + at_least)
            if known and now - since >= FAILING_S:
                await raise_alarm(db, DELIVERY_FAILING, _subject(row), str(silence)[:200], now=now)
            if dead := await deliveries.give_up_at(db, row.receiver_id, now - self._settings.give_up_s):
                await self._dead(db, row, f"{dead} given up: {silence}")

    async def _postpone(
        self, lane: Lane, row: Row[Any], error: str, *, sent: bool = False, due: int | None = None
    ) -> None:
        """Try this one again later, a little later each time, until the utility's patience ends."""
        now = self._clock.now()
        log.warning("subscription %d was not told (attempt %d): %s", row.id, row.attempts + 1, error)
        lane.postponed = True
        if due is None:
            due = now + self._pause(self._settings.first_retry_s, row.attempts, now - row.since)
        async with self._db.write() as db:
            await deliveries.postpone(db, row.id, due=due, error=error[:200], attempts=row.attempts + 1, sent=sent)
            if now - row.since >= self._settings.give_up_s:
                await deliveries.give_up(db, row.id)
                await self._dead(db, row, error)

    async def _broken(self, lane: Lane, row: Row[Any], problem: Exception) -> None:
        """A notification that can not be made is given up soon: trying it for a day would mend nothing."""
        now = self._clock.now()
        self._front.metrics.delivered("broken")
        attempts = row.attempts + 1 if row.error.startswith(BROKEN) else 1
        lane.postponed = True
        error = f"{BROKEN}{type(problem).__name__}: {problem}"[:200]
        due = now + self._pause(self._settings.first_retry_s, attempts - 1, 0)
        async with self._db.write() as db:
            await deliveries.postpone(db, row.id, due=due, error=error, attempts=attempts, sent=False)
            if attempts >= TRIES:
                await deliveries.give_up(db, row.id)
                await self._dead(db, row, error)

    async def _dead(self, db: Connection, row: Row[Any], error: str) -> None:
        await raise_alarm(db, DELIVERY_DEAD, _subject(row), error[:200], now=self._clock.now())

    def _pause(self, first_s: int, failures: int, failing_s: int) -> int:
        """Seconds until the next attempt: never less than `first_s`, and a little more than others wait."""
        longest: int = self._settings.longest_retry_s
        if failing_s < FIRST_HOUR_S:
            longest = min(longest, LONGEST_IN_FIRST_HOUR_S)
        # In the end all wait for the longest time, but not at the same moments.
        pause = min(longest / 1.2, first_s * 2.0 ** min(failures, 20)) * self._jitter.uniform(1.0, 1.2)
        return max(first_s, round(pause))

    async def _notification(self, row: Row[Any]) -> _Told:
        """The body, and its status; the right to read is looked at again every time."""
        resource, status, profile = None, 0, w.Profile.CSIP
        try:
            if row.client_removed is not None:
                raise NotFound
            resource, profile = await self._front.represent(
                row.client_lfdi, row.resource, json.loads(row.ids), row.item_limit
            )
        except (NotFound, Forbidden):
            status = GONE
        if row.item_limit == 0 and not hasattr(resource, "results"):
            resource = None
        mine = TABLE.href("Subscription", {"edev": row.end_device_id, "sub": row.id})
        notification = w.Notification(
            subscribedResource=row.subscribed_resource,
            Resource=resource,
            status=status,
            subscriptionURI=f"{self._origin}{mine}",
        )
        body = w.encode(notification, profile)
        return _Told(body, status, hashlib.blake2b(body, digest_size=16).hexdigest())


def _subject(row: Row[Any]) -> str:
    return f"{row.client_name} at {row.place}"
