"""What holds when no control is active."""

import json
from collections.abc import Mapping
from typing import Any

from sep2.errors import BadValue
from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.groups import NoSuchGroup
from sep2.operations.modes import control_base
from sep2.rules.limits import Limits, check
from sep2.store import defaults, outbox
from sep2.store.connection import Connection


class BadRamp(BadValue):
    """A ramp rate is outside 0..65535 hundredths of a percent of setMaxW per second."""


async def set_default(
    db: Connection,
    group_id: int,
    limits: Limits,
    *,
    now: int,
    modes: Mapping[str, Any] | None = None,
    set_grad_w: int | None = None,
    set_soft_grad_w: int | None = None,
) -> bool:
    """Replace a group's default; whether anything changed. A limit that is None is no longer set."""
    known = await defaults.of_group(db, group_id)
    if known is None:
        raise NoSuchGroup(str(group_id))
    check(limits)
    control_base(modes or {})
    for name, ramp in (("setGradW", set_grad_w), ("setSoftGradW", set_soft_grad_w)):
        if ramp is not None and not 0 <= ramp <= 65535:
            raise BadRamp(f"{name}: {ramp}")
    wanted = {
        "import_limit_w": limits.import_w,
        "export_limit_w": limits.export_w,
        "gen_limit_w": limits.gen_w,
        "load_limit_w": limits.load_w,
        "modes": json.dumps(dict(modes or {}), sort_keys=True),
        "set_grad_w": set_grad_w,
        "set_soft_grad_w": set_soft_grad_w,
    }
    if all(getattr(known, name) == value for name, value in wanted.items()):
        return False
    await defaults.set_one(db, group_id, **wanted, changed=now)
    await warn_of_inexpressible(db, group_id, limits, now)
    await outbox.changed(db, "DefaultDERControl", derp=group_id)
    return True
