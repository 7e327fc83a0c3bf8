"""The utility of the demonstration: a server's folder, its process, and the operator's client."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from envelope.demo.operator import Operator, Process
from envelope.problem import Problem, plan_file
from sep2.cli.process import serving
from sep2.errors import SepError
from sep2.settings import FILE, Settings, read

HOST = "127.0.0.1"
MARKER = "demo.json"
"""File in every folder that the demonstration created, and so may delete."""
SETTINGS = """\

# Below: the demonstration's own.
poll_rate = 900
post_rate = 1800

[utility.poll_rates]
DERList = 3600
MirrorUsagePointList = 1800
Registration = 86400

[utility.requests_per_minute]
aggregator = 0
device = 0

[engine]
fast_round_s = 3600
"""
"""Clients poll every quarter of an hour, post readings every half-hour and status every hour, and the engine calculates
every hour: a day takes two minutes. Limits of requests per minute of real time do not apply to it."""


Plan = Callable[[Path], tuple[str, Problem]]


class NotOurs(SepError):
    """That folder was not made by the demonstration."""


class InUse(SepError):
    """A server runs in that folder."""


class InitFailed(SepError):
    """`sep2 init` failed."""


class Utility:
    """A server in a process of its own, and the operator's client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = read(folder)
        self.operator = Operator(self.settings)
        self._process = Process(command("serve", str(folder)), folder / "server.log")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._process.stop)
            await stack.enter_async_context(self.operator)
            await self._process.start()
            await self.operator.is_up(self._process.has_ended)
            # A server that has not begun is stopped again.
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def kill_and_restart(self) -> None:
        """Kill the server's process and start it again on the same database."""
        await self._process.kill()
        await self._process.start()
        await self.operator.is_up(self._process.has_ended)


def command(*words: str) -> list[str]:
    """Return the command line of a `sep2` command of this installation."""
    return [sys.executable, "-P", "-c", "from sep2.cli import main; main()", *words]


async def create(
    folder: Path, plan: Plan | None = None, *, zone: str = "", settings: str = SETTINGS, like: str = "aus"
) -> Utility:
    """Create a folder by `sep2 init`, on free ports and with a paced clock, and save the engine's plan in it, if any.

    plan: returns the feeder's name and the problem, given the folder. settings: what is added to the folder's. like:
    the starting point of its settings, as `sep2 init --utility` has it.
    """
    await asyncio.to_thread(_clear, folder)
    port, operator_port = free_ports(2)
    ports = "--port", str(port), "--operator-port", str(operator_port)
    words = command("init", str(folder), "--host", HOST, *ports, "--clock", "paced", "--zone", zone, "--utility", like)
    init = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await init.communicate()
    if init.returncode != 0:
        raise InitFailed(output.decode().strip())
    await asyncio.to_thread(_complete, folder, plan, settings)
    return Utility(folder)


def _complete(folder: Path, plan: Plan | None, settings: str) -> None:
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(settings)
    if plan is not None:
        plan_file.save(folder / plan_file.FILE, *plan(folder))
    (folder / MARKER).write_text("{}\n", encoding="utf-8")


def _clear(folder: Path) -> None:
    """Remove the folder if the demonstration created it; refuse any other that is not empty, and one in use."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).exists():
        raise NotOurs(f"{folder} is not empty; choose another with --dir")
    if (process := serving(folder)) is not None:
        raise InUse(f"a server runs in {folder} (process {process}); stop it first, or choose another with --dir")
    shutil.rmtree(folder)


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that are free."""
    found = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in found]
    for each in found:
        each.close()
    return ports
