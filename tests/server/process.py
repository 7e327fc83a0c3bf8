"""A server in a process of its own, that can be killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from typing import Any

import aiohttp

from sep2.store import open_database
from tests.ports import free_port
from tests.server.world import NOW, Ids, People, populate

SERVE = "from sep2.cli import main; main()"
TOKEN = "a-token-of-the-tests-that-is-long-enough"


class House:
    """A folder as `sep2 init` makes it, with a small utility in its database, and the server in it."""

    def __init__(self, folder: Path, people: People, url: str) -> None:
        self.folder = folder
        self.people = people
        self.url = url
        self.port = free_port()
        self.operator_port = free_port()
        self.ids: Ids
        self._process: Process | None = None

    async def settle(self, *, clock: str = "paced") -> None:
        """Write the settings, and register everybody."""
        pki = self.people.pki.folder
        listed = json.dumps([str(pki / "root.pem"), str(pki / "ca.pem")])
        (self.folder / "sep2.toml").write_text(
            f'clock = "{clock}"\n[listen]\nport = {self.port}\n[operator]\nport = {self.operator_port}\n'
            f"[database]\nurl = {json.dumps(self.url)}\n[receivers]\nloopback = true\nfirst_retry_s = 1\n"
            f'[tls]\ncertificate = "{pki}/server.pem"\nkey = "{pki}/server.key"\nauthorities = {listed}\n'
        )
        (self.folder / "operator.token").write_text(TOKEN)
        database = await open_database(self.url)
        self.ids = await populate(database, self.people, NOW)
        await database.close()

    async def start(self, *arguments: str) -> None:
        """Start the server, and return when it answers; arguments: of `sep2 serve` beside the folder."""
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                SERVE,
                "serve",
                str(self.folder),
                *arguments,
                env=environment,
                stdin=DEVNULL,
                stderr=log,
            )
        while not await self._answers():
            assert self._process.returncode is None, (self.folder / "log").read_text()
            await asyncio.sleep(0.02)

    def say(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End it as a power cut would: nothing of it runs any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()

    async def operate(self, method: str, path: str, body: Any = None) -> Any:
        """What the operator API answers."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{self.operator_port}{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, url, json=body) as answer,
        ):
            said = await answer.json(content_type=None)
            assert answer.status < 300, said
            return said

    async def move_clock(self, to: int) -> None:
        """Move the paced clock, and let the server do what is due."""
        await self.operate("PUT", "/clock", {"now": to})

    async def _answers(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            await self.operate("GET", "/status")
            return True
        return False
