"""The overview: what is in force, who is silent, who breaks a limit, what stands, what was changed."""

from typing import Any

from sep2.admin import alarms, compliance, desk, overrides, oversight
from sep2.admin import types as t
from sep2.desk.door import Visit

SHOWN = 10


async def show(visit: Visit) -> dict[str, Any]:
    """All of it from counters and from the first rows of lists."""
    sums: t.ComplianceSums = await visit.ask(compliance.list_compliance, t.ComplianceQuery(by="total"))
    return {
        "status": await visit.ask(oversight.show_status),
        "in_force": await visit.ask(desk.show_in_force),
        "day": sums.items[0] if sums.items else None,
        "judged_until": sums.judged_until,
        "alarms": await visit.ask(alarms.list_alarms, t.AlarmQuery(limit=SHOWN)),
        "changes": await visit.ask(oversight.list_audit, t.AuditQuery(limit=SHOWN)),
        "overrides": await visit.ask(overrides.list_overrides, t.OverrideQuery(limit=SHOWN)),
    }
