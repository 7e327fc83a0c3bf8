"""Clients: the list by silence, and one client with its devices, certificates, subscriptions and obedience."""

from typing import Any

from sep2.admin import certificates, changes, compliance, overrides, oversight, register, telemetry
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.rest.types import Asked, Span

PAGE = 100


class ClientQuery(Asked, frozen=True, kw_only=True):
    """Which client, by its name or LFDI, and where the list of its devices goes on."""

    name: str
    after: str | None = None


async def show_list(visit: Visit, asked: Span) -> dict[str, Any]:
    """Clients, those never heard of first, then those silent longest."""
    found: t.Listed[t.ClientContact] = await visit.ask(
        telemetry.list_contacts, t.ContactQuery(limit=PAGE, after=asked.after)
    )
    status: t.Status = await visit.ask(oversight.show_status)
    return {
        "found": found,
        "silent": frozenset(status.silent_clients),
        "may_change": visit.may(register.register_client),
        "needs": visit.needs(register.register_client),
    }


async def show_one(visit: Visit, asked: ClientQuery) -> dict[str, Any]:
    """One client."""
    client: t.ClientShown = await visit.ask(certificates.show_client, client=asked.name)
    contacts: t.Listed[t.ClientContact] = await visit.ask(telemetry.list_contacts, t.ContactQuery(client=client.lfdi))
    sums: t.ComplianceSums = await visit.ask(
        compliance.list_compliance, t.ComplianceQuery(by="total", client=client.lfdi)
    )
    status: t.Status = await visit.ask(oversight.show_status)
    return {
        "client": client,
        "about": client.name,
        "may_change": visit.may(changes.change_client),
        "may_set": visit.needs(changes.change_client),
        "contact": contacts.items[0] if contacts.items else None,
        "is_silent": client.name in status.silent_clients,
        "devices": await visit.ask(
            telemetry.list_device_contacts, t.ContactQuery(client=client.lfdi, limit=PAGE, after=asked.after)
        ),
        "subscriptions": await visit.ask(
            oversight.list_subscriptions, t.SubscriptionQuery(client=client.lfdi, limit=PAGE)
        ),
        "events": await visit.ask(telemetry.list_log_events, t.Listing(client=client.lfdi, limit=20)),
        "answers": await visit.ask(telemetry.list_responses, t.ResponseQuery(client=client.lfdi, limit=20)),
        "day": sums.items[0] if sums.items else None,
        "may_override": visit.may(overrides.send_override),
        "needs": visit.needs(overrides.send_override),
    }


class ConnectionsQuery(Asked, frozen=True, kw_only=True):
    """Where the list goes on, and of which place."""

    after: str | None = None
    place: str = ""


async def show_connections(visit: Visit, asked: ConnectionsQuery) -> dict[str, Any]:
    """Connections by their id."""
    query = t.ConnectionQuery(limit=PAGE, after=asked.after, place=asked.place or None)
    return {
        "found": await visit.ask(register.list_connections, query),
        "place": asked.place,
        "may_change": visit.may(register.add_connection),
        "needs": visit.needs(register.add_connection),
    }
