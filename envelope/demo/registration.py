"""Clients of the demonstration and their devices, registered with the utility."""

from __future__ import annotations

from envelope.demo.clients import DemoClients
from envelope.demo.homes import Homes
from envelope.demo.roles import AGGREGATOR, GATEWAY, Roles
from envelope.demo.utility import Utility


async def register(server: Utility, clients: DemoClients[Homes], roles: Roles) -> None:
    """Register all clients with the utility, and let them discover it."""
    homes, operator = clients.homes, server.operator
    names = homes.day.connection_ids
    await operator.move_clock(clients.clock.now())
    for at in (*roles.aggregator, roles.gateway, *roles.silent):
        await operator.ask("POST", "/connections", {"connection_id": names[at]})
    await _register_aggregator(server, clients, roles)
    for at, name in [(roles.gateway, GATEWAY), *((at, f"{GATEWAY}-{names[at]}") for at in roles.silent)]:
        for each in homes.equipment(at):
            own = f"{name}-{each.name}" if each.name else name
            body = {"name": own, "lfdi": clients.issue(own), "connection_id": names[at]}
            await operator.ask("POST", "/devices", body | each.registered)
            await clients.add_gateway(own, each.number, can_be_interrupted=at in roles.silent)
    await operator.settled()
    await clients.advance()


async def _register_aggregator(server: Utility, clients: DemoClients[Homes], roles: Roles) -> None:
    """Register the aggregator, and every device that it acts for."""
    homes, operator = clients.homes, server.operator
    await operator.ask("POST", "/clients", {"name": AGGREGATOR, "lfdi": clients.issue(AGGREGATOR, aggregator=True)})
    found: dict[str, int] = {}
    for position, each in [(at, each) for at in roles.aggregator for each in homes.equipment(at)]:
        body = {"client": AGGREGATOR, "connection_id": homes.day.connection_ids[position]}
        made = await operator.ask("POST", "/devices", body | each.registered)
        found[made["lfdi"]] = each.number
    await clients.add_aggregator(AGGREGATOR, found)


async def prove_meters(server: Utility) -> None:
    """Record that the meters count imports positive; limits are judged only by meters of proven sign."""
    for mirror in await server.operator.all_of("/mirrors?total=capped"):
        path = f"/mirrors/{mirror['id']}/reading-sign"
        await server.operator.ask("PUT", path, {"reading_sign": "as-posted"})
