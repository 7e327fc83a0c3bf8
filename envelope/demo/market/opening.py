"""Before the market's day: the server, clients with certificates, the register, and the utility's review."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from envelope.demo import utility
from envelope.demo.clients import DemoClients
from envelope.demo.market import network
from envelope.demo.market.batteries import Batteries
from envelope.demo.market.network import RATED_W
from envelope.demo.market.party import Party
from envelope.demo.simulation import move_clock
from envelope.demo.utility import HOST, Utility
from envelope.problem import Problem
from sep2.clock import SteppedClock

ZONE = "America/New_York"
DAY = datetime(2028, 6, 14, tzinfo=ZoneInfo(ZONE))
"""The operating day, from its first second on: a Wednesday."""
BEFORE = timedelta(days=20)
REVIEW_DAYS = 8
MEMBERS = {"North": range(1, 9), "South": range(9, 13)}
"""Numbers of the batteries of each feeder that an aggregator has."""
PROFILE = "demo"
PROFILE_TEXT = """\
# PJM's rules, with meters of five minutes.
extends = "pjm"
name = "demo"
[metering]
interval_s = 300
[location]
scope = "multi"
# So that the day of the event shows what a curtailed day would do to a baseline.
[baseline]
drop_event_days = false
"""
SETTINGS = """\

# Below: the demonstration's own.
poll_rate = 300
post_rate = 300

[utility.poll_rates]
DERList = 3600

[utility.requests_per_minute]
aggregator = 0
device = 0

[partner]
host = "{host}"
port = {port}
reads_per_second = 0
changes_per_second = 0

[market]
profiles = "profiles"
"""


@dataclass(frozen=True, eq=False)
class House:
    """All who take part, on one clock."""

    server: Utility
    clients: DemoClients[Batteries]
    parties: dict[str, Party]

    @property
    def batteries(self) -> Batteries:
        """The batteries behind the clients."""
        return self.clients.homes

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what the operator API answers."""
        return await self.server.operator.ask(method, path, body)

    async def pass_until(self, when: datetime, *, step_s: int | None = None) -> None:
        """Let time pass, clients and batteries doing what they have to at every step; without steps, all at once."""
        until, now = int(when.timestamp()), self.clients.clock.now()
        while now < until:
            now = until if step_s is None else min(until, now - now % step_s + step_s)
            await move_clock(self.server, self.clients, now)
            self.batteries.play(now)
            await self.clients.advance()
            self.batteries.play(now)


def members_of(name: str) -> list[str]:
    """Return the connections of an aggregator's batteries."""
    return [network.site_name(feeder, number) for feeder in network.FEEDERS for number in MEMBERS[name]]


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Start the utility in a folder of its own, with everybody connected, registered and approved."""
    async with AsyncExitStack() as stack:
        port = utility.free_ports(1)[0]
        server = await utility.create(folder, _plan, zone=ZONE, settings=SETTINGS.format(host=HOST, port=port))
        await asyncio.to_thread(_write_profile, folder / "profiles")
        await stack.enter_async_context(server)
        address = server.settings.listen.host, server.settings.listen.port
        clock = SteppedClock(int((DAY - BEFORE + timedelta(hours=9)).timestamp()))
        clients = DemoClients(Batteries(), folder / "pki", address, clock)
        stack.push_async_callback(clients.close)
        await server.operator.move_clock(clock.now())
        lfdis = {name: await _connect(server, clients, name) for name in MEMBERS}
        parties = {name: await stack.enter_async_context(Party(folder / "pki", name, HOST, port)) for name in MEMBERS}
        house = House(server, clients, parties)
        await _register(house, lfdis)
        yield house


def _plan(folder: Path) -> tuple[str, Problem]:
    """Write the network into the server's folder; return its place, and the plan of the day before and the day."""
    tables = network.write(folder.resolve() / "network")
    return str(tables), network.problem(tables, int((DAY - timedelta(hours=18)).timestamp()), 48)


def _write_profile(folder: Path) -> None:
    folder.mkdir()
    (folder / f"{PROFILE}.toml").write_text(PROFILE_TEXT, encoding="utf-8")


