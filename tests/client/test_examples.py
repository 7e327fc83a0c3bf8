"""The scripts in examples/, run as a reader would run them."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import select

from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from sep2.store import tables as t
from tests.ports import free_port
from tests.server.world import NOW, World

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


async def test_a_battery_plans_its_charging_by_what_it_is_sent(world: World):
    async with world.state.db.write() as c:
        new = NewControl(start=NOW, duration=86_400, limits=Limits(import_w=1000))
        await issue_controls(c, world.ids.groups["NMI4"], [new], NOW)
    process = await run(world, "battery.py", "roof")
    assert process.stdout is not None
    try:
        while b"charges" not in (line := await process.stdout.readline()):
            assert line, "it ended"
    finally:
        process.terminate()
        await process.communicate()
    # 1000 W less the home's 600 W, in the ten half-hours of the cheap price first.
    assert line.count(b" 400 W") > 10


def test_the_optimiser_in_the_documentation_is_that_of_the_example():
    code = (EXAMPLES.parent / "docs" / "clients.md").read_text().split("```python\n")[2].split("```")[0]
    assert code.strip() in (EXAMPLES / "battery.py").read_text()
