"""News: a stream of the names of what changed; pages fetch again what they show of it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping

from aiohttp import web

from sep2.desk.words import clock_of
from sep2.errors import Conflict, SepError
from sep2.rest.callers import caller_of
from sep2.server.app import State
from sep2.store import news

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
CLOCK_EVERY = 5
"""The time is told every so many looks; that also shows that the stream lives."""
MOST, MOST_EACH = 200, 6


class TooManyStreams(Conflict):
    """As many pages listen for news as may."""

    status = 429


class News:
    """One look at the database a second, while anybody listens, for all that do."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._clock = clock_of(state.settings)
        self._listeners: dict[asyncio.Queue[bytes], str] = {}
        self._task: asyncio.Task[None] | None = None
        self._versions: Mapping[str, str] = {}
        self._closed = False

    async def stream(self, http: web.Request) -> web.StreamResponse:
        """Server-sent events: `news` with the topics that changed, `clock` with the server's time."""
        caller = caller_of(http)
        if len(self._listeners) >= MOST or list(self._listeners.values()).count(caller.via) >= MOST_EACH:
            raise TooManyStreams
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=100)
        self._listeners[queue] = caller.via
        try:
            await answer.prepare(http)
            await answer.write(self._time())
            self._begin()
            while not self._closed:
                await answer.write(await queue.get())
        except ConnectionError:
            log.debug("somebody closed a page")
        finally:
            del self._listeners[queue]
        return answer

    def close(self) -> None:
        """End the look-out and all streams: a server that stops waits for nobody who listens."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        self._tell(b"")

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_out())

    async def _look_out(self) -> None:
        round_ = 0
        while self._listeners:
            await asyncio.sleep(LOOK_EVERY_S)
            round_ += 1
            with contextlib.suppress(SepError):
                async with self._state.db.read() as db:
                    found = await news.versions(db)
                changed = [name for name, version in found.items() if self._versions.get(name) != version]
                if self._versions and changed:
                    self._tell(_event("news", json.dumps(changed)))
                self._versions = found
            if round_ % CLOCK_EVERY == 0:
                self._tell(self._time())

    def _tell(self, said: bytes) -> None:
        for queue in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(said)

    def _time(self) -> bytes:
        return _event("clock", self._clock.hour(self._state.clock.now()))


def _event(kind: str, data: str) -> bytes:
    return f"event: {kind}\ndata: {data}\n\n".encode()
