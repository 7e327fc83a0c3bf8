"""Whether what is measured at a device fits the modes that it was sent."""

from typing import Any

from sep2.admin import find
from sep2.admin import types as t
from sep2.admin.telemetry import DAY_S, BadPeriod
from sep2.operations.followed_modes import compare
from sep2.operations.judging import policy_of
from sep2.rest.route import Request
from sep2.rules.set_modes import Checked
from sep2.rules.told_times import told
from sep2.store import judged

USUAL_S, LONGEST_S = 2 * 3600, 7 * DAY_S


async def list_measured_modes(rq: Request, asked: t.ModesQuery) -> t.DeviceModes:
    """Each mode that was in force for a device, interval by interval, beside what its own meter measured."""
    until = rq.now if asked.until is None else asked.until
    since = until - USUAL_S if asked.since is None else asked.since
    if not until - LONGEST_S <= since < until:
        raise BadPeriod(f"from: {told(since)} is not before {told(until)}, or more than 7 days before it")
    device = await find.device(rq.db, rq.ids["device"])
    policy = policy_of(rq.state.settings.utility, rq.state.house.poll_rate("DERProgramList"))
    rows = await judged.devices(rq.db, [device.id])
    found = (await compare(rq.db, rows, (since, until), policy)).get(device.id, [])
    items = [_shown(one.start, one.duration_s, mode) for one in found for mode in one.modes]
    return t.DeviceModes(lfdi=device.lfdi, since=since, until=until, items=items)


def _shown(start: int, duration_s: int, one: Checked) -> t.ModeMeasured:
    said: dict[str, Any] = one._asdict()
    del said["tells"]
    return t.ModeMeasured(start=start, duration_s=duration_s, **(said | {"fit": one.fit.value}))
