"""Shares: clients take turns at what the server does, and the one comes next that has had least of it.

Every request costs this process some time, and how much is decided by who asks. So requests do not run in the order
in which they arrive: of the clients that wait, the one comes next that has used least time. A client with forty
connections has no more of the server than one with a single connection.
"""

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PASS_S = 0.002
PASSES = 4
"""Of the event loop, from the octets of a request to where it waits for its turn."""
REMEMBERED = 10_000
"""Clients that are kept in mind although none of their requests waits or runs; more are looked through and dropped."""


class _Client:
    """What one client waits for and has used."""

    __slots__ = ("listed", "running", "used_s", "waiting")

    def __init__(self) -> None:
        self.used_s = 0.0
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.listed = False
        """Whether it is among those that may come next."""


class Shares:
    """So many pieces of work at the same time, and so many of one client.

    Work that never waits for anything still lets others in between: after `PASS_S` in one pass of the event loop, turns
    that end are given on `PASSES` passes later: by then what has arrived meanwhile was read, and waits for its turn.
    """

    def __init__(self, at_once: int, per_client: int) -> None:
        self._free = at_once
        self._per_client = per_client
        self._clients: dict[str, _Client] = {}
        self._next: list[tuple[float, int, _Client]] = []
        self._numbers = itertools.count()
        self._remembered = REMEMBERED
        self._pass_s = 0.0
        self._ended: list[_Client] = []
        """Whose turns have ended, and are given on some passes of the event loop later."""
        self._reached_s = 0.0
        """What the client had used whose turn came last: one that was away is not owed what it did not ask for."""

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """A block that runs when it is this client's turn."""
        client = await self._begin(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._end(client, time.perf_counter() - began)

    async def _begin(self, name: str) -> _Client:
        client = self._clients.get(name)
        if client is None:
            self._forget()
            client = self._clients[name] = _Client()
        if not client.waiting and not client.running:
            client.used_s = max(client.used_s, self._reached_s)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        client.waiting.append(turn)
        self._list(client)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                client.running -= 1
                self._give_on(client)
            raise
        return client

    def _end(self, client: _Client, took_s: float) -> None:
        client.used_s += took_s
        client.running -= 1
        if self._pass_s == 0.0:
            asyncio.get_running_loop().call_soon(self._pass_on, PASSES)
        self._pass_s += took_s
        if self._pass_s < PASS_S:
            self._give_on(client)
        else:
            self._ended.append(client)

    def _pass_on(self, passes: int) -> None:
        if passes and self._ended:
            asyncio.get_running_loop().call_soon(self._pass_on, passes - 1)
            return
        self._pass_s = 0.0
        ended, self._ended = self._ended, []
        for client in ended:
            self._give_on(client)

    def _give_on(self, client: _Client) -> None:
        self._free += 1
        self._list(client)
        self._let_in()

    def _list(self, client: _Client) -> None:
        if client.waiting and client.running < self._per_client and not client.listed:
            client.listed = True
            heapq.heappush(self._next, (client.used_s, next(self._numbers), client))

    def _let_in(self) -> None:
        while self._free and self._next:
            used_s, _, client = heapq.heappop(self._next)
            client.listed = False
            if used_s < client.used_s:  # it has used more since it was listed
                self._list(client)
                continue
            while client.waiting:
                turn = client.waiting.popleft()
                if not turn.done():
                    self._reached_s = max(self._reached_s, used_s)
                    self._free -= 1
                    client.running += 1
                    turn.set_result(None)
                    break
            self._list(client)

    def _forget(self) -> None:
        if len(self._clients) <= self._remembered:
            return
        self._clients = {
            name: client
            for name, client in self._clients.items()
            if client.waiting or client.running or client.used_s > self._reached_s
        }
        self._remembered = max(REMEMBERED, 2 * len(self._clients))
