"""What holds when no control is active."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sep2.errors import BadValue
from sep2.operations import inherited, unlimited
from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.curves import check_links
from sep2.operations.groups import UnknownGroup, refuse_net_limits
from sep2.operations.issuing import limits_of
from sep2.operations.modes import control_base, enter_service
from sep2.operations.newcomers import refuse_newcomers
from sep2.rules.limits import Limits, check
from sep2.store import defaults, groups
from sep2.store.connection import Connection


class BadRamp(BadValue):
    """A ramp rate is outside 0..65535 hundredths of a percent of setMaxW per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a default says beside its limits: modes, ramps in hundredths of a percent per second, entering service."""

    modes: Mapping[str, Any] = field(default_factory=dict)
    set_grad_w: int | None = None
    set_soft_grad_w: int | None = None
    enter_service: Mapping[str, int] = field(default_factory=dict)


async def set_default(db: Connection, group_id: int, limits: Limits, *, now: int, beside: Beside | None = None) -> bool:
    """Replace a group's default; whether anything changed. A limit that is None is no longer set.

    What it says beside its limits is replaced too, or stays as it is where `beside` is None.
    """
    group = await groups.locked(db, group_id)
    known = await defaults.of_group(db, group_id)
    if group is None or known is None:
        raise UnknownGroup(str(group_id))
    check(limits)
    refuse_net_limits(group, [limits])
    wanted: dict[str, Any] = {
        "import_limit_w": limits.import_w,
        "export_limit_w": limits.export_w,
        "gen_limit_w": limits.gen_w,
        "load_limit_w": limits.load_w,
    }
    if beside is not None:
        wanted |= _columns(beside)
        await check_links(db, group_id, [beside.modes])
    if all(getattr(known, name) == value for name, value in wanted.items()):
        return False
    await refuse_newcomers(db, group_id)
    await defaults.set_one(db, group_id, **wanted, changed=now)
    modes = beside.modes if beside else ()
    await warn_of_inexpressible(db, [group_id], limits, now, modes=modes, by_default=True)
    said = inherited.said_of(known)
    await inherited.follow_members(db, group_id, lambda held: inherited.with_said(held, group_id, said), own_rose=True)
    await unlimited.look_at_group(db, group_id, now)
    return True


async def set_defaults(db: Connection, wanted: Mapping[int, Limits], *, now: int) -> int:
    """Replace the limits in the defaults of several groups, by their ids; how many of them changed."""
    known = await defaults.of_groups(db, list(wanted)) if wanted else {}
    differ = [number for number, limits in wanted.items() if number not in known or limits_of(known[number]) != limits]
    return sum([await set_default(db, number, wanted[number], now=now) for number in differ])


def _columns(beside: Beside) -> dict[str, Any]:
    control_base(beside.modes)
    for name, ramp in (("setGradW", beside.set_grad_w), ("setSoftGradW", beside.set_soft_grad_w)):
        if ramp is not None and not 0 <= ramp <= 65535:
            raise BadRamp(f"{name}: {ramp}")
    return {
        "modes": json.dumps(dict(beside.modes), sort_keys=True),
        "set_grad_w": beside.set_grad_w,
        "set_soft_grad_w": beside.set_soft_grad_w,
        "enter_service": json.dumps(enter_service(beside.enter_service), sort_keys=True),
    }
