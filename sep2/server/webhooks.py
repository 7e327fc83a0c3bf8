"""Messages to the utility's own systems, in order, until each has arrived: rules and pauses are those of notifications.

Of several servers on one database one sends.
"""

import asyncio
import json
import logging
import random
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations import state_out
from sep2.operations.alarms import ALARM_UNDELIVERABLE, DELIVERY_DEAD, DELIVERY_FAILING, clear_alarm, raise_alarm
from sep2.operations.market.hooks import policy_of
from sep2.operations.market.signing_keys import SigningKey, signer
from sep2.rules import receivers as rules
from sep2.rules.mail import is_mail
from sep2.rules.market.message_signatures import HEADER as JWS
from sep2.rules.market.message_signatures import signature
from sep2.rules.market.packs import Signer
from sep2.rules.webhooks import OF_A_PARTY, Topic, signed
from sep2.server.announcing import Announcer
from sep2.server.delivery import FAILING_S, FIRST_HOUR_S, LONGEST_IN_FIRST_HOUR_S
from sep2.server.mailing import Mailer, NotSent
from sep2.server.measured_out import MeasuredOut
from sep2.server.posting import Answer, NoAnswer, Poster
from sep2.settings import Settings
from sep2.store import webhooks
from sep2.store.database import Database

log = logging.getLogger("sep2.webhooks")

LOOKS_EVERY_S = 1.0
AT_ONCE = 100
"""Messages to one receiver in a row, before the others are looked at again."""
IN_ONE_MAIL = 50
TAKEN = Answer(250)


