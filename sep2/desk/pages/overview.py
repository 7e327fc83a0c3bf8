"""The overview: what is in force, who is silent, who breaks a limit, what stands, what was changed."""

from typing import Any

from sep2.admin import alarms, compliance, desk, network, overrides, oversight
from sep2.admin import types as t
from sep2.desk.door import Visit

SHOWN = 10
QUIET = ("set_clock", "make_desk_link", "login", "logout")
"""Entries of the audit log that change nothing which is in force."""


async def show(visit: Visit) -> dict[str, Any]:
    """All of it from counters and from the first rows of lists."""
    sums: t.ComplianceSums = await visit.ask(compliance.list_compliance, t.ComplianceQuery(by="total"))
    changes: t.Listed[t.Entry] = await visit.ask(oversight.list_audit, t.AuditQuery(limit=5 * SHOWN))
    return {
        "status": await visit.ask(oversight.show_status),
        "in_force": await visit.ask(desk.show_in_force),
        "day": sums.items[0] if sums.items else None,
        "judged_until": sums.judged_until,
        "alarms": await visit.ask(alarms.list_alarms, t.AlarmQuery(limit=SHOWN)),
        "about": "",
        "network": await visit.ask(network.show_network, t.NetworkQuery(limit=SHOWN)),
        "changes": [one for one in changes.items if one.verb not in QUIET][:SHOWN],
        "overrides": await visit.ask(overrides.list_overrides, t.OverrideQuery(limit=SHOWN)),
    }
