"""The notifier: what changed becomes deliveries, and each is the GET again, as the subscriber (2030.5 8.7).

Of several servers on one database one notifies: no subscriber hears twice of a change, or of an older state last.
"""

import asyncio
import contextlib
import json
import logging
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from sqlalchemy import Row

from sep2 import wire as w
from sep2.clock import Clock
from sep2.errors import Forbidden, NotFound, SepError
from sep2.resources import TABLE
from sep2.rules import media, receivers
from sep2.server.fanout import subscribers
from sep2.server.front import Front
from sep2.server.tls import Tls
from sep2.settings import Receivers
from sep2.store import deliveries, outbox, subscriptions
from sep2.store.database import Database

log = logging.getLogger("sep2.notify")

CHANGES_AT_ONCE = 100
"""In one transaction, so that nobody waits long for the database."""
LONGEST_SLEEP_S = 5.0
PER_RECEIVER = 8
"""Connections to one receiver at a time."""
ENDED_BY_RECEIVER = frozenset({400, 404, 410})
GONE = 4
"""Notification.status: the subscribed resource no longer exists for the subscriber."""


class Notifier:
    """Tells subscribers; at most one notification per subscription is under way, and it carries the newest state."""

    def __init__(
        self, front: Front, db: Database, clock: Clock, *, tls: Tls, origin: str, refresh: Callable[[], Awaitable[None]]
    ) -> None:
        """`refresh` takes over what was set at another server, such as the pollRate that has changed."""
        self._front = front
        self._refresh = refresh
        self._db = db
        self._clock = clock
        self._tls = tls
        self._origin = origin
        self._settings: Receivers = front.house.settings.receivers
        self._queues: dict[str, deque[Row[Any]]] = {}
        self._known: set[int] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(self._settings.at_once)
        self._jitter = random.Random()  # noqa: S311 - spreads retries, hides nothing

    @property
    def busy(self) -> bool:
        """Whether a notification is under way."""
        return bool(self._known)

    async def run(self) -> None:
        """Work until cancelled."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        options: dict[str, Any] = {"cookie_jar": aiohttp.DummyCookieJar(), "auto_decompress": False}
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, **options) as session:
            try:
                while True:
                    await self._round(session)
            finally:
                for task in self._workers:
                    task.cancel()
                await asyncio.gather(*self._workers, return_exceptions=True)

    async def _round(self, session: aiohttp.ClientSession) -> None:
        wait = LONGEST_SLEEP_S
        try:
            if await self._db.leads():
                while await self._fan_out():
                    pass
                wait = await self._start_due(session)
            else:
                for receiver in self._queues:
                    self._forget_queue(receiver)
        except SepError as problem:
            log.warning("notifications wait: %s", problem)
            wait = 1.0
        await self._db.wait_for_changes(wait)

    async def _fan_out(self) -> bool:
        """Turn changes into deliveries, in one transaction; whether there may be more."""
        async with self._db.read() as db:
            if not await outbox.waits(db):
                return False
        now = self._clock.now()
        async with self._db.write() as db:
            changes = await outbox.take(db, CHANGES_AT_ONCE)
            told: set[int] = set()
            for kind, ids in {(change.kind, tuple(change.ids.items())) for change in changes}:
                told |= await subscribers(db, TABLE, kind, dict(ids))
            await deliveries.put(db, sorted(told), now)
        await self._refresh()
        return len(changes) == CHANGES_AT_ONCE

    async def _start_due(self, session: aiohttp.ClientSession) -> float:
        """Queue what is due and not queued yet, receiver by receiver; seconds until the next look."""
        now = self._clock.now()
        # What is under way now may be done before its row is read, or read before it is done: it is not due again.
        under_way = self._known.copy()
        async with self._db.read() as db:
            due = await deliveries.due(db, now, 4 * PER_RECEIVER)
            soonest = await deliveries.next_due(db)
        for row in due:
            if row.subscription_id not in under_way and row.subscription_id not in self._known:
                self._known.add(row.subscription_id)
                self._queues.setdefault(row.receiver, deque()).append(row)
        for receiver, queue in self._queues.items():
            for _ in range(min(PER_RECEIVER, len(queue))):
                self._start(receiver, session)
        if soonest is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(0.05, soonest - now))

    def _start(self, receiver: str, session: aiohttp.ClientSession) -> None:
        """Work on a receiver's queue, unless as many do as may."""
        name = f"notify {receiver}"
        if sum(task.get_name() == name for task in self._workers) >= PER_RECEIVER:
            return
        task = asyncio.create_task(self._work(receiver, session), name=name)
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    async def _work(self, receiver: str, session: aiohttp.ClientSession) -> None:
        queue = self._queues[receiver]
        while queue:
            row = queue.popleft()
            try:
                async with self._free:
                    await self._attempt(row, session)
            finally:
                self._known.discard(row.subscription_id)
        self._db.wake()

    async def _attempt(self, row: Row[Any], session: aiohttp.ClientSession) -> None:
        try:
            await self._deliver(row, session)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            # aiohttp's own words quote the TLS context, which tells nobody anything.
            cause = getattr(problem, "os_error", None) or problem
            await self._postpone(row, f"{type(problem).__name__}: {cause}", silent=True)
        except SepError as problem:
            await self._postpone(row, str(problem))
        except Exception as problem:
            log.exception("a notification failed")
            await self._postpone(row, repr(problem))

    async def _deliver(self, row: Row[Any], session: aiohttp.ClientSession) -> None:
        async with self._db.read() as db:
            subscription = await subscriptions.with_client(db, row.subscription_id)
        if subscription is None:
            return
        receivers.check(subscription.notification_uri, self._policy(subscription))
        body, status = await self._notification(subscription)
        await self._settle(row, status, await self._post(session, subscription.notification_uri, body))

    async def _post(self, session: aiohttp.ClientSession, uri: str, body: bytes) -> int:
        """What the receiver answers; one outside the 2030.5 hierarchy is tried under the web's roots, if allowed."""
        *first, last = self._tls.outgoing
        for context in first:
            with contextlib.suppress(aiohttp.ClientSSLError):
                return await _post(session, uri, body, context)
        return await _post(session, uri, body, last)

    async def _settle(self, row: Row[Any], status: int, answered: int) -> None:
        """What the receiver's answer means: told, told for the last time, or to be tried again."""
        ended = status != 0 or answered in ENDED_BY_RECEIVER
        if not ended and answered // 100 != 2:
            await self._postpone(row, f"HTTP {answered}")
            return
        async with self._db.write() as db:
            if ended:
                log.info("subscription %d ended: HTTP %d, status %d", row.subscription_id, answered, status)
                await subscriptions.remove(db, row.subscription_id)
            else:
                await deliveries.done(db, row.subscription_id, row.edition)

    async def _notification(self, subscription: Row[Any]) -> tuple[bytes, int]:
        """The body, and its status; the right to read is looked at again every time."""
        resource, status, profile = None, 0, w.Profile.CSIP
        ids = json.loads(subscription.ids)
        try:
            resource, profile = await self._front.represent(
                subscription.client_lfdi, subscription.resource, ids, subscription.item_limit
            )
        except (NotFound, Forbidden):
            status = GONE
        if subscription.item_limit == 0 and not hasattr(resource, "results"):
            resource = None
        mine = TABLE.href("Subscription", {"edev": subscription.end_device_id, "sub": subscription.id})
        notification = w.Notification(
            subscribedResource=subscription.subscribed_resource,
            Resource=resource,
            status=status,
            subscriptionURI=f"{self._origin}{mine}",
        )
        return w.encode(notification, profile), status

    async def _postpone(self, row: Row[Any], error: str, *, silent: bool = False) -> None:
        """Try again later, a little later each time, until the utility's patience ends; an operator sees the rest.

        A receiver that is silent is left alone for a while with all that waits for it.
        """
        now = self._clock.now()
        first, longest = self._settings.first_retry_s, self._settings.longest_retry_s
        delay = min(longest, first * 2 ** min(row.attempts, 20)) * self._jitter.uniform(0.8, 1.2)
        due = now + max(1, round(delay))
        dead = now - row.since >= self._settings.give_up_s
        log.warning("subscription %d was not told (attempt %d): %s", row.subscription_id, row.attempts + 1, error)
        async with self._db.write() as db:
            await deliveries.postpone(db, row.subscription_id, due, error[:200], dead=dead)
            if silent:
                await deliveries.put_off(db, row.receiver, now + first)
        if silent:
            self._forget_queue(row.receiver)

    def _forget_queue(self, receiver: str) -> None:
        for waiting in self._queues[receiver]:
            self._known.discard(waiting.subscription_id)
        self._queues[receiver].clear()

    def _policy(self, subscription: Row[Any]) -> receivers.Policy:
        return receivers.Policy(
            hosts=(*self._settings.hosts, *subscription.receiver_hosts.split()),
            http=self._settings.http,
            loopback=self._settings.loopback,
            private=self._settings.private,
        )


async def _post(session: aiohttp.ClientSession, uri: str, body: bytes, tls: ssl.SSLContext) -> int:
    headers = {"Content-Type": media.XML, "Accept": media.XML}
    async with session.post(uri, data=body, headers=headers, ssl=tls, allow_redirects=False) as answer:
        return answer.status
