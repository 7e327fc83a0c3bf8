"""The utility's operator in the demonstration: a client of the operator API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from sep2.errors import SepError
from sep2.settings import Settings, read_token

SETTLING_S = 0.01
"""Interval at which the server's progress is checked, s."""
PATIENCE_S = 120.0
ANSWERING_S = 600.0


class OperatorRefused(SepError):
    """The operator API refused."""


class NotSettled(SepError):
    """The server did not finish what its time asks for."""


class Operator:
    """Registers clients, sets the server's clock, and waits until all work due at that time is done."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"http://{settings.operator.host}:{settings.operator.port}"
        headers = {"Authorization": f"Bearer {read_token(settings)}", "X-Operator": "demo"}
        self._http = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=PATIENCE_S))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the body of the answer to one request."""
        async with self._http.request(method, self._url + path, json=body) as answer:
            content = await answer.json(content_type=None)
            if answer.status >= 400:
                raise OperatorRefused(f"{method} {path}: {answer.status} {content.get('message', '')}")
            return content

    async def all_of(self, path: str) -> list[dict[str, Any]]:
        """Return every item of a list, which comes in parts; path: with a query."""
        items: list[dict[str, Any]] = []
        after = ""
        while True:
            found = await self.ask("GET", f"{path}&limit=500{after}")
            items += found["items"]
            if found["next"] is None:
                return items
            after = f"&after={found['next']}"

    async def is_up(self, has_ended: Callable[[], bool]) -> None:
        """Return once the server answers; NotSettled where its process has ended."""
        until = time.monotonic() + ANSWERING_S
        while True:
            try:
                await self.ask("GET", "/status")
            except aiohttp.ClientError:
                if has_ended():
                    raise NotSettled("its process has ended; server.log says why") from None
                if time.monotonic() > until:
                    raise NotSettled(f"it does not answer after {ANSWERING_S:.0f} s; server.log says why") from None
                await asyncio.sleep(0.05)
            else:
                return

    async def move_clock(self, to: int) -> None:
        """Set the server's time; idempotent."""
        await self.ask("PUT", "/clock", {"now": to})

    async def settled(self) -> dict[str, Any]:
        """Return the server's status, once all work due at its time is done and notified."""
        until = time.monotonic() + PATIENCE_S
        while True:
            status: dict[str, Any] = await self.ask("GET", "/status")
            if status["settled"]:
                return status
            if time.monotonic() > until:
                raise NotSettled(f"it is {status['now']}; server.log says what went wrong")
            await asyncio.sleep(SETTLING_S)


class Process:
    """The server's own process: started, killed and started again."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command, self._log = command, log
        self._running: asyncio.subprocess.Process | None = None

    def has_ended(self) -> bool:
        """Whether it ended by itself, or was stopped."""
        return self._running is not None and self._running.returncode is not None

    async def start(self) -> None:
        """Start it; its output is appended to the log."""
        with self._log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(*self._command, stdout=log, stderr=log)

    async def kill(self) -> None:
        """Kill it (SIGKILL), as a power failure would."""
        if self._running is not None and self._running.returncode is None:
            self._running.kill()
            await self._running.wait()

    async def stop(self) -> None:
        """Terminate it (SIGTERM), and kill it if it does not end in time."""
        if self._running is not None and self._running.returncode is None:
            self._running.terminate()
            try:
                await asyncio.wait_for(self._running.wait(), 15.0)
            except TimeoutError:
                await self.kill()
