"""Bodies: decoded outside every transaction, small ones in turn on the event loop, large ones in a thread."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sep2 import wire as w
from sep2.server.shares import Shares

TINY = 2 * 1024
"""Octets of a body that costs less to decode than to wait for."""
LARGE = 64 * 1024
"""Octets from which on a body is large: decoding it takes longer than others may be kept waiting."""
LARGE_RECEIVED = 256
"""Large bodies held in memory at the same time, one of each client."""


class Bodies:
    """What clients send, read for the front.

    Python runs one thread at a time: the one that decodes gives way to the event loop within the switch interval of the
    interpreter (see `app.SWITCH_S`). One large body is worked on at a time.
    """

    def __init__(self) -> None:
        self._small = Shares(1, 1)
        self._large = Shares(1, 1)
        self._received = Shares(LARGE_RECEIVED, 1)
        self._thread = ThreadPoolExecutor(1, "sep2-decode")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def receiving(self, lfdi: str) -> AsyncIterator[None]:
        """A block in which this client may have a large body in memory: one at a time, or forty would be forty MiB."""
        async with self._received.of(lfdi):
            yield

    @asynccontextmanager
    async def worked_on(self, lfdi: str, body: bytes) -> AsyncIterator[None]:
        """A block in which this body is decoded and what it says is done; large ones one after the other."""
        if len(body) <= LARGE:
            yield
            return
        async with self._large.of(lfdi):
            yield

    async def decoded(self, lfdi: str, body: bytes, kinds: tuple[type[Any], ...], profile: w.Profile) -> Any:
        """The object that the body says, one of the kinds; WireError where it says none."""
        if len(body) <= TINY:
            return w.decode(body, *kinds, profile=profile)
        if len(body) <= LARGE:
            async with self._small.of(lfdi):
                return w.decode(body, *kinds, profile=profile)
        decode = partial(w.decode, body, *kinds, profile=profile)
        return await asyncio.get_running_loop().run_in_executor(self._thread, decode)
