"""A client at work: it walks, polls or subscribes, lets its devices obey, and answers."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Self

from yarl import URL

from sep2 import wire as w
from sep2.client.device import Device
from sep2.client.managed import Managed
from sep2.client.outbox import a_few_at_once
from sep2.client.plan import Span, plan
from sep2.client.receiver import Receiver
from sep2.client.schedule import Owed
from sep2.client.session import PAGE, Busy, NotUnderstood, Refused, Session, Unreachable, level
from sep2.client.tree import NEVER, Branch, Tree, Watch
from sep2.clock import Clock
from sep2.rules.identifiers import DOCUMENTATION_PEN

log = logging.getLogger(__name__)

ENTRANCE = "/dcap"
"""The only address that is known beforehand; all others are links."""
RENEW_S = 6 * 3600
"""A subscription is renewed so often, and what it tells of looked at: no notification may be the only way."""
VERIFY_AHEAD_S = 5
"""While running by itself, a polling client looks at a control's status so long before it starts."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""Between attempts to reach a server that is away, doubling."""
BACKWARDS_S = 60
"""A server's clock that is set back by less is waited for."""

Adopt = Callable[[str], Device | None]
"""Gives the device behind an LFDI, or None if it is not ours to speak for."""


class Client:
    """Speaks for every EndDevice that the server shows it and `adopt` knows: a gateway for one, an aggregator for many.

    Either `run()` it on its clock, or `advance()` it step by step: both do the same things at the same times.
    """

    def __init__(
        self,
        session: Session,
        clock: Clock,
        adopt: Adopt,
        *,
        receiver: Receiver | None = None,
        pins: Mapping[str, int] | None = None,
        on_owed: Callable[[Managed, Owed], None] | None = None,
        seed: int | str = 0,
        jitter: float = 0.1,
        renew_s: int = RENEW_S,
        patience_s: float = 60.0,
        at_once: int = 16,
        pen: int = DOCUMENTATION_PEN,
        whole_defaults: bool = True,
    ) -> None:
        """With a `receiver` it subscribes, without it polls.

        `pins` are the Registration PINs by LFDI, compared where given. `jitter` lengthens polls by up to that share,
        so that clients spread out. `patience_s` is how long `advance` waits for a server that is away.
        `whole_defaults` takes the default of the first program as it is; else programs are put together mode by mode.
        """
        self.session = session
        self.clock = clock
        self.devices: dict[str, Managed] = {}
        """By LFDI."""
        self.notifications = 0
        self.tree = Tree(Branch(ENTRANCE, w.DeviceCapability, self._take_capability))
        self._adopt, self.receiver, self._pins, self._on_owed = adopt, receiver, pins or {}, on_owed
        self._seed, self._jitter, self._renew_s = seed, jitter, renew_s
        self.patience_s = patience_s
        self._at_once, self._pen, self._whole_defaults = at_once, pen, whole_defaults
        self._rng = _random(seed, session.lfdi)
        self._mup_list = ""
        self._subscription_list = ""
        self._offset_s: int | None = None
        self._latest = self._told_time = 0
        self._is_away = self._is_lost = False
        self._next_tick: int | None = None
        self._resting: set[asyncio.Event] = set()

    async def __aenter__(self) -> Self:
        if self.receiver is not None:
            await self.receiver.start(self.take_notification, self.session.server_lfdis, self.session.profile)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.receiver is not None:
            await self.receiver.close()
        await self.session.close()

    @property
    def pending(self) -> int:
        """Messages that the server has not answered yet."""
        return sum(len(managed.outbox) for managed in self._obedient())

    @property
    def refused(self) -> int:
        """Messages that the server has refused."""
        return sum(managed.outbox.refused for managed in self.devices.values())

    def now(self) -> int:
        """The server's time, as far as we know it; small steps backwards are waited out."""
        if self._offset_s is None:
            return self._own_time()
        self._latest = max(self._latest, self._own_time() + self._offset_s)
        return self._latest

    def next_due(self) -> int:
        """The time on our clock at which there is something to do next."""
        return self._due_next(0) - (self._offset_s or 0)

    async def advance(self, now: int | None = None) -> None:
        """Do all that is due by `now`, the time on our clock; return when everything is answered.

        A server that is away is waited for: Unreachable after `patience_s`, with everything kept for the next time.
        """
        self._told_time = max(self._told_time, now or 0)
        began, pause_s = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                await self._converse()
            except Unreachable as lost:
                self._lose(lost)
                if time.monotonic() - began > self.patience_s:
                    raise
                pause_s = await self._pause(lost, pause_s)
            else:
                return

    async def run(self) -> None:
        """Work on the clock until cancelled. Devices obey what is known whether or not the server can be reached."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._obey())
            group.create_task(self._talk())

    def tick(self) -> None:
        """Measure what is due and let every device obey what holds now; what is owed for it is written down."""
        now = self.now()
        for managed in self._obedient():
            managed.measure(self._mup_list, now)
        for managed in self.devices.values():
            managed.tick(now, with_what_is_known=self._is_away)

    def plan(self, lfdi: str, until: int) -> list[Span]:
        """What limits a device from now until a time (server's seconds), merged from all programs, with what sets it.

        It is as far as the server has said: what it sends later is not foreseen. KeyError for a device that it does
        not show us.
        """
        managed = self.devices[lfdi]
        return plan(managed.schedule, self.now(), until, managed.device.rating.max_w)

    def log_event(
        self, lfdi: str, code: int, *, function_set: int = w.FunctionSet.DER, details: str | None = None
    ) -> None:
        """Tell the server of an event of a device, such as code 0 of the DER function set: over current."""
        self.devices[lfdi].log_event(code, self.now(), function_set=function_set, details=details)
        self._wake()

    def take_notification(self, told: w.Notification) -> bool:
        """Take what the server says has changed; False if nobody here wants to know."""
        href = told.subscribedResource
        watches = self.tree.at(href if href.startswith("/") else URL(href).raw_path)
        now = self.now()
        for watch in watches:
            watch.told += 1
            if told.status != w.NotificationStatus.CHANGED:
                # The resource may be gone: what led to it knows more.
                watch.is_subscribed, watch.subscribed_until, watch.due = False, NEVER, now
                (watch.parent or watch).due = now
            elif watch.branch.accept is None or told.Resource is None or not watch.branch.accept(told.Resource, now):
                watch.due = now
        self.notifications += bool(watches)
        self._wake()
        return bool(watches)

    async def _obey(self) -> None:
        while True:
            self.tick()
            if self.pending:
                self._wake()
            self._next_tick = min(self._moments(), default=None)
            await self._rest_until(self._next_tick)

    async def _talk(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._converse(VERIFY_AHEAD_S)
            except Unreachable as lost:
                self._lose(lost)
                pause_s = await self._pause(lost, pause_s)
            else:
                pause_s = FIRST_PAUSE_S
                self._wake()
                await self._rest_until(self._due_next(VERIFY_AHEAD_S))

    async def _converse(self, ahead_s: int = 0) -> None:
        """Read, measure, obey and answer until nothing is left to do at this moment."""
        while True:
            while due := self.tree.due(self.now(), ahead_s):
                await a_few_at_once(self._at_once, due, self._read)
                # What we are goes out before we ask what to do: percentages of a setMaxW need it to be known.
                await self._send()
            self.tick()
            if not self.pending:
                break
            await self._send()
        self._is_away = self._is_lost = False

    async def _send(self) -> None:
        full = [managed.outbox for managed in self._obedient() if managed.outbox]
        await a_few_at_once(self._at_once, full, lambda outbox: outbox.send(self.session))
        self._look_at_new_mirrors()

    async def _read(self, watch: Watch) -> None:
        told = watch.told
        branch = watch.branch
        try:
            if self._should_subscribe(watch):
                await self._subscribe(watch)
            found: Any = await (self.session.whole if watch.is_list else self.session.get)(branch.href, branch.kind)
        except (Refused, NotUnderstood) as wrong:
            log.warning("%s can not be read: %s", branch.href, wrong)
            watch.asked_at = self.now()
            watch.due = watch.asked_at + watch.rate_s
            return
        if watch.told != told or not watch.is_alive:
            return  # what was read may be older than what we were told meanwhile: it is still due
        now = self.now()
        watch.asked_at = now
        watch.rate_s = watch.rate_of(found)
        watch.due = watch.subscribed_until if watch.is_subscribed else now + self._spread(watch.rate_s)
        self.tree.grow(watch, branch.take(found, now), self.now())
        if branch.owner is not None:
            branch.owner.tick(self.now())
            self._expect(branch.owner.schedule.next_change())
        if self._should_subscribe(watch):
            watch.due = self.now()

    def _expect(self, change: int | None) -> None:
        """Have the next tick in time for a change that was not known when the last one ended."""
        if change is not None and (self._next_tick is None or change < self._next_tick):
            self._wake()

    def _should_subscribe(self, watch: Watch) -> bool:
        wanted = self.receiver is not None and watch.can_be_subscribed and bool(self._subscription_list)
        return wanted and watch.subscribed_until <= self.now()

    async def _subscribe(self, watch: Watch) -> None:
        assert self.receiver is not None
        wanted = w.Subscription(
            subscribedResource=watch.branch.href,
            encoding=w.Encoding.XML,
            level=level(self.session.profile),
            limit=PAGE,
            notificationURI=self.receiver.uri,
        )
        try:
            await self.session.post(self._subscription_list, wanted)
            watch.is_subscribed = True
        except Refused as refused:
            log.warning("%s is polled, because a subscription was refused: %s", watch.branch.href, refused)
            watch.is_subscribed = False
        watch.subscribed_until = self.now() + self._spread(self._renew_s)

    def _take_capability(self, found: w.DeviceCapability, now: int) -> list[Branch]:
        links = (
            (found.TimeLink, w.Time, self._take_time),
            (found.EndDeviceListLink, w.EndDeviceList, self._take_devices),
            (found.MirrorUsagePointListLink, w.MirrorUsagePointList, self._take_mirrors),
        )
        self._mup_list = found.MirrorUsagePointListLink.href if found.MirrorUsagePointListLink else ""
        return [Branch(link.href, kind, take) for link, kind, take in links if link is not None]

    def _take_time(self, found: w.Time, now: int) -> list[Branch]:
        """Set our idea of the server's time; the first time, everything moves along with it."""
        offset_s = found.currentTime - self._own_time()
        if self._offset_s is None or found.currentTime < now - BACKWARDS_S:
            self.tree.shift(found.currentTime - now)
            self._latest = found.currentTime
        self._offset_s = offset_s
        return []

    def _take_devices(self, found: w.EndDeviceList, now: int) -> list[Branch]:
        self._subscription_list = _subscription_list(found, self.session.lfdi)
        shown = {
            str(sent.lFDI): sent for sent in found.EndDevice if sent.lFDI is not None and sent.enabled is not False
        }
        for lfdi in self.devices.keys() - shown.keys():
            self.devices.pop(lfdi).leave(now)
        branches: list[Branch] = []
        for lfdi, sent in shown.items():
            managed = self.devices.get(lfdi) or self._meet(lfdi)
            if managed is not None:
                branches += managed.branches(sent)
        return branches

    def _meet(self, lfdi: str) -> Managed | None:
        device = self._adopt(lfdi)
        if device is None:
            return None
        rng = _random(self._seed, lfdi)
        pin, whole = self._pins.get(lfdi), self._whole_defaults
        managed = self.devices[lfdi] = Managed(lfdi, device, rng, pin=pin, pen=self._pen, whole_defaults=whole)
        managed.on_owed = self._on_owed
        for watch in self.tree.of(w.MirrorUsagePointList):
            watch.due = min(watch.due, self.now())
        return managed

    def _take_mirrors(self, found: w.MirrorUsagePointList, now: int) -> list[Branch]:
        known = {int(mirror.mRID): mirror for mirror in found.MirrorUsagePoint}
        for managed in self._obedient():
            managed.take_mirrors(known, self._mup_list, now)
        return []

    def _look_at_new_mirrors(self) -> None:
        """The server says in its list how often it wants the readings of a mirror."""
        new = [managed for managed in self.devices.values() if managed.new_mirrors]
        for managed in new:
            managed.new_mirrors = False
        for watch in self.tree.of(w.MirrorUsagePointList) if new else ():
            watch.due = min(watch.due, self.now())

    def _own_time(self) -> int:
        return max(self.clock.now(), self._told_time)

    def _obedient(self) -> list[Managed]:
        return [managed for managed in self.devices.values() if not managed.halted]

    def _due_next(self, ahead_s: int) -> int:
        return min([self.tree.next_due(ahead_s), *self._moments()])

    def _moments(self) -> list[int]:
        """When devices have something to do, whether or not the server can be reached."""
        both = ((m.schedule.next_change(), m.next_reading()) for m in self._obedient())
        return [at for moments in both for at in moments if at is not None]

    def _spread(self, rate_s: int) -> int:
        return rate_s + int(rate_s * self._jitter * self._rng.random())

    def _lose(self, lost: Unreachable) -> None:
        """Go on without the server; once it is back, it is looked at anew (2030.5 8.7)."""
        if not self._is_away:
            log.warning("%s", lost)
        if not (self._is_lost or isinstance(lost, Busy)):
            self.tree.read_again(self.now())
            self._is_lost = True
        self._is_away = True
        self.tick()

    async def _pause(self, lost: Unreachable, pause_s: float) -> float:
        """Wait on the machine's clock, whatever ours says; the next pause is longer."""
        asked_s = lost.retry_after_s if isinstance(lost, Busy) else 0
        await asyncio.sleep(max(asked_s, pause_s * (0.5 + 0.5 * self._rng.random())))
        return min(2 * pause_s, LONGEST_PAUSE_S)

    def _wake(self) -> None:
        for event in self._resting:
            event.set()

    async def _rest_until(self, at: int | None) -> None:
        """Sleep until the server's time is `at`, or until there is news."""
        news = asyncio.Event()
        self._resting.add(news)
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(news.wait())]
        if at is not None:
            waits.append(asyncio.create_task(self.clock.sleep_until(at - (self._offset_s or 0))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._resting.discard(news)
            for waiting in waits:
                waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)


def _random(seed: int | str, lfdi: str) -> Random:
    """Chance of its own for each device: what is drawn does not depend on who is read first."""
    return Random(f"{seed}/{lfdi}")  # noqa: S311  it spreads load, it keeps no secret


def _subscription_list(found: w.EndDeviceList, own_lfdi: str) -> str:
    """Where subscriptions go: below our own entry, or else below the only one that has such a list."""
    lists = {str(d.lFDI): d.SubscriptionListLink.href for d in found.EndDevice if d.SubscriptionListLink is not None}
    return lists.get(own_lfdi) or next(iter(lists.values()), "")
