"""The scripts in examples/, run as a reader would run them."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import select

from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from sep2.store import tables as t
from tests.server.world import NOW, World, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


async def run(world: World, script: str, name: str, *more: str) -> asyncio.subprocess.Process:
    address = f"https://127.0.0.1:{world.port}"
    command = (str(EXAMPLES / script), "--server", address, "--pki", str(world.people.pki.folder), "--name", name)
    return await asyncio.create_subprocess_exec(sys.executable, *command, *more, stdout=asyncio.subprocess.PIPE)


async def answered(world: World, device: str) -> set[int]:
    """The statuses of the responses of a device."""
    async with world.state.db.read() as c:
        found = await c.all(select(t.response.c.status).where(t.response.c.end_device_id == world.ids.devices[device]))
    return {row.status for row in found}


async def test_an_aggregator_and_a_gateway_obey_what_is_sent(world: World):
    for group in ("NMI1", "NMI4"):
        async with world.state.db.write() as c:
            new = NewControl(start=NOW, duration=600, limits=Limits(export_w=1500))
            await issue_controls(c, world.ids.groups[group], [new], NOW)
    processes = [
        await run(world, "aggregator.py", "sunny", "--listen", str(free_port())),
        await run(world, "gateway.py", "roof", "--pin", "111115"),
    ]
    try:
        for device in ("one", "roof"):
            while await answered(world, device) != {1, 2}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        for process in processes:
            process.terminate()
    said = [(await process.communicate())[0].decode() for process in processes]
    assert all("now generates 2100 W" in text and "started" in text for text in said)
