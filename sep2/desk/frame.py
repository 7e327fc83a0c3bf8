"""The frame of every page: who looks, what time it is, the alarms that stand, and whether all is well."""

from typing import NamedTuple

from sep2.admin import alarms
from sep2.admin import probes as health
from sep2.admin import types as t
from sep2.desk.door import Visit


class Frame(NamedTuple):
    """What stands above every page; alarms that stand by priority 1, 2, 3."""

    name: str
    role: str
    csrf: str
    now: int
    alarms: tuple[int, int, int]
    new: int
    """of these nobody has acknowledged yet"""
    flood: bool
    """There are more alarms than a person can read."""
    health: str
    """ok, bad or unknown"""
    health_said: str
    probes: list[t.Probe]


async def frame_of(visit: Visit) -> Frame:
    """The frame of a page that somebody looks at."""
    figures: t.AlarmCounts = await visit.ask(alarms.count_alarms)
    probes: list[t.Probe] = await visit.ask(health.list_probes)
    worst = first_bad(probes)
    return Frame(
        name=visit.caller.name,
        role=visit.caller.role.word,
        csrf=visit.caller.csrf,
        now=visit.now,
        alarms=(figures.priority_1, figures.priority_2, figures.priority_3),
        new=figures.new,
        flood=figures.is_flood,
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
