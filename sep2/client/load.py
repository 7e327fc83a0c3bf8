"""A load of polls and posts on one server, at a rate that does not wait for its answers."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sep2 import wire as w
from sep2.client.session import Busy, Refused, Session, item_name
from sep2.errors import SepError

MOST_PER_S = 10_000
MOST_REQUESTS = 5_000_000
MOST_OPEN = 20_000
"""Requests that are not answered yet; those that would be sent beyond it are counted as `not sent`."""
DEVICES = 20
"""So many devices of one client are looked at: more would be asked for the same kinds of document."""
PROGRESS_S = 1.0


class Poll(NamedTuple):
    """A resource that a client reads; of a list its first page."""

    session: Session
    href: str
    kind: type[Any]

    async def send(self) -> None:
        """Read it."""
        await self.session.get(self.href, self.kind, **({"l": 10} if self.kind.__name__.endswith("List") else {}))


class Post(NamedTuple):
    """A DERStatus that a client writes. `ahead_s`: the server's clock less ours, seconds."""

    session: Session
    href: str
    ahead_s: float

    async def send(self) -> None:
        """Write a status of this second."""
        await self.session.put(self.href, w.DERStatus(readingTime=int(time.time() + self.ahead_s)))


Request = Poll | Post


class Pace(NamedTuple):
    """How much is sent: requests per second, for how many seconds, and which share of them are writes (0 to 1)."""

    per_s: float
    seconds: float
    writes: float = 0.5

    @property
    def requests(self) -> int:
        """How many requests that makes, at least one."""
        return max(1, int(self.per_s * self.seconds))


@dataclass
class Tally:
    """What came of the requests so far."""

    sent: int = 0
    open: int = 0
    took_s: list[float] = field(default_factory=list)
    """From the time at which each answered request was meant to be sent to the end of its answer."""
    failed: Counter[str] = field(default_factory=Counter)
    """How many were refused, by status or cause."""


async def found_by(session: Session) -> tuple[list[Poll], list[Post]]:
    """What a client reads and writes, found by following links as clients do from /dcap on."""
    top = await session.get("/dcap", w.DeviceCapability)
    polls, posts = [Poll(session, "/dcap", w.DeviceCapability)], []
    ahead_s = 0.0
    if top.TimeLink is not None:
        polls.append(Poll(session, top.TimeLink.href, w.Time))
        ahead_s = (await session.get(top.TimeLink.href, w.Time)).currentTime - time.time()
    for device in await _items(session, top.EndDeviceListLink, w.EndDeviceList, polls):
        ders = await _items(session, device.DERListLink, w.DERList, polls)
        posts += [Post(session, one.DERStatusLink.href, ahead_s) for one in ders if one.DERStatusLink is not None]
        for one in await _items(session, device.FunctionSetAssignmentsListLink, w.FunctionSetAssignmentsList, polls):
            await _programs(session, one, polls)
    return polls, posts


async def _programs(session: Session, assignments: Any, polls: list[Poll]) -> None:
    for program in await _items(session, assignments.DERProgramListLink, w.DERProgramList, polls):
        if program.DERControlListLink is not None:
            polls.append(Poll(session, program.DERControlListLink.href, w.DERControlList))
        if program.DefaultDERControlLink is not None:
            polls.append(Poll(session, program.DefaultDERControlLink.href, w.DefaultDERControl))


async def _items(session: Session, link: Any, kind: type[Any], polls: list[Poll]) -> list[Any]:
    """The first items of the list behind a link, if there is one; the list is polled from now on."""
    if link is None:
        return []
    polls.append(Poll(session, link.href, kind))
    return list(getattr(await session.get(link.href, kind, l=DEVICES), item_name(kind)))


def in_turn(polls: Sequence[Poll], posts: Sequence[Post], pace: Pace) -> Iterator[Request]:
    """The requests in the order of sending: writes are spread evenly among reads, each kind goes round."""
    reads, writes = itertools.cycle(polls), itertools.cycle(posts)
    share = pace.writes if posts else 0.0
    for k in range(pace.requests):
        yield next(writes) if int((k + 1) * share) > int(k * share) else next(reads)


async def run(requests: Iterable[Request], pace: Pace, progress: Callable[[Tally], None]) -> Tally:
    """Send each request at its time, answered or not those before it, and wait for the answers.

    Times are measured from when a request was meant to be sent: a server that stalls, or a sender that comes late, is
    seen in the times of all requests that it delayed. `progress` is called about every second.
    """
    tally, sending = Tally(), set[asyncio.Task[None]]()
    began = shown = time.perf_counter()
    for k, request in enumerate(requests):
        due = began + k / pace.per_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if time.perf_counter() - shown >= PROGRESS_S:
            shown = time.perf_counter()
            progress(tally)
        if tally.open >= MOST_OPEN:
            tally.failed["not sent"] += 1
            continue
        task = asyncio.create_task(_sent(request, due, tally))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await asyncio.gather(*sending)
    return tally


async def _sent(request: Request, due: float, tally: Tally) -> None:
    tally.sent += 1
    tally.open += 1
    try:
        await request.send()
        tally.took_s.append(time.perf_counter() - due)
    except Refused as refused:
        tally.failed[str(refused.answered)] += 1
    except Busy:
        tally.failed["busy"] += 1
    except SepError as wrong:
        tally.failed[type(wrong).__name__] += 1
    finally:
        tally.open -= 1


def quantile(took_s: Sequence[float], share: float) -> float:
    """The time within which this share of the sorted times lies, seconds; 0 of none."""
    return took_s[min(len(took_s) - 1, int(share * len(took_s)))] if took_s else 0.0
