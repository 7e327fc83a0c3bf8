"""What a client has found by following links, when each part is to be read again, and what it leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sep2 import wire as w
from sep2.client.schedule import Schedule

DEFAULT_RATE_S = 900
"""What a pollRate that is not said means."""
LEAST_RATE_S = {w.Time: 900, w.Registration: 3600}
"""The least between two looks, whatever pollRate says: at the server's clock (CSIP), and at the PIN."""
NEVER = -1

SUBSCRIBED = (
    w.EndDeviceList,
    w.FunctionSetAssignmentsList,
    w.DERProgramList,
    w.DERControlList,
    w.DefaultDERControl,
    w.DemandResponseProgramList,
    w.EndDeviceControlList,
)
"""What CSIP has an aggregator subscribe to, as far as this client acts on it, and what load control has."""
EVENTS = (w.DERControlList, w.EndDeviceControlList)


class Owner(Protocol):
    """The device on whose behalf something is read."""

    schedule: Schedule
    watches: list[Watch]
    """All that is read on its behalf."""

    def tick(self, now: int) -> None:
        """Act on what has been read by now."""


class Branch(NamedTuple):
    """A link worth following: where it leads, to what, and who takes what is found there.

    `take` gets the resource and the server's time, and returns the links that it leads to in turn. `accept` is offered
    what a notification brings, and says whether that was enough; without it, a notification means "look again".
    """

    href: str
    kind: type[Any]
    take: Callable[[Any, int], Iterable[Branch]]
    owner: Owner | None = None
    accept: Callable[[Any, int], bool] | None = None


@dataclass(slots=True, eq=False)
class Watch:
    """A branch that is kept up to date."""

    branch: Branch
    due: int
    parent: Watch | None = None
    children: dict[tuple[str, Owner | None], Watch] = field(default_factory=dict)
    rate_s: int = DEFAULT_RATE_S
    asked_at: int = NEVER
    told: int = 0
    """How many notifications came."""
    is_subscribed: bool = False
    subscribed_until: int = NEVER
    """When to subscribe again; a refusal stands as long as a subscription."""
    is_alive: bool = True

    @property
    def can_be_subscribed(self) -> bool:
        """Whether a server tells of its changes."""
        return self.branch.kind in SUBSCRIBED

    @property
    def is_list(self) -> bool:
        """Whether it is read page by page."""
        return issubclass(self.branch.kind, w.List | w.SubscribableList)

    def rate_of(self, found: Any) -> int:
        """How often the server wants it read; what has no pollRate of its own follows what led to it."""
        if hasattr(found, "pollRate"):
            rate = found.pollRate or DEFAULT_RATE_S
        else:
            rate = self.parent.rate_s if self.parent else DEFAULT_RATE_S
        return max(rate, LEAST_RATE_S.get(self.branch.kind, 1))

    def look_before_start(self, ahead_s: int) -> int | None:
        """When to look at a list before a control in it starts: only the list tells whether it was cancelled."""
        owner = self.branch.owner
        if self.branch.kind not in EVENTS or self.is_subscribed or owner is None:
            return None
        start = owner.schedule.next_start()
        return None if start is None or self.asked_at >= start - ahead_s else start - ahead_s


class Tree:
    """All watches, from DeviceCapability on."""

    def __init__(self, root: Branch) -> None:
        self.root = Watch(root, due=NEVER)
        self._by_href: dict[str, list[Watch]] = {root.href: [self.root]}

    def __iter__(self) -> Iterator[Watch]:
        return (watch for watches in [*self._by_href.values()] for watch in watches)

    def grow(self, watch: Watch, branches: Iterable[Branch], now: int) -> None:
        """Let `watch` lead to these branches and no others: new ones are read at once, lost ones forgotten."""
        before, watch.children = watch.children, {}
        for branch in branches:
            key = branch.href, branch.owner
            child = before.pop(key, None) or watch.children.get(key) or self._new(branch, watch, now)
            child.branch = branch
            watch.children[key] = child
        for lost in before.values():
            self._forget(lost)

    def due(self, now: int, ahead_s: int = 0) -> list[Watch]:
        """What is to be read now; the clock alone if it is, because all else is judged by it."""
        due = [watch for watch in self if min(_moments(watch, ahead_s)) <= now]
        return [watch for watch in due if watch.branch.kind is w.Time] or due

    def next_due(self, ahead_s: int = 0) -> int:
        """When something is to be read next."""
        return min(moment for watch in self for moment in _moments(watch, ahead_s))

    def at(self, href: str) -> list[Watch]:
        """The watches of one resource: several devices may share it."""
        return [*self._by_href.get(href, ())]

    def of(self, kind: type[Any]) -> list[Watch]:
        """The watches of one kind."""
        return [watch for watch in self if watch.branch.kind is kind]

    def read_again(self, now: int) -> None:
        """Look at everything and subscribe anew, as after a loss of communication (2030.5 8.7)."""
        for watch in self:
            watch.due = min(watch.due, now)
            watch.is_subscribed, watch.subscribed_until = False, NEVER

    def shift(self, by_s: int) -> None:
        """Keep the distance to what is due when the time itself is set."""
        for watch in self:
            watch.due += by_s
            if watch.asked_at != NEVER:
                watch.asked_at += by_s

    def _new(self, branch: Branch, parent: Watch, now: int) -> Watch:
        watch = Watch(branch, due=now, parent=parent, rate_s=parent.rate_s)
        self._by_href.setdefault(branch.href, []).append(watch)
        if branch.owner is not None:
            branch.owner.watches.append(watch)
        return watch

    def _forget(self, watch: Watch) -> None:
        watch.is_alive = False
        if watch.branch.owner is not None:
            watch.branch.owner.watches.remove(watch)
        same = self._by_href[watch.branch.href]
        same.remove(watch)
        if not same:
            del self._by_href[watch.branch.href]
        for child in watch.children.values():
            self._forget(child)


def _moments(watch: Watch, ahead_s: int) -> Iterator[int]:
    yield watch.due
    before_start = watch.look_before_start(ahead_s)
    if before_start is not None:
        yield before_start
