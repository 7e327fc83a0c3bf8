"""Lists of what stands, waits, was done and holds: deliveries, the audit log, health, overrides, controls."""

import json
from typing import Any

from sep2.admin import controls, overrides, oversight, receivers
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.rest.types import Asked, Span
from sep2.rules.roles import ENGINEER

PAGE = 100


class AuditQuery(Asked, frozen=True, kw_only=True):
    """Where the list goes on, whose entries, and of what."""

    after: str | None = None
    operator: str = ""
    subject: str = ""


class OverridesQuery(Asked, frozen=True, kw_only=True):
    """Where the list goes on, and whether those that are over are shown too."""

    after: str | None = None
    over: bool = False
    unreviewed: bool = False


async def show_deliveries(visit: Visit, asked: Span) -> dict[str, Any]:
    """Notifications that wait or were given up, changes set aside, and receivers of webhooks."""
    found = {
        "dead": await visit.ask(oversight.list_subscriptions, t.SubscriptionQuery(limit=PAGE, dead=True)),
        "waiting": await visit.ask(
            oversight.list_subscriptions, t.SubscriptionQuery(limit=PAGE, waiting=True, after=asked.after)
        ),
        "aside": await visit.ask(oversight.list_set_aside, Span(limit=PAGE)),
        "receivers": None,
        "may_replay": visit.may(oversight.replay_delivery),
        "needs": visit.needs(oversight.replay_delivery),
    }
    if visit.caller.role >= ENGINEER:
        found["receivers"] = await visit.ask(receivers.list_receivers, Span(limit=PAGE))
    return found


async def show_audit(visit: Visit, asked: AuditQuery) -> dict[str, Any]:
    """What was changed or refused, newest first."""
    query = t.AuditQuery(limit=PAGE, after=asked.after, operator=asked.operator or None, subject=asked.subject or None)
    found: t.Listed[t.Entry] = await visit.ask(oversight.list_audit, query)
    return {
        "found": found,
        "details": [json.dumps(json.loads(bytes(one.detail)), indent=1, ensure_ascii=False) for one in found.items],
        "operator": asked.operator,
        "subject": asked.subject,
    }


async def show_health(visit: Visit) -> dict[str, Any]:
    """Each probe as it was seen last; the frame has them already."""
    return {"status": await visit.ask(oversight.show_status)}


async def show_overrides(visit: Visit, asked: OverridesQuery) -> dict[str, Any]:
    """Overrides that are to come or hold, and those that are over if so asked."""
    query = t.OverrideQuery(limit=PAGE, after=asked.after, over=asked.over, unreviewed=asked.unreviewed)
    return {
        "found": await visit.ask(overrides.list_overrides, query),
        "over": asked.over,
        "may": visit.may(overrides.send_override),
        "needs": visit.needs(overrides.send_override),
    }


async def show_controls(visit: Visit, asked: Span) -> dict[str, Any]:
    """Controls that are not over, earliest first."""
    return {
        "found": await visit.ask(controls.list_controls, t.ControlQuery(limit=PAGE, after=asked.after)),
        "may": visit.may(controls.cancel_control),
        "needs": visit.needs(controls.cancel_control),
    }
