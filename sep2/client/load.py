"""A load of clients on one server, at rates that do not wait for its answers."""

import asyncio
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from sep2 import wire as w
from sep2.client.mirror import SITE, Mirror
from sep2.client.session import Busy, Refused, Session, item_name, level
from sep2.errors import SepError

MOST_PER_S = 10_000
MOST_REQUESTS = 5_000_000
MOST_OPEN = 20_000
"""Requests that are not answered yet; those that would be sent beyond it are counted as `not sent`."""
DEVICES = 20
"""So many devices of one client are looked at: more would be asked for the same kinds of document."""
SHOWN = 10
"""Items that are asked for of a list that is polled."""
SECONDS = 3600
WATTS = 5000
PROGRESS_S = 1.0
PATIENCE_S = 10.0
"""How long answers are waited for once a load was stopped."""


class Kind(StrEnum):
    """What a request does."""

    POLL = "poll"
    WALK = "walk"
    STATUS = "status"
    READING = "reading"
    RESPONSE = "response"
    SUBSCRIPTION = "subscription"
    RECONNECT = "reconnect"


MEANINGS = {
    Kind.POLL: "reads a resource, of a list its first items",
    Kind.WALK: "reads a whole EndDeviceList, page by page",
    Kind.STATUS: "writes a DERStatus",
    Kind.READING: "posts a reading of power to a mirror of its own",
    Kind.RESPONSE: "answers to a control that it was sent",
    Kind.SUBSCRIPTION: "subscribes to a list, or renews that",
    Kind.RECONNECT: "connects anew, with a full handshake, reads /dcap and hangs up",
}
Send = Callable[[], Awaitable[object]]
Sends = dict[Kind, list[Send]]
"""What a client can send, by kind."""


class Request(NamedTuple):
    """One request: when it is to be sent, seconds after the begin, and how."""

    at_s: float
    kind: Kind
    send: Send


class Pace(NamedTuple):
    """How much is sent: requests per second of each kind, for how many seconds."""

    per_s: Mapping[Kind, float]
    seconds: float
    storm: bool = False
    """Whether in the middle every client connects anew at the same moment."""

    @property
    def requests(self) -> int:
        """How many requests that makes, about."""
        return int(sum(self.per_s.values()) * self.seconds)


@dataclass
class Results:
    """What came of the requests of one kind so far."""

    sent: int = 0
    took_s: list[float] = field(default_factory=list)
    """From the time at which each answered request was meant to be sent to the end of its answer."""
    failed: Counter[str] = field(default_factory=Counter)
    """How many were refused, by status or cause."""


@dataclass
class Tally:
    """What came of all requests so far."""

    of: dict[Kind, Results] = field(default_factory=dict)
    open: int = 0

    def results(self, kind: Kind) -> Results:
        """Those of one kind."""
        return self.of.setdefault(kind, Results())

    @property
    def sent(self) -> int:
        """How many were sent."""
        return sum(one.sent for one in self.of.values())

    @property
    def took_s(self) -> list[float]:
        """The times of all kinds."""
        return list(itertools.chain.from_iterable(one.took_s for one in self.of.values()))

    @property
    def failed(self) -> Counter[str]:
        """The failures of all kinds."""
        return sum((one.failed for one in self.of.values()), Counter[str]())


