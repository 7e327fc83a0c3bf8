"""py20305, a client by other hands, walks our server, reads our limits, obeys and answers."""

import asyncio
from contextlib import suppress

import pytest
from py20305.client.csip_client import CsipClient
from py20305.client.tls import TlsConfig
from py20305.events.dispatch import NullDispatcher

from sep2.clock import SystemClock
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from sep2.rules.paging import Page
from sep2.store import responses
from tests.server.world import serving

RECEIVED, STARTED, COMPLETED = 1, 2, 3


class Inverter(NullDispatcher):
    """Does what it is told, and remembers it."""

    def __init__(self) -> None:
        self.told = asyncio.Queue()

    async def apply_control(self, device_href, derc, curves):
        await self.told.put(limits(derc.dercontrol_base))

    async def apply_default_control(self, device_href, dderc, curves, **why):
        await self.told.put(limits(dderc.dercontrol_base))


def limits(base) -> dict[str, int]:
    """The csipaus limits of a DERControlBase as that client has read it, in watts."""
    said = {type(limit).__name__: limit.value * 10**limit.multiplier.value for limit in base.other_element}
    return {f"o{name[1:]}": watts for name, watts in said.items()}


@pytest.fixture
async def world(people, sqlite_url):
    async with serving(people, sqlite_url, clock=SystemClock()) as world:
        yield world


async def test_it_walks_obeys_and_answers(world):
    clock, group = world.state.clock, world.ids.groups["NMI4"]
    async with world.state.db.write() as db:
        wanted = NewControl(start=clock.now() + 4, duration=5, limits=Limits(import_w=4000, export_w=100_000))
        await set_default(db, group, Limits(export_w=1500), now=clock.now())
        await issue_controls(db, group, [wanted], clock.now())
    inverter = Inverter()
    files = world.people.files("roof")
    tls = TlsConfig(files.chain, files.key, world.people.pki.folder / "root.pem", check_hostname=False)
    client = CsipClient(
        f"https://127.0.0.1:{world.port}",
        tls=tls,
        dispatcher=inverter,
        server_2018_compat=True,
        heartbeat_enabled=False,
    )
    async with client:
        await client.connect()
        state = client.state
        (device,) = state.end_devices.values()
        assert device.lfdi.hex().upper() == world.people.lfdi("roof")
        # The three of operators come before the connection's own.
        assert sorted(one.primacy for one in state.der_programs.values()) == [1, 2, 3, 4]
        program = next(one for one in state.der_programs.values() if one.primacy == 4)
        assert limits(program.default_dercontrol.dercontrol_base) == {"opModExpLimW": 1500}
        (control,) = program.der_controls
        said = {"opModImpLimW": 4000, "opModExpLimW": 100_000}
        assert limits(control.dercontrol_base) == said
        assert (control.interval.start.value, control.interval.duration) == (wanted.start, wanted.duration)
        running = asyncio.create_task(client.run())
        while await inverter.told.get() != said:
            pass
        assert clock.now() >= wanted.start
        assert (await inverter.told.get())["opModExpLimW"] == 1500
        answered = await answers(world, COMPLETED)
        assert [status for status, _ in answered] == [RECEIVED, STARTED, COMPLETED]
        assert all(mrid == control.m_rid.value.hex().upper() for _, mrid in answered)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def answers(world, last: int) -> list[tuple[int, str]]:
    """What the device answered, in order, once it has answered `last`."""
    while True:
        async with world.state.db.read() as db:
            found = await responses.of_device(db, world.ids.devices["roof"], Page(0, 100))
        told = sorted((row.status, row.mrid) for row in found.rows)
        if told and told[-1][0] == last:
            return told
        await asyncio.sleep(0.1)
