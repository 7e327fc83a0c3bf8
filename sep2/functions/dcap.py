"""DeviceCapability and Time."""

from sep2 import wire as w
from sep2.functions.request import Request
from sep2.rules import zones
from sep2.settings import Utility
from sep2.store import devices

UNCOORDINATED = 7
"""Time.quality of a time that nobody vouches for: the machine's clock has jumped."""


async def device_capability(rq: Request) -> w.DeviceCapability:
    """Where everything else begins (2030.5 8.3)."""
    known = rq.caller.client
    count = await devices.count_of(rq.db, known) if known is not None else None
    own = count.own if count else None
    return w.DeviceCapability(
        ResponseSetListLink=(
            None if own is None else rq.list_link(w.ResponseSetListLink, "ResponseSetList", 1, edev=own)
        ),
        TimeLink=rq.link(w.TimeLink, "Time"),
        UsagePointListLink=rq.list_link(w.UsagePointListLink, "UsagePointList", count.mirrors if count else 0),
        EndDeviceListLink=rq.list_link(w.EndDeviceListLink, "EndDeviceList", count.devices if count else 0),
        MirrorUsagePointListLink=rq.list_link(
            w.MirrorUsagePointListLink, "MirrorUsagePointList", count.mirrors if count else 0
        ),
    )


async def time(rq: Request) -> w.Time:
    """The time by which events are executed (2030.5 9.2)."""
    utility = rq.house.settings.utility
    local = local_time(utility, rq.now)
    return w.Time(
        currentTime=rq.now,
        dstEndTime=local.dst_end,
        dstOffset=local.dst_offset,
        dstStartTime=local.dst_start,
        localTime=local.at(rq.now),
        quality=utility.time_quality if rq.house.trusts_clock() else UNCOORDINATED,
        tzOffset=local.tz_offset,
    )


def local_time(utility: Utility, now: int) -> zones.Local:
    """Local time at `now`, by the zone's name or else by the numbers in the settings."""
    if utility.zone:
        return zones.local(utility.zone, now)
    return zones.Local(utility.tz_offset_s, utility.dst_offset_s, utility.dst_start, utility.dst_end)
