"""Alarms: the list by state, one alarm with what to do about it, and how many there are and were."""

from typing import Annotated, Any
from urllib.parse import quote

from msgspec import Meta

from sep2.admin import alarms
from sep2.admin import types as t
from sep2.admin.types.alarms import State
from sep2.desk.door import Visit
from sep2.rest.types import Asked

PAGE = 200
BELOW = 50
SHELVING = (("30 min", 1800), ("1 h", 3600), ("2 h", 7200), ("4 h", 14_400), ("8 h", 28_800))
"""For how long an operator shelves an alarm, in seconds."""
TABS: tuple[tuple[State, str], ...] = (
    ("standing", "Standing"),
    ("shelved", "Shelved"),
    ("suppressed", "Suppressed"),
    ("gone", "Over, not acknowledged"),
    ("cleared", "Over"),
)


NEXT_STEPS = {
    "unregistered_lfdi": (
        ("Register it as an aggregator", "/desk/change?form=client-add&lfdi={key}"),
        ("Register it as a device", "/desk/change?form=device-add&lfdi={key}&holds_net_limit=true"),
    ),
    "certificate_expiring": (("Replace a client's certificate", "/desk/change?form=client-certificate"),),
    "delivery_dead": (("Replay what was given up", "/desk/deliveries"),),
    "delivery_failing": (("Look at the deliveries", "/desk/deliveries"),),
    "default_in_force": (("Set what a connection's contract says", "/desk/change?form=connection-set"),),
    "reading_unproven": (("Look at what was measured, and at its signs", "/desk/clients"),),
    "approval_waiting": (("Decide on it", "/desk/approvals"),),
    "override_unreviewed": (("Look at the overrides", "/desk/overrides"),),
    "override_ending": (("Extend or release it", "/desk/overrides"),),
    "disconnect_overdue": (("Release it", "/desk/overrides"),),
    "limit_breach": (("See how limits are kept", "/desk/reports"),),
}
"""Where an alarm is acted on, by its code; {key} is the identifier of what it is about."""


class AlarmsQuery(Asked, frozen=True, kw_only=True):
    """Which alarms, and where the list goes on."""

    after: str | None = None
    state: State = "standing"


class AlarmQuery(Asked, frozen=True, kw_only=True):
    """Which alarm."""

    id: Annotated[str, Meta(max_length=20)]


async def show_list(visit: Visit, asked: AlarmsQuery) -> dict[str, Any]:
    """Alarms in a state, the most urgent first."""
    query = t.AlarmQuery(limit=PAGE, after=asked.after, state=asked.state)
    return {
        "found": await visit.ask(alarms.list_alarms, query),
        "figures": await visit.ask(alarms.show_alarm_figures, t.AlarmFiguresQuery()),
        "state": asked.state,
        "tabs": TABS,
        **_rights(visit),
    }


async def show_one(visit: Visit, asked: AlarmQuery) -> dict[str, Any]:
    """One alarm, and those that it explains."""
    one: t.AlarmShown = await visit.ask(alarms.show_alarm, alarm=asked.id)
    below = t.AlarmQuery(under=one.id, state="suppressed", limit=BELOW)
    steps = [(word, path.format(key=quote(one.key, safe=""))) for word, path in NEXT_STEPS.get(one.code, ())]
    found = {"one": one, "below": await visit.ask(alarms.list_alarms, below), "shelving": SHELVING, "steps": steps}
    return found | _rights(visit)


def _rights(visit: Visit) -> dict[str, Any]:
    return {"may": visit.may(alarms.acknowledge_alarm), "needs": visit.needs(alarms.acknowledge_alarm)}
