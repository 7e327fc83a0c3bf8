"""The utility's operator in the demonstration: a client of the operator API."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from sep2.errors import SepError
from sep2.settings import Settings, read_token

SETTLING_S = 0.01
"""Between two looks at whether the server has done what its time asks for."""
PATIENCE_S = 120.0
ANSWERING_S = 60.0


class OperatorRefused(SepError):
    """The operator API refused."""


class NotSettled(SepError):
    """The server did not finish what its time asks for."""


class Operator:
    """Registers, moves the server's clock, and waits until what that set in motion is done."""

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
        """The answer of one request."""
        async with self._http.request(method, self._url + path, json=body) as answer:
            said = await answer.json(content_type=None)
            if answer.status >= 400:
                raise OperatorRefused(f"{method} {path}: {answer.status} {said.get('message', '')}")
            return said

    async def is_up(self) -> None:
        """Return once the server answers."""
        until = time.monotonic() + ANSWERING_S
        while True:
            try:
                await self.ask("GET", "/status")
            except aiohttp.ClientError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    async def move_clock(self, to: int) -> None:
        """Set the server's time; asking twice for the same is asking once."""
        await self.ask("PUT", "/clock", {"now": to})

    async def settled(self) -> dict[str, Any]:
        """The server's status, once all that its time asks for is done and told."""
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

    async def start(self) -> None:
        """Start it; what it says is appended to the log."""
        with self._log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(*self._command, stdout=log, stderr=log)

    async def kill(self) -> None:
        """End it without warning (SIGKILL), as a power cut would."""
        if self._running is not None and self._running.returncode is None:
            self._running.kill()
            await self._running.wait()

    async def stop(self) -> None:
        """End it in peace."""
        if self._running is not None and self._running.returncode is None:
            self._running.terminate()
            try:
                await asyncio.wait_for(self._running.wait(), 15.0)
            except TimeoutError:
                await self.kill()