async def _connect(server: Utility, clients: DemoClients[Batteries], name: str) -> str:
    """Register an aggregator's client with the devices of its connections; return its LFDI."""
    lfdi = clients.issue(name, aggregator=True)
    behind = members_of(name)
    await server.operator.ask("POST", "/clients", {"name": name, "lfdi": lfdi, "connections": behind})
    found = await server.operator.all_of(f"/devices?client={name}")
    position = {connection: at for at, connection in enumerate(clients.homes.names)}
    own = {each["lfdi"]: position[each["connection_id"]] for each in found if each["connection_id"]}
    await clients.add_aggregator(name, own)
    return lfdi


async def _register(house: House, lfdis: dict[str, str]) -> None:
    """Enter parties, DERs, aggregations and places, and have the aggregations reviewed."""
    await house.ask("PUT", "/operators/local", {"grants": ["reviewer", "supervisor"]})
    for feeder in network.FEEDERS:
        await house.ask("POST", "/places", {"kind": "transformer", "name": feeder})
        numbers = range(1, network.SITES + 1)
        behind = [network.site_name(feeder, number) for number in numbers]
        await house.ask("POST", f"/places/{feeder}/connections", {"connections": behind})
    for name, lfdi in lfdis.items():
        await _add_party(house, name, lfdi)
    await house.server.operator.settled()
    await house.clients.advance()
    for name in MEMBERS:
        await house.ask("POST", f"/market/aggregations/{name} VPP/submit")
    await house.pass_until(DAY - BEFORE + timedelta(days=REVIEW_DAYS, hours=9))
    for review in await house.server.operator.all_of("/market/reviews?total=capped"):
        name = review["aggregation"].removesuffix(" VPP")
        shown = await house.ask("GET", f"/market/reviews/{review['id']}")
        decided = [_decision(f"DER {one}", shown["screens"]) for one in members_of(name)]
        await house.ask("POST", f"/market/reviews/{review['id']}/decide", {"ders": decided})
        await house.ask("PUT", f"/market/aggregations/{name} VPP", {"iso_resource_id": f"R-{name.upper()}"})


async def _add_party(house: House, name: str, lfdi: str) -> None:
    contact = {"role": "desk", "name": f"{name}'s desk", "phone": "+15550100", "is_24x7": True}
    agreement = {"ref": f"{name}-2028", "signed": int((DAY - timedelta(days=90)).timestamp())}
    said = {"name": name, "status": "active", "contacts": [contact], "agreement": agreement}
    await house.ask("POST", "/market/parties", said)
    await house.ask("POST", f"/market/parties/{name}/certificates", {"lfdi": lfdi, "purpose": "both"})
    watts = dict.fromkeys(("max_gen_w", "max_load_w", "import_agreement_w", "export_agreement_w"), RATED_W)
    consent = {"scopes": ["registration", "telemetry"], "given_by": "the customer"}
    for connection in members_of(name):
        keys = {"edc_account": f"account {connection}", "connection": connection, "meter_id": f"meter {connection}"}
        facts = {**keys, **watts, "device_type": "battery"}
        der = {"name": f"DER {connection}", "party": name, "facts": facts, "consent": consent}
        await house.ask("POST", "/market/ders", der)
    said = {"name": f"{name} VPP", "party": name, "profile": PROFILE, "model": "multi", "services": ["energy"]}
    nodes = {"iso_nodes": list(network.FEEDERS), "inject_w": len(members_of(name)) * RATED_W}
    await house.ask("POST", "/market/aggregations", {**said, **nodes})
    for feeder in network.FEEDERS:
        ders = [f"DER {one}" for one in members_of(name) if one.startswith(feeder)]
        body = {"ders": ders, "iso_node": feeder}
        await house.ask("POST", f"/market/aggregations/{name} VPP/members", body)


def _decision(der: str, screens: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the utility decides of a DER: as far as the network bears it, and nothing is left unanswered."""
    failed = [one for one in screens if one["der"] == der and one["result"] == "fail"]
    evidence = [
        "telemetry: commissioning test",
        *(f"{one['screen']}: {one['binding'] or one['cause']}" for one in failed),
    ]
    limits = [one["limit_w"] for one in failed if one["limit_w"] is not None]
    if not limits:
        return {"der": der, "outcome": "ok", "evidence": evidence}
    return {"der": der, "outcome": "limited", "limit_w": min(limits), "reason": "network_limit", "evidence": evidence}
