"""How old the live inputs of a round are, and whether switches are as the plan takes them.

An input counts once it was seen younger than it may be; files of past years are no live input. From then on a round may
only tighten while it is too old: head voltage and switch states hold back the whole feeder, readings of a connection's
devices that connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from envelope.operation.load_forecast import head_element
from envelope.operation.release import mark_of
from envelope.problem import Problem
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import Window, fetch
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.store import DAY_S, Kind, MeasurementStore
from gridmodel.model.network import Network
from sep2.settings.engine import Ages
from sep2.store import evidence, marks
from sep2.store.connection import Connection

HEAD, SWITCHES, DEVICES = "head voltage", "switch states", "devices"
LIVE = "envelope.live:"
"""Mark with the feeder's name: the inputs that were seen in time, and the connections whose devices were."""
SWITCHED = "switched"
"""File in the folder of measurements that is written when a state of a switch arrives: a round follows at once."""
LIVE_S = 30 * DAY_S
"""An input that was not seen in time for so long is no live input any more."""
KEPT_EVERY_S = 3600
"""How often the marks of inputs are brought up to date; only whether they are kept for 30 days depends on it."""
STATE = "state of "
AGES = Ages()
CLOSED = 0.5
"""A state above it is closed, at or below it open."""


class InputAge(NamedTuple):
    """One input of rounds."""

    name: str
    age_s: int | None
    """None: not seen within a day"""
    most_s: int
    late: tuple[str, ...] = ()
    """connections whose devices are late; empty where the input is of the whole feeder"""
    is_late: bool = False

    def sentence(self) -> str:
        """Return how old it is, and who is late."""
        age = "more than a day" if self.age_s is None else f"{self.age_s // 60} min"
        if self.late:
            more = ", ..." if len(self.late) > 3 else ""
            within = f"within {self.most_s // 60} min, or twice the length of a reading,"
            return f"{self.name}: nothing {within} of {', '.join(self.late[:3])}{more}"
        return f"{self.name}: {age} old, {self.most_s // 60} min at most"


class Inputs(NamedTuple):
    """The live inputs of a feeder at a time."""

    ages: tuple[InputAge, ...] = ()
    switched: str = ""
    """Switches that are not as the plan takes them; empty: none is."""
    seen: tuple[str, ...] = ()
    """What was seen in time, as `InputWatch.keep` keeps it."""

    @property
    def late(self) -> list[InputAge]:
        """Inputs that are too old."""
        return [one for one in self.ages if one.is_late]

    @property
    def are_fresh(self) -> bool:
        """Whether some input is young enough for rounds within a step."""
        return any(not one.is_late for one in self.ages)

    def held(self, problem: Problem) -> list[int]:
        """Return the columns of connections whose limits may only be tightened."""
        if any(one.is_late and not one.late for one in self.ages):
            return list(range(len(problem.connection_id)))
        late = {name for one in self.ages for name in one.late}
        return [k for k, name in enumerate(problem.connection_id) if name in late]


@dataclass(frozen=True)
class InputWatch:
    """Looks at the store of measurements and at clients' mirrors."""

    store: MeasurementStore
    feeder: str
    """its name, as in SCADA's element `head NAME`"""
    ages: Ages = AGES

    async def look(self, db: Connection, problem: Problem, now: int) -> Inputs:
        """Return the inputs of a feeder now."""
        live = set(await _live(db, self.feeder, now))
        newest = await asyncio.to_thread(self._scada, now)
        found, seen = [], []
        for name, most_s in ((HEAD, self.ages.head_voltage_s), (SWITCHES, self.ages.switch_states_s)):
            age = max(0, now - newest[name]) if name in newest else None
            is_late = age is None or age > most_s
            seen += [] if is_late else [name]
            if name in live or not is_late:
                found.append(InputAge(name, age, most_s, is_late=is_late))
        ends = await self._ends_of_readings(db, problem.connection_id, now)
        seen += [f"{DEVICES} {name}" for name in ends]
        known = [name for name in problem.connection_id if name in ends or f"{DEVICES} {name}" in live]
        if known:
            late = tuple(name for name in known if name not in ends)
            age = max(0, now - max(ends.values())) if ends else None
            found.append(InputAge(DEVICES, age, self.ages.devices_s, late, is_late=not ends))
        states = {name.removeprefix(STATE): at for name, at in newest.items() if name.startswith(STATE)}
        return Inputs(tuple(found), switched(problem.reduced.network, states), tuple(seen))

    async def _ends_of_readings(self, db: Connection, names: Sequence[str], now: int) -> dict[str, int]:
        """Return when the latest reading of each connection's devices ends; of those that are young enough.

        While a reading lasts, and is on its way, there can be no later one: it counts for twice its own length.
        """
        ends: dict[str, int] = {}
        for row in await evidence.newest(db, names, now):
            end = row.start + row.duration
            if end > now - max(self.ages.devices_s, 2 * row.duration):
                ends[row.connection_id] = max(end, ends.get(row.connection_id, 0))
        return ends

    async def keep(self, db: Connection, inputs: Inputs, now: int) -> None:
        """Keep which inputs were seen in time."""
        live = await _live(db, self.feeder, now)
        if any(now - live.get(name, 0) >= KEPT_EVERY_S for name in inputs.seen):
            await marks.put(db, mark_of(LIVE, self.feeder), json.dumps(live | dict.fromkeys(inputs.seen, now)))

    def _scada(self, now: int) -> dict[str, int]:
        """Return when head voltage and switch states were reported last, and each switch's state."""
        if not self.store.exists:
            return {}
        found: dict[str, int] = {}
        element = head_element(self.store, self.feeder)
        if element is not None:
            rows = self._rows([element], Quantity.VOLTAGE, now)
            found |= {HEAD: max(at for _, at, _ in rows)} if rows else {}
        states = self._rows(None, Quantity.STATE, now)
        latest: dict[str, tuple[int, float]] = {}
        for name, at, value in states:
            if name not in latest or at >= latest[name][0]:
                latest[name] = at, value
        if latest:
            found[SWITCHES] = min(at for at, _ in latest.values())
        return found | {f"{STATE}{name}": int(value > CLOSED) for name, (_, value) in latest.items()}

    def _rows(self, places: Iterable[str] | None, quantity: Quantity, now: int) -> list[tuple[str, int, float]]:
        series = known_series(self.store, Kind.SCADA, places, (quantity,))
        if not series:
            return []
        rows: dict[str, Any] = fetch(self.store, Kind.SCADA, series, Window(now - DAY_S, now + 1, DAY_S + 1, now))
        each = zip(rows["code"].tolist(), rows["start"].tolist(), rows["value"].tolist(), strict=True)
        return [(series[code].series.place, start, value) for code, start, value in each]


def switched(network: Network, states: dict[str, int]) -> str:
    """Return which lines are open or closed otherwise than in the model, as a sentence; empty: none is.

    states: 1 closed or 0 open, by the name of a line, also as `line NAME`.
    """
    if network.equipment is None:
        return ""
    model = {line.id: all(line.closed) for line in network.equipment.lines}
    said = []
    for name, is_closed in sorted(states.items()):
        line = name.removeprefix("line ")
        if line in model and model[line] != bool(is_closed):
            now, planned = ("closed" if one else "open" for one in (is_closed, model[line]))
            said.append(f"{line} is {now}, and {planned} in the plan")
    return "; ".join(said)


async def _live(db: Connection, feeder: str, now: int) -> dict[str, int]:
    said: dict[str, int] = json.loads(await marks.value(db, mark_of(LIVE, feeder)) or "{}")
    return {name: at for name, at in said.items() if at > now - LIVE_S}
