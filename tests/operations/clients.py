"""Four readings of what holds for a device: the operator's, and those of three kinds of client that poll."""

from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from sep2.client.controls import control_of
from sep2.client.schedule import Control, Program, Schedule
from sep2.functions import derp
from sep2.functions.request import Caller, House, Ids, Request
from sep2.operations.in_force import holdings
from sep2.resources import TABLE
from sep2.rules.paging import Page
from sep2.settings import parse
from sep2.store import devices, groups
from sep2.store.controls import Seen
from sep2.wire import Profile

HOUSE = House(parse({}))


class Polled(NamedTuple):
    """What a client is served: its programs by primacy, each with its list of controls."""

    programs: list[Program]
    controls: dict[int, list[Control]]


@dataclass(slots=True, kw_only=True)
class Looking(Request):
    """A request for documents with all limits, by a client that may see statuses as CSIP has them."""

    at_once: bool

    @property
    def seen(self) -> Seen:
        return Seen(self.now, self.at_once)


async def polled(db, device_id, at_once, now) -> Polled:
    """The lists of all programs of a device, as the server's handlers serve them."""
    caller = Caller("A" * 40, 1, "aggregator", Profile.CSIP_AUS_1_2, "out-of-band")
    seen = Seen(now, at_once)
    rows = (await groups.programs(db, device_id, Page(0, 255), seen)).rows
    programs, controls = [], {}
    device = await devices.one(db, device_id)
    for row in rows:
        ids = Ids({"edev": device_id, "derp": row.id, "fsa": row.id})
        rq = Looking(
            db=db, now=now, caller=caller, ids=ids, page=Page(0, 255), house=HOUSE, table=TABLE, device=device,
            at_once=at_once,
        )  # fmt: skip
        found = await derp.list_controls(rq)
        mrid = int(row.program_mrid, 16)
        programs.append(Program(mrid, row.primacy))
        controls[mrid] = [control_of(one, mrid) for one in found.DERControl]
    return Polled(programs, controls)


def _active(polled: Polled, now: int) -> list[Control]:
    return [one for several in polled.controls.values() for one in several if one.status == 1 and now < one.end]


class Plain:
    """A client that knows only lists, status and primacy; within one program the newest counts."""

    def look(self, polled: Polled, now: int) -> dict[str, Any]:
        primacy = {program.mrid: program.primacy for program in polled.programs}
        active = _active(polled, now)
        found: dict[str, Any] = {}
        for one in sorted(active, key=lambda one: (primacy[one.program], -one.created), reverse=True):
            found |= one.modes
        return found


class Forgetful(Plain):
    """One that never resumes what an event of another program has once taken from an event."""

    def __init__(self) -> None:
        self.lost: dict[int, set[str]] = defaultdict(set)

    def look(self, polled: Polled, now: int) -> dict[str, Any]:
        primacy = {program.mrid: program.primacy for program in polled.programs}
        active = _active(polled, now)
        ordered = sorted(active, key=lambda one: (primacy[one.program], -one.created))
        found: dict[str, Any] = {}
        taken: dict[str, int] = {}
        for one in ordered:
            for mode, value in one.modes.items():
                if mode in taken:
                    if taken[mode] != one.program:
                        self.lost[one.mrid].add(mode)
                elif mode not in self.lost[one.mrid]:
                    found[mode], taken[mode] = value, one.program
        return found


class Scheduled:
    """The client of this project."""

    def __init__(self) -> None:
        self.schedule = Schedule(Random(1))

    def look(self, polled: Polled, now: int) -> dict[str, Any]:
        self.schedule.assign(polled.programs, now)
        for program, controls in polled.controls.items():
            self.schedule.take(program, controls, now)
        return {mode: setting.value for mode, setting in self.schedule.limits(now).modes.items()}


async def operators_view(db, device_id, at_once, now) -> dict[str, Any]:
    """What the operator is shown."""
    found = await holdings(db, device_id, Seen(now, at_once))
    return {mode: one.value for mode, one in found.items()}
