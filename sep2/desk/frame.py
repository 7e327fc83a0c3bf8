"""The frame of every page: who looks, what time it is, the alarms that stand, and whether all is well."""

from typing import NamedTuple

from sep2.admin import desk, oversight
from sep2.admin import types as t
from sep2.desk.door import Visit

MOST = 500


class Frame(NamedTuple):
    """What stands above every page; alarms by priority 1, 2, 3."""

    name: str
    role: str
    csrf: str
    now: int
    alarms: tuple[int, int, int]
    capped: bool
    health: str
    """ok, bad or unknown"""
    health_said: str
    probes: list[t.Probe]


async def frame_of(visit: Visit) -> Frame:
    """The frame of a page that somebody looks at."""
    alarms: t.Listed[t.Alarm] = await visit.ask(oversight.list_alarms, t.AlarmQuery(limit=MOST))
    probes: list[t.Probe] = await visit.ask(desk.list_probes)
    counts = [sum(one.priority == priority for one in alarms.items) for priority in (1, 2, 3)]
    worst = first_bad(probes)
    return Frame(
        name=visit.caller.name,
        role=visit.caller.role.word,
        csrf=visit.caller.csrf,
        now=visit.now,
        alarms=(counts[0], counts[1], counts[2]),
        capped=alarms.next is not None,
        health="ok" if worst is None else worst.state,
        health_said="all is well" if worst is None else f"{worst.name}: {worst.detail}",
        probes=probes,
    )


def first_bad(probes: list[t.Probe]) -> t.Probe | None:
    """The first probe that is bad, or else the first that is unknown; None where all is well."""
    for state in ("bad", "unknown"):
        for one in probes:
            if one.state == state:
                return one
    return None