class Client:
    """What one client can send, found by following links as clients do from /dcap on."""

    def __init__(self, session: Session, notify: str = "") -> None:
        """`notify`: where its notifications are to go; empty: it subscribes to nothing."""
        self.session = session
        self.notify = notify
        self.sends: Sends = {kind: [] for kind in Kind}
        self._ahead_s = 0.0
        """The server's clock less ours."""
        self._mirrors = ""
        self._subscriptions = ""
        self._lists: list[str] = []

    async def find(self, wanted: Iterable[Kind]) -> Sends:
        """What it can send; a mirror is made for its readings, where these are wanted."""
        top = await self._poll("/dcap", w.DeviceCapability)
        self.sends[Kind.RECONNECT].append(self._reconnect)
        if top.TimeLink is not None:
            self._ahead_s = (await self._poll(top.TimeLink.href, w.Time)).currentTime - time.time()
        if top.MirrorUsagePointListLink is not None and Kind.READING in wanted:
            self._mirrors = top.MirrorUsagePointListLink.href
        if (link := top.EndDeviceListLink) is not None:
            self.sends[Kind.WALK].append(lambda: self.session.items(link.href, w.EndDeviceList))
        for device in await self._items(top.EndDeviceListLink, w.EndDeviceList):
            await self._device(device)
        if self.notify and self._subscriptions:
            self.sends[Kind.SUBSCRIPTION] += [self._subscribe(href) for href in self._lists]
        return self.sends

    def now(self) -> int:
        """The server's time, about."""
        return int(time.time() + self._ahead_s)

    async def _device(self, device: w.EndDevice) -> None:
        if device.SubscriptionListLink is not None:
            self._subscriptions = device.SubscriptionListLink.href
        for one in await self._items(device.DERListLink, w.DERList):
            if one.DERStatusLink is not None:
                self.sends[Kind.STATUS].append(self._status(one.DERStatusLink.href))
        if device.DERListLink is not None and self._mirrors:
            self.sends[Kind.READING].append(await self._reading(str(device.lFDI)))
        for one in await self._items(device.FunctionSetAssignmentsListLink, w.FunctionSetAssignmentsList):
            for program in await self._items(one.DERProgramListLink, w.DERProgramList):
                await self._program(device, program)

    async def _program(self, device: w.EndDevice, program: w.DERProgram) -> None:
        if program.DefaultDERControlLink is not None:
            self._add_poll(program.DefaultDERControlLink.href, w.DefaultDERControl)
        if program.DERControlListLink is None:
            return
        self._lists.append(program.DERControlListLink.href)
        for control in await self._items(program.DERControlListLink, w.DERControlList):
            if control.replyTo is not None and device.lFDI is not None:
                self.sends[Kind.RESPONSE].append(self._response(control.replyTo, control.mRID, device.lFDI))

    async def _poll(self, href: str, kind: type[Any]) -> Any:
        """A resource, which is polled from now on."""
        self._add_poll(href, kind)
        return await self.session.get(href, kind, **_shown(kind, DEVICES))

    def _add_poll(self, href: str, kind: type[Any]) -> None:
        self.sends[Kind.POLL].append(lambda: self.session.get(href, kind, **_shown(kind, SHOWN)))

    async def _items(self, link: Any, kind: type[Any]) -> list[Any]:
        """The first items of the list behind a link, if there is one; the list is polled from now on."""
        return [] if link is None else list(getattr(await self._poll(link.href, kind), item_name(kind)))

    def _status(self, href: str) -> Send:
        return lambda: self.session.put(href, w.DERStatus(readingTime=self.now()))

    async def _reading(self, lfdi: str) -> Send:
        """How a device posts readings to a mirror that is made now, or was by an earlier load."""
        mirror = Mirror(lfdi, SITE)
        at = await self.session.post(self._mirrors, mirror.usage_point())
        series = mirror.usage_point().MirrorMeterReading[0].mRID
        since = self.now() - SECONDS
        counting = itertools.count()

        async def send() -> None:
            # Of a second of the last hour each: none is of a time that the server's clock has not reached.
            number = next(counting)
            period = w.DateTimeInterval(duration=1, start=since + number % SECONDS)
            reading = w.Reading(timePeriod=period, value=number % WATTS)
            await self.session.post(at, w.MirrorMeterReading(mRID=series, Reading=reading))

        return send

    def _response(self, reply_to: str, mrid: w.HexBinary, lfdi: w.HexBinary) -> Send:
        async def send() -> None:
            said = w.DERControlResponse(
                createdDateTime=self.now(), endDeviceLFDI=lfdi, status=w.ResponseStatus.RECEIVED, subject=mrid
            )
            await self.session.post(reply_to, said)

        return send

    def _subscribe(self, href: str) -> Send:
        async def send() -> None:
            said = w.Subscription(
                subscribedResource=href,
                encoding=w.Encoding.XML,
                level=level(self.session.profile),
                limit=SHOWN,
                notificationURI=self.notify,
            )
            await self.session.post(self._subscriptions, said)

        return send

    async def _reconnect(self) -> None:
        async with self.session.beside() as fresh:
            await fresh.get("/dcap", w.DeviceCapability)


