"""Alarms of the network: limits that the latest run expects to be passed, and voltages measured beyond theirs."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.operations import diagrams
from sep2.operations.alarms import Wanted
from sep2.operations.diagrams import Worst
from sep2.rules.told_times import told
from sep2.server.leading import have_stand, look_every
from sep2.store import alarms
from sep2.store import diagrams as stored
from sep2.store.connection import Connection
from sep2.store.database import Database

log = logging.getLogger("sep2.network")

OVERLOAD_FORECAST, VOLTAGE_FORECAST, VOLTAGE_BREACH = "overload_forecast", "voltage_forecast", "voltage_breach"
AHEAD_S = 86_400
FORECASTS_EVERY_S, VOLTAGES_EVERY_S = 60, 300
TWICE, THRICE = 2, 3
"""Readings, or steps, beyond a limit that are an alarm, and readings inside of it after which it is none any more."""
INSIDE_BY = 0.005
"""How far inside, as a share of the nominal voltage."""
MANY = 3
"""Connections beyond their limits at one feeder from which on it is to be acted on soon."""
ACT_SOON = 2
NAMED = 5


class _Limits(NamedTuple):
    """The voltage limits of a connection, V."""

    low_v: float
    high_v: float
    inside_v: float


class _Seen(NamedTuple):
    """How often in a row a connection was beyond its limits, or well inside of them; from which reading that is."""

    at: int
    beyond: int
    inside: int


class NetworkWatch:
    """Looks at feeders as they are expected and at what is measured there, on one of several servers."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._limits: dict[str, tuple[str, dict[str, _Limits]]] = {}
        """By feeder: the run that they are of, and those of each connection."""
        self._seen: dict[str, _Seen] = {}
        self._beyond: dict[str, tuple[str, list[diagrams.Beyond]]] = {}
        """By feeder: the run, and its steps beyond a limit."""

    async def run_forecasts(self) -> None:
        """Look at what is expected, until cancelled."""
        await look_every(FORECASTS_EVERY_S, self.forecasts, self._db, log, later="forecasts are looked at later")

    async def run_voltages(self) -> None:
        """Look at what is measured, until cancelled."""
        await look_every(VOLTAGES_EVERY_S, self.voltages, self._db, log, later="voltages are looked at later")

    async def forecasts(self) -> None:
        """Have an alarm stand for each feeder whose latest run expects a limit to be passed within a day."""
        now, loads, volts = self._clock.now(), dict[str, Wanted](), dict[str, Wanted]()
        async with self._db.read() as db:
            feeders = await stored.runs(db)
            for feeder in feeders:
                known = self._beyond.get(feeder.feeder)
                if known is None or known[0] != feeder.run:
                    row = await stored.one(db, feeder.feeder)
                    steps = [] if row is None else diagrams.beyond(row, diagrams.model_of(row))
                    known = self._beyond[feeder.feeder] = feeder.run, steps
                if over := _ahead([one.loading for one in known[1]], now):
                    loads[feeder.feeder] = Wanted(f"{_of_rating(over[0])}, in {over[1]} steps")
                if over := _ahead([one.voltage for one in known[1]], now):
                    volts[feeder.feeder] = Wanted(f"{_of_nominal(over[0])}, in {over[1]} steps")
        self._beyond = {row.feeder: self._beyond[row.feeder] for row in feeders}
        await have_stand(self._db, {OVERLOAD_FORECAST: loads, VOLTAGE_FORECAST: volts}, now)

    async def voltages(self) -> None:
        """Have an alarm stand for each feeder at which voltages were measured beyond their limits twice in a row."""
        now, wanted = self._clock.now(), dict[str, Wanted]()
        async with self._db.read() as db:
            feeders = await stored.runs(db)
            for feeder in feeders:
                limits = await self._limits_of(db, feeder)
                standing = set(await alarms.members_about(db, VOLTAGE_BREACH, feeder.feeder))
                found = await diagrams.measured(db, list(limits), now)
                beyond = {
                    name: one.voltage_v
                    for name, one in found.items()
                    if one.voltage_v is not None and self._is_beyond(name, one, limits[name], stands=name in standing)
                }
                if beyond:
                    wanted[feeder.feeder] = _breach(beyond, limits)
        self._limits = {row.feeder: self._limits[row.feeder] for row in feeders}
        known = {name for _, limits in self._limits.values() for name in limits}
        self._seen = {name: seen for name, seen in self._seen.items() if name in known}
        await have_stand(self._db, {VOLTAGE_BREACH: wanted}, now)

    async def _limits_of(self, db: Connection, feeder: Row[Any]) -> dict[str, _Limits]:
        known = self._limits.get(feeder.feeder)
        if known is None or known[0] != feeder.run:
            row = await stored.one(db, feeder.feeder)
            nodes = [] if row is None else diagrams.model_of(row).nodes
            known = (
                feeder.run,
                {
                    name: _Limits(
                        one.low_limit * one.nominal_v, one.high_limit * one.nominal_v, INSIDE_BY * one.nominal_v
                    )
                    for one in nodes
                    for name in one.connections
                },
            )
            self._limits[feeder.feeder] = known
        return known[1]

    def _is_beyond(self, name: str, one: diagrams.Measured, limits: _Limits, *, stands: bool) -> bool:
        """Whether a connection counts as beyond its limits after its latest reading; stands: whether it did before."""
        assert one.voltage_v is not None
        (low, high), at = one.voltage_v, one.voltage_at
        before = self._seen.get(name, _Seen(-1, TWICE if stands else 0, 0))
        if at != before.at:
            is_beyond = low < limits.low_v or high > limits.high_v
            is_inside = limits.low_v + limits.inside_v <= low and high <= limits.high_v - limits.inside_v
            before = _Seen(at, before.beyond + 1 if is_beyond else 0, before.inside + 1 if is_inside else 0)
            self._seen[name] = before
        return before.inside < THRICE if stands else before.beyond >= TWICE


def _ahead(steps: Sequence[Worst | None], now: int) -> tuple[Worst, int] | None:
    """The worst of a day ahead and in how many steps it is so; None where it is so in fewer than two."""
    found = [one for one in steps if one is not None and now <= one.at < now + AHEAD_S]
    return (max(found, key=lambda one: abs(one.value - one.limit)), len(found)) if len(found) >= TWICE else None


def _of_rating(one: Worst) -> str:
    return f"{one.value:.0%} of the rating of {one.where} is expected, at {told(one.at)} the most"


def _of_nominal(one: Worst) -> str:
    at = f"at {told(one.at)} the furthest from its limit of {one.limit:.1%}"
    return f"{one.value:.1%} of nominal is expected at {one.where}, {at}"


def _breach(beyond: dict[str, tuple[float, float]], limits: dict[str, _Limits]) -> Wanted:
    names: Sequence[str] = sorted(beyond)
    each = [_volts(name, beyond[name], limits[name]) for name in names[:NAMED]]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return Wanted(f"{'; '.join(each)}{more}", ACT_SOON if len(names) >= MANY else None, members=names)


def _volts(name: str, measured: tuple[float, float], limits: _Limits) -> str:
    low, high = measured
    over = high - limits.high_v > limits.low_v - low
    return f"{name} {high if over else low:.1f} V ({limits.low_v:.1f} to {limits.high_v:.1f} V)"
