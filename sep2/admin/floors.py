"""The least limits that rules guarantee to controllable loads, by the utility's settings."""

from typing import Any

from msgspec import UNSET
from sqlalchemy import Row

from sep2.admin import types as t
from sep2.errors import BadValue
from sep2.rest.route import Request
from sep2.rules.floors import least_load_w
from sep2.settings import Utility


class BadFloor(BadValue):
    """The settings know no rule of that name, or there is no rule for these loads."""


def columns(utility: Utility, rule: str | None, loads: int | None) -> dict[str, Any]:
    """What is stored of a device under a rule with so many controllable loads; one, where nobody says how many."""
    if not rule:
        if loads is not None:
            raise BadFloor("controllable_loads: is said without floor")
        return {"floor_rule": None, "controllable_loads": None, "least_load_w": None}
    floor = utility.floors.get(rule)
    if floor is None:
        raise BadFloor(f"floor: {rule[:40]!r} is none of {', '.join(sorted(utility.floors)) or '(none is set)'}")
    count = 1 if loads is None else loads
    least_w = least_load_w(floor.least_w, floor.factors, count)
    return {"floor_rule": rule, "controllable_loads": count, "least_load_w": least_w}


def of_new(rq: Request, asked: t.NewDevice) -> dict[str, Any]:
    """The same of a device that is registered; without a rule it has the utility's, where there is one."""
    utility = rq.state.settings.utility
    return columns(utility, utility.floor if asked.floor is None else asked.floor, asked.controllable_loads)


def of_change(rq: Request, row: Row[Any], said: dict[str, Any]) -> dict[str, Any]:
    """The same of a change, taken out of what it names; nothing where it says nothing of it."""
    rule, loads = said.pop("floor", UNSET), said.pop("controllable_loads", UNSET)
    if rule is UNSET and loads is UNSET:
        return {}
    utility = rq.state.settings.utility
    kept = row.controllable_loads if rule is UNSET or rule else None
    return columns(utility, row.floor_rule if rule is UNSET else rule, kept if loads is UNSET else loads)