def _shown(kind: type[Any], most: int) -> dict[str, Any]:
    return {"l": most} if kind.__name__.endswith("List") else {}


def in_turn(clients: Sequence[Sends], pace: Pace) -> Iterator[Request]:
    """The requests in the order of sending: each kind evenly spread, and in it all that clients can send in turn."""
    streams = [
        _evenly(kind, [send for sends in clients for send in sends[kind]], per_s, pace.seconds)
        for kind, per_s in pace.per_s.items()
        if per_s
    ]
    if pace.storm:
        again = [send for sends in clients for send in sends[Kind.RECONNECT]]
        streams.append(iter([Request(pace.seconds / 2, Kind.RECONNECT, send) for send in again]))
    yield from heapq.merge(*streams, key=lambda request: request.at_s)


def _evenly(kind: Kind, sends: Sequence[Send], per_s: float, seconds: float) -> Iterator[Request]:
    for k, send in zip(range(round(per_s * seconds)), itertools.cycle(sends), strict=False):
        yield Request((k + 0.5) / per_s, kind, send)


async def run(requests: Iterable[Request], progress: Callable[[Tally], None], stop: asyncio.Event) -> Tally:
    """Send each request at its time, answered or not those before it, and wait for the answers.

    Times are measured from when a request was meant to be sent: a server that stalls, or a sender that comes late, is
    seen in the times of all requests that it delayed. `progress` is called about every second. Once `stop` is set
    nothing more is sent, and what is open is waited for a while.
    """
    tally, sending = Tally(), set[asyncio.Task[None]]()
    began = shown = time.perf_counter()
    for request in requests:
        due = began + request.at_s
        if await _stopped(stop, due - time.perf_counter()):
            break
        if time.perf_counter() - shown >= PROGRESS_S:
            shown = time.perf_counter()
            progress(tally)
        if tally.open >= MOST_OPEN:
            tally.results(request.kind).failed["not sent"] += 1
            continue
        task = asyncio.create_task(_sent(request, due, tally))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await _ended(sending, stop)
    return tally


async def _stopped(stop: asyncio.Event, wait_s: float) -> bool:
    """Whether the load is to end, at the latest after so many seconds."""
    if wait_s <= 0:
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        async with asyncio.timeout(wait_s):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _ended(sending: set[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait for what is open; for a while only, once the load was stopped."""
    if not sending:
        return
    waiting, everything = asyncio.create_task(stop.wait()), asyncio.create_task(asyncio.wait(set(sending)))
    await asyncio.wait({waiting, everything}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not everything.done():
        await asyncio.wait({everything}, timeout=PATIENCE_S)
        late = list(sending)
        for task in late:
            task.cancel()
        await asyncio.gather(everything, *late, return_exceptions=True)


async def _sent(request: Request, due: float, tally: Tally) -> None:
    results = tally.results(request.kind)
    results.sent += 1
    tally.open += 1
    try:
        await request.send()
        results.took_s.append(time.perf_counter() - due)
    except Refused as refused:
        results.failed[str(refused.answered)] += 1
    except Busy:
        results.failed["busy"] += 1
    except SepError as wrong:
        results.failed[type(wrong).__name__] += 1
    except asyncio.CancelledError:
        results.failed["stopped"] += 1
        raise
    finally:
        tally.open -= 1


def quantile(took_s: Sequence[float], share: float) -> float:
    """The time within which this share of the sorted times lies, seconds; 0 of none."""
    return took_s[min(len(took_s) - 1, int(share * len(took_s)))] if took_s else 0.0
