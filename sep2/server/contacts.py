"""Who is silent and whose clock is off: looked at every ten seconds, told by alarms with one row for each cause.

Of several servers on one database one looks.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.errors import SepError
from sep2.operations.alarms import (
    CLIENT_CLOCK,
    CLIENT_SILENT,
    DEVICE_SILENT,
    MASS_SILENCE,
    Wanted,
    differs,
    set_alarms,
)
from sep2.operations.attention import note_silent
from sep2.operations.silent_places import note_silent_places
from sep2.rules.alarm_kinds import ACT_SOON, THIS_DAY
from sep2.rules.silence import Contact, Silence, is_mass, named
from sep2.rules.told_times import told
from sep2.server.seen import Seen
from sep2.settings import POLLED
from sep2.store import alarms, seen
from sep2.store.database import Database

log = logging.getLogger("sep2.contacts")

LOOKS_EVERY_S = 10
REST = 20
"""After a look there is none for so many times as long as it took, where that is longer."""
KEPT_EVERY_S = 60
EVERYBODY = "all clients"
SKEW_S, SKEW_ENDS_S = 10, 5


class Said(NamedTuple):
    """Clients and devices that are silent, and the connections at which these are, for the status and the engine."""

    clients: list[str]
    devices: list[str]
    places: set[str]


class Contacts:
    """Raises and clears `client_silent`, `device_silent`, `mass_silence` and `client_clock`."""

    def __init__(self, db: Database, clock: Clock, heard: Seen, rate: Callable[[str], int]) -> None:
        """heard: what this process has heard and not written yet. rate: the pollRate of a resource."""
        self._db = db
        self._clock = clock
        self._heard = heard
        self._rate = rate
        self._at_work = asyncio.Lock()
        self._up_since = clock.now()
        self._clients: Silence | None = None
        self._devices: dict[str, Silence] = defaultdict(Silence)
        self._masses: set[str] = set()
        self._off: set[str] = set()
        self._kept: tuple[int, Any] = (0, None)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            began = time.monotonic()
            try:
                if await self._db.leads() and self._clock.is_trusted():
                    # A step of the clock is no time in which anybody could have been heard of.
                    self._up_since = int(max(self._up_since, self._clock.now() - self._clock.held_s()))
                    await self.look()
                else:
                    self._up_since = self._clock.now()
            except SepError as problem:
                log.warning("who is silent is looked at later: %s", problem)
            took_s = time.monotonic() - began
            await self._clock.sleep_until(self._clock.now() + max(LOOKS_EVERY_S, REST * took_s))

    async def look(self) -> None:
        """Have the alarms stand that the present time asks for."""
        async with self._at_work:
            await self._look()

    async def _look(self) -> None:
        now = self._clock.now()  # before the writing: what comes in meanwhile is not known yet at a later time
        await self._heard.write()
        async with self._db.read() as db:
            clients, devices = await seen.contacts(db), await seen.device_contacts(db)
            skews = {row.name: row.skew_s for row in await seen.skews(db)}
            if self._clients is None:
                self._clients = Silence(row.subject for row in await alarms.standing_of(db, CLIENT_SILENT))
                self._masses = {row.subject for row in await alarms.standing_of(db, MASS_SILENCE)}
                self._off = {row.subject for row in await alarms.standing_of(db, CLIENT_CLOCK)}
        # Of a hundred thousand devices this takes seconds, in which others are to be answered.
        wanted, said = await asyncio.to_thread(self._judged, clients, devices, skews, now=now)
        async with self._db.read() as db:
            codes = [code for code, of_code in wanted.items() if await differs(db, code, of_code)]
        at, before = self._kept
        if codes or said != before or abs(now - at) >= KEPT_EVERY_S:
            async with self._db.write() as db:
                for code in codes:
                    await set_alarms(db, code, wanted[code], now)
                await note_silent(db, now, clients=said.clients, devices=said.devices)
                await note_silent_places(db, said.places)
            self._kept = now, said

    def _judged(
        self, clients: Sequence[Row[Any]], devices: Sequence[Row[Any]], skews: Mapping[str, int], *, now: int
    ) -> tuple[dict[str, dict[str, Wanted]], Said]:
        """The alarms that have to stand, by code and subject, and who is silent."""
        assert self._clients is not None
        silent = self._clients.look([self._client(row) for row in clients], now, self._up_since)
        below = self._silent_devices(clients, devices, silent, now)
        places = {row.client_id: row.connection_name for row in devices if row.connection_name is not None}
        of_client = {row.name: places[row.id] for row in clients if row.kind == "device" and row.id in places}
        wanted = self._wanted(clients, silent, below, places=of_client, now=now)
        wanted[CLIENT_CLOCK] = self._clocks(skews)
        return wanted, _said(silent, below, of_client)

    def _client(self, row: Row[Any]) -> Contact:
        longest = max(self._rate(name) for name in POLLED)
        polls_s = longest if row.subscribes else self._rate("DERProgramList")
        expected_s = polls_s if row.post_rate is None else min(polls_s, row.post_rate)
        return Contact(row.name, row.created, _last(row), expected_s)

    def _silent_devices(
        self, clients: Sequence[Row[Any]], devices: Sequence[Row[Any]], silent: Mapping[str, int], now: int
    ) -> dict[str, tuple[dict[str, int], int]]:
        """By aggregator that speaks: its silent devices with since when, and how many it has."""
        aggregators = {row.id: row for row in clients if row.kind == "aggregator"}
        of: dict[int, list[Contact]] = {number: [] for number in aggregators}
        for row in devices:
            client = aggregators.get(row.client_id)
            if client is not None and row.lfdi != client.lfdi and not (row.subscribes and row.post_rate is None):
                expected_s = self._rate("DERProgramList") if row.post_rate is None else row.post_rate
                name = row.connection_name or row.lfdi
                of[row.client_id].append(Contact(name, row.registered, _last(row), expected_s))
        found = {}
        for number, contacts in of.items():
            name = aggregators[number].name
            if name not in silent and _last(aggregators[number]) is not None:
                found[name] = self._devices[name].look(contacts, now, self._up_since), len(contacts)
        return found

    def _wanted(
        self,
        clients: Sequence[Row[Any]],
        silent: Mapping[str, int],
        below: Mapping[str, tuple[dict[str, int], int]],
        *,
        places: Mapping[str, str],
        now: int,
    ) -> dict[str, dict[str, Wanted]]:
        """The alarms that have to stand, by code and subject: what has a cause in common is under that alone."""
        masses: dict[str, Wanted] = {}
        heard = {row.name for row in clients if _last(row) is not None}
        fell = {name: begins for name, begins in silent.items() if name in heard}
        if is_mass(fell, len(heard), now, stands=EVERYBODY in self._masses):
            masses[EVERYBODY] = Wanted(f"{len(fell)} of {len(heard)} clients are silent: {named(fell)}", members=fell)
        some: dict[str, Wanted] = {}
        for name, (members, total) in below.items():
            if not members:
                continue
            detail = f"{len(members)} of its {total} devices neither poll, post nor answer: {named(members, 20)}"
            of = masses if is_mass(members, total, now, stands=name in self._masses) else some
            of[name] = Wanted(detail, members=members)
        self._masses = set(masses)
        under = fell if EVERYBODY in masses else {}
        assert self._clients is not None
        alone = {
            row.name: _silent(row, places.get(row.name), self._clients.back_since(row.name))
            for row in clients
            if row.name in silent and row.name not in under
        }
        return {MASS_SILENCE: masses, CLIENT_SILENT: alone, DEVICE_SILENT: some}

    def _clocks(self, skews: Mapping[str, int]) -> dict[str, Wanted]:
        found = {}
        for name, skew_s in skews.items():
            if abs(skew_s) > SKEW_S or (name in self._off and abs(skew_s) >= SKEW_ENDS_S):
                found[name] = Wanted(f"its clock is {abs(skew_s)} s {'ahead' if skew_s > 0 else 'behind'}")
        self._off = set(found)
        return found


def _said(
    silent: Mapping[str, int], below: Mapping[str, tuple[dict[str, int], int]], places: Mapping[str, str]
) -> Said:
    devices = {name for members, _ in below.values() for name in members}
    return Said(sorted(silent), sorted(devices), devices | {places[name] for name in silent if name in places})


def _last(row: Row[Any]) -> int | None:
    return max((at for at in (row.last_request, row.last_post, row.last_answer) if at is not None), default=None)


def _silent(row: Row[Any], place: str | None, back: int | None) -> Wanted:
    last = _last(row)
    since = "never heard of" if last is None else f"not heard of since {told(last)}"
    if back is not None:
        since = f"heard of again since {told(back)}, not yet for as long as it was told to wait"
    under = f"; at {place}" if place is not None else ""
    if row.kind == "aggregator":
        under = f"; {row.devices} device{'' if row.devices == 1 else 's'} under it"
    return Wanted(since + under, ACT_SOON if row.kind == "aggregator" else THIS_DAY)
