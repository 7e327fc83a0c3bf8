"""Whose notification is next: turns go round the clients, so that none waits for another's receivers.

A client has a share of all notifications under way. One that has waited for its answer for a second counts no
more, but its receiver is sent nothing else until it answers. Receivers that gave no answer last time are tried one
notification at a time, from a pool of their own.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum

SHARE = 8
"""Notifications to one client under way at the same time."""
SLOW_S = 1.0
"""After so long without an answer a notification no longer counts among those under way."""
MOST_SLOW = 16
"""Such notifications, as a multiple of those that may be under way."""
SLOW_OF_CLIENT = 16


class Standing(Enum):
    """What is known of a receiver."""

    ANSWERS = "answers"
    UNTRIED = "untried"
    SILENT = "silent"


PARTS = {Standing.ANSWERS: 1.0, Standing.UNTRIED: 1.0, Standing.SILENT: 0.25}
"""Of `at_once`, for each a pool of its own: who answers never waits for who may not."""


class Lane:
    """A receiver of one client, and what waits for it."""

    def __init__(self, receiver_id: int, client_id: int, failures: int) -> None:
        self.receiver_id = receiver_id
        self.client_id = client_id
        self.standing = Standing.SILENT if failures else Standing.UNTRIED
        self.waiting: deque[int] = deque()
        """The ids of subscriptions of which it is to be told."""
        self.under_way: set[int] = set()
        self.more = True
        """Whether the database may hold more for it than is waiting here."""
        self.postponed = False
        """Whether something is to be sent there later."""
        self.looking = asyncio.Lock()
        self.closed = False
        """Whether nothing is to be sent there until it has rested."""
        self.queued = False
        self.active = 0
        self.slow = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do for it."""
        return not self.active and (self.closed or not (self.waiting or self.more))

    @property
    def may_start(self) -> bool:
        """Whether something can be sent there beside what is under way."""
        most = SHARE if self.standing is Standing.ANSWERS else 1
        return not self.closed and not self.slow and self.active < most and bool(self.waiting or self.more)

    def close(self) -> None:
        """Send nothing more there; what waits is found in the database again."""
        self.closed = self.postponed = True
        self.waiting.clear()


class _Queue:
    """The lanes of one client and one standing."""

    def __init__(self, client: "_Client", standing: Standing) -> None:
        self.client = client
        self.standing = standing
        self.lanes: deque[Lane] = deque()
        self.listed = False


class _Client:
    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}
        self.queues = {standing: _Queue(self, standing) for standing in Standing}
        self.counted = 0
        self.slow = 0

    @property
    def may_start(self) -> bool:
        return self.counted < SHARE and self.slow < SLOW_OF_CLIENT


class _Pool:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counted = 0
        self.ring: deque[_Queue] = deque()


class Turns:
    """Starts `work` for lanes, one notification in each turn, within the bounds that hold for all of them."""

    def __init__(self, at_once: int, work: Callable[[Lane], Awaitable[None]], postponed: Callable[[], None]) -> None:
        """`postponed` is called when a lane ends of which something is to be sent later."""
        self._work = work
        self._postponed = postponed
        self._pools = {standing: _Pool(max(1, int(at_once * part))) for standing, part in PARTS.items()}
        self._most_slow = MOST_SLOW * at_once
        self._slow = 0
        self._clients: dict[int, _Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether anything is under way or waits for its turn."""
        return bool(self._clients)

    def has(self, client_id: int, receiver_id: int) -> bool:
        """Whether a receiver has a lane."""
        client = self._clients.get(client_id)
        return client is not None and receiver_id in client.lanes

    def open(self, lane: Lane) -> None:
        """Let a lane take part."""
        self._clients.setdefault(lane.client_id, _Client()).lanes[lane.receiver_id] = lane
        self._offer(lane)

    def look_again(self) -> None:
        """The database may hold more for any lane."""
        for client in self._clients.values():
            for lane in client.lanes.values():
                lane.more = True
                self._offer(lane)

    def go(self) -> None:
        """Start what can be started."""
        for pool in self._pools.values():
            while pool.ring and pool.counted < pool.limit:
                queue = pool.ring.popleft()
                queue.listed = False
                if (lane := self._next(queue)) is not None:
                    self._start(lane, pool, queue.client)
                    self._offer(lane)
                self._list(queue)

    async def stop(self) -> None:
        """End what is under way, and forget what waits."""
        self._stopping = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._clients.clear()
        for pool in self._pools.values():
            pool.ring.clear()
        self._stopping = False

    def _next(self, queue: _Queue) -> Lane | None:
        """The next lane to which something can be sent; one that can take nothing is offered again when it can."""
        while queue.lanes and queue.client.may_start:
            lane = queue.lanes.popleft()
            lane.queued = False
            if lane.standing is not queue.standing:
                self._offer(lane)
            elif lane.may_start:
                return lane
        return None

    def _offer(self, lane: Lane) -> None:
        """Have a lane wait for its turn, if something can be sent there."""
        queue = self._clients[lane.client_id].queues[lane.standing]
        if lane.may_start and not lane.queued:
            lane.queued = True
            queue.lanes.append(lane)
        self._list(queue)

    def _list(self, queue: _Queue) -> None:
        if queue.lanes and not queue.listed and queue.client.may_start:
            queue.listed = True
            self._pools[queue.standing].ring.append(queue)

    def _start(self, lane: Lane, pool: _Pool, client: _Client) -> None:
        lane.active += 1
        pool.counted += 1
        client.counted += 1
        task = asyncio.create_task(self._attend(lane, pool, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, lane: Lane, pool: _Pool, client: _Client) -> None:
        slow = _Slow(self, lane, pool, client)
        try:
            await self._work(lane)
        finally:
            slow.end()
            lane.active -= 1
            if not self._stopping:
                self._close_if_idle(lane, client)
                self._again(client)

    def _again(self, client: _Client) -> None:
        """Something of a client's came to its end, which may let others begin."""
        for lane in client.lanes.values():
            self._offer(lane)
        self.go()

    def _close_if_idle(self, lane: Lane, client: _Client) -> None:
        if not lane.idle:
            return
        client.lanes.pop(lane.receiver_id, None)
        if not client.lanes:
            self._clients.pop(lane.client_id, None)
        if lane.postponed:
            self._postponed()


class _Slow:
    """Takes a notification that waits for long out of the count of those under way."""

    def __init__(self, turns: Turns, lane: Lane, pool: _Pool, client: _Client) -> None:
        self._turns, self._lane, self._pool, self._client = turns, lane, pool, client
        self._is_slow = False
        self._timer = asyncio.get_running_loop().call_later(SLOW_S, self._begin)

    def _begin(self) -> None:
        turns = self._turns
        if turns._slow >= turns._most_slow:
            self._timer = asyncio.get_running_loop().call_later(SLOW_S, self._begin)
            return
        self._is_slow = True
        self._count(-1)
        turns._again(self._client)

    def end(self) -> None:
        """The notification is no longer under way."""
        self._timer.cancel()
        if self._is_slow:
            self._count(1)
        self._pool.counted -= 1
        self._client.counted -= 1

    def _count(self, step: int) -> None:
        self._pool.counted += step
        self._client.counted += step
        self._client.slow -= step
        self._lane.slow -= step
        self._turns._slow -= step