class Webhooks:
    """Sends what waits."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings.receivers
        self._private = settings.partner.private_webhooks
        self._market = settings.market
        self._key: Signer | None = None
        self._contexts = [_context(settings.receivers.webhook_authorities)]
        self._mailer = Mailer(settings.mail, settings.utility.zone)
        self._jitter = random.Random()  # noqa: S311 - spreads retries, hides nothing
        self._news = asyncio.Event()
        self._busy: set[int] = set()
        self._measured = MeasuredOut(db, clock)
        self._announcer = Announcer(db, clock, settings.utility.local)

    def wake(self) -> None:
        """Look now."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled."""
        timeout_s = self._settings.timeout_s
        async with (
            Poster(self._admit, timeout_s) as own,
            Poster(self._admit_of_party, timeout_s) as of_parties,
            asyncio.TaskGroup() as tasks,
        ):
            while True:
                self._news.clear()
                try:
                    await self._look({False: own, True: of_parties}, tasks)
                except SepError as problem:
                    log.warning("webhooks wait: %s", problem)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOKS_EVERY_S):
                        await self._news.wait()

    async def _look(self, posters: Mapping[bool, Poster], tasks: asyncio.TaskGroup) -> None:
        """posters: by whether a party of the market has named the receiver."""
        for poster in posters.values():
            poster.close_idle()
        if not await self._db.leads():
            return
        await self._measured.once()
        await self._announce()
        async with self._db.read() as db:
            due = await webhooks.due(db, self._clock.now())
        for hook in due:
            if hook.id not in self._busy:
                self._busy.add(hook.id)
                tasks.create_task(self._serve(hook, posters[_is_of_party(hook)]))

    async def _announce(self) -> None:
        """Put what there is to tell of alarms into the queues; where that fails, what waits is sent all the same."""
        try:
            await self._announcer.once()
        except SepError as problem:
            log.warning("alarms wait: %s", problem)
        except Exception:
            log.exception("alarms can not be announced")

    async def _serve(self, hook: Row[Any], poster: Poster) -> None:
        """Send what waits for one receiver, until that is nothing or it fails."""
        try:
            async with self._db.read() as db:
                fresh = await webhooks.has_fresh(db, hook.id)
            if fresh:
                async with self._db.write() as db:
                    await webhooks.number(db, hook.id)
            for _ in range(AT_ONCE):
                async with self._db.read() as db:
                    rows = await webhooks.first(db, hook.id, IN_ONE_MAIL if is_mail(hook.url) else 1)
                if not rows or not await self._send(hook, rows, poster):
                    return
            self._news.set()
        except SepError as problem:
            log.warning("webhooks wait: %s", problem)
        except Exception:
            log.exception("the receiver %s can not be told", hook.name)
            await self._later(hook, "the message can not be made; the log says why")
        finally:
            self._busy.discard(hook.id)

    async def _send(self, hook: Row[Any], rows: Sequence[Row[Any]], poster: Poster) -> bool:
        """Whether the receiver has taken the messages: one by HTTP, several in one mail."""
        said = [await self._said(row) for row in rows]
        try:
            if is_mail(hook.url):
                await self._mailer.send(hook.url, said)
                answer = TAKEN
            else:
                answer = await self._post(hook, said[0], poster)
        except (rules.ReceiverRefused, NoAnswer, NotSent) as problem:
            await self._later(hook, str(problem))
            return False
        except SigningKey as problem:
            log.warning("copies of messages to parties can not be signed: %s", problem)
            await self._later(hook, "the copy can not be signed; the log says why")  # a party reads this
            return False
        if answer.status // 100 != 2:
            await self._later(hook, f"HTTP {answer.status}", answer)
            return False
        async with self._db.write() as db:
            for row in rows:
                await webhooks.taken(db, row, self._clock.now())
            if hook.failures:
                for code in (DELIVERY_FAILING, ALARM_UNDELIVERABLE, DELIVERY_DEAD):
                    await clear_alarm(db, code, _subject(hook), self._clock.now())
        return not hook.failures  # after a failure how it stands is read anew

    async def _post(self, hook: Row[Any], said: Mapping[str, Any], poster: Poster) -> Answer:
        body = json.dumps(said, separators=(",", ":")).encode()
        headers = {**signed(hook.secret, said["id"], self._clock.now(), body), **self._signature(hook, body)}
        rules.check_named(hook.url, self._policy(hook))
        return await poster.post(hook.url, body, self._contexts, headers)

    def _signature(self, hook: Row[Any], body: bytes) -> Mapping[str, str]:
        """What proves to a party, and to whomever it shows a copy, that it is from the utility."""
        if not _is_of_party(hook):
            return {}
        if self._key is None:
            market = self._market
            self._key = signer(market.message_key, market.utility_name, "messages", self._clock.now())
        return {JWS: signature(body, self._key)}

    async def _said(self, row: Row[Any]) -> dict[str, Any]:
        """The message: what was said when it was put in the queue, or the newest state of its subject."""
        data, kind = None if row.data is None else json.loads(row.data), row.kind
        if data is None and (group := state_out.subject_group(row.subject)) is not None:
            async with self._db.read() as db:
                data = await state_out.of_group(db, group, self._clock.now())
            kind = kind if data is not None else "removed"
        return {
            "id": row.message_id,
            "sequence": row.sequence,
            "at": row.at,
            "topic": row.topic,
            "kind": kind,
            "subject": row.subject,
            "data": data,
        }

    async def _later(self, hook: Row[Any], error: str, answer: Answer | None = None) -> None:
        """Leave the receiver alone for a while, longer every time; give up what waits for too long."""
        now = self._clock.now()
        since = now if hook.failing_since is None else hook.failing_since
        pause = self._pause(hook.failures, now - since)
        if answer is not None and answer.retry_after_s is not None:
            # A second more, as `now` is a whole one that has begun.
            pause = min(max(answer.retry_after_s, 1), self._settings.longest_retry_s) + 1
        log.warning("receiver %s was not told (attempt %d): %s", hook.name, hook.failures + 1, error)
        async with self._db.write() as db:
            said = {"failures": hook.failures + 1, "failing_since": since, "rests_until": now + pause}
            await webhooks.change(db, hook.id, **said, error=error[:200])
            if now - since >= FAILING_S:
                code = ALARM_UNDELIVERABLE if Topic.ALARMS in json.loads(hook.topics) else DELIVERY_FAILING
                await raise_alarm(db, code, _subject(hook), error[:200], now=now)
            if dead := await webhooks.give_up_before(db, hook.id, now - self._settings.give_up_s):
                await raise_alarm(db, DELIVERY_DEAD, _subject(hook), f"{dead} given up: {error}"[:200], now=now)

    def _pause(self, failures: int, failing_s: int) -> int:
        longest: int = self._settings.longest_retry_s
        if failing_s < FIRST_HOUR_S:
            longest = min(longest, LONGEST_IN_FIRST_HOUR_S)
        pause = min(longest / 1.2, self._settings.first_retry_s * 2.0 ** min(failures, 20))
        return max(self._settings.first_retry_s, round(pause * self._jitter.uniform(1.0, 1.2)))

    def _policy(self, hook: Row[Any]) -> rules.Policy:
        policy = self._settings.policy()
        return policy_of(policy, private=self._private) if _is_of_party(hook) else policy

    def _admit_of_party(self, place: rules.Place, address: str) -> None:
        rules.check_address(place, address, policy_of(self._settings.policy([str(place)]), private=self._private))

    def _admit(self, place: rules.Place, address: str) -> None:
        rules.check_address(place, address, self._settings.policy([str(place)]))


@cache
def _context(authorities: tuple[Path, ...]) -> ssl.SSLContext:
    """What judges receivers' certificates: the public roots, which take some 20 ms to read, and files of CAs."""
    context = ssl.create_default_context()
    for file in authorities:
        context.load_verify_locations(file)
    return context


def _is_of_party(hook: Row[Any]) -> bool:
    return bool(hook.topics == OF_A_PARTY)


def _subject(hook: Row[Any]) -> str:
    return f"receiver {hook.name}"
