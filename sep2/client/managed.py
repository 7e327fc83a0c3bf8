"""One EndDevice that a client speaks for: what it is assigned to, its schedule, and what it owes the server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

from sep2 import wire as w
from sep2.client import plant
from sep2.client.controls import default_of
from sep2.client.device import Device, Reporting, State
from sep2.client.function_sets import FunctionSet, function_sets_of
from sep2.client.limits import NO_LIMITS, Limits
from sep2.client.mirror import DER, SITE, Mirror
from sep2.client.outbox import Letter, Outbox
from sep2.client.schedule import Owed, Program, Schedule
from sep2.client.session import Refused, Session
from sep2.client.tree import NEVER, Branch, Watch
from sep2.rules.limits import PERCENT_100

log = logging.getLogger(__name__)

GONE = frozenset({400, 404, 410})
"""How a server answers a reading whose mirror it does not have any more, or not with that series."""


LOG_EVENT_IDS = 65_536
"""logEventID has 16 bits, and starts again."""


class Managed:
    """A device, its programs and its letters. Times are the server's."""

    def __init__(
        self, lfdi: str, device: Device, rng: Random, *, pin: int | None, pen: int, whole_defaults: bool = True
    ) -> None:
        self.lfdi = lfdi
        self.device = device
        self.outbox = Outbox()
        self.schedule = Schedule(rng, category=device.rating.category, whole_defaults=whole_defaults)
        self.limits: Limits | None = None
        """What the device was last told to obey."""
        rating = device.rating
        places = [place for place, has in ((SITE, rating.has_site_meter), (DER, rating.has_der_meter)) if has]
        self.mirrors = [Mirror(lfdi, place, pen) for place in places]
        self.new_mirrors = False
        """The server has created mirrors and may have set their postRate."""
        self.watches: list[Watch] = []
        """What is read on its behalf."""
        self.halted = False
        """The server does not know our PIN: it is not the one we were registered with, and is not obeyed."""
        self.on_owed: Callable[[Managed, Owed], None] | None = None
        self._pin, self._pen = pin, pen
        self._log_events = self._load_sheds = ""
        self._offered_w: float | None = None
        self._worth_telling = 0.0
        self._logged = 0
        self._programs: dict[str, list[Program]] = {}
        self._function_sets = function_sets_of(rating)
        self._ders: set[str] = set()

    def branches(self, found: w.EndDevice) -> list[Branch]:
        """What the EndDevice leads to, as far as we follow it."""
        self._log_events = found.LogEventListLink.href if found.LogEventListLink is not None else ""
        offers = found.LoadShedAvailabilityListLink
        self._load_sheds = offers.href if offers is not None else ""
        links = (
            (found.RegistrationLink, w.Registration, self._take_registration),
            (found.FunctionSetAssignmentsListLink, w.FunctionSetAssignmentsList, self._take_assignments),
            (found.DERListLink, w.DERList, self._take_ders),
        )
        return [Branch(link.href, kind, take, self) for link, kind, take in links if link is not None]

    def is_read(self) -> bool:
        """Whether all that is known to be said of it has been looked at."""
        return all(watch.asked_at != NEVER for watch in self.watches)

    def tick(self, now: int, *, with_what_is_known: bool = False) -> None:
        """Start and end what is due and let the device obey what then holds.

        While part of it is still being read it keeps to what it was told before. `with_what_is_known` does not wait,
        except that a device which was never told anything keeps to what its installer set.
        """
        if not self.is_read() and not (with_what_is_known and self.limits is not None):
            return
        limits = NO_LIMITS if self.halted else self.schedule.limits(now, self.device.rating.max_w)
        if limits != self.limits:
            self.limits = limits
            self.device.apply(limits, now)
        for owed in self.schedule.owed():
            if not self.halted:
                self._answer(owed)

    def leave(self, now: int) -> None:
        """The server has removed the device: nothing that it said holds any more."""
        self.limits = NO_LIMITS
        self.device.apply(NO_LIMITS, now)

    def next_reading(self) -> int | None:
        """When readings are due."""
        return min((due for mirror in self.mirrors if (due := mirror.due()) is not None), default=None)

    def take_mirrors(self, known: Mapping[int, w.MirrorUsagePoint], mup_list: str, now: int) -> None:
        """Compare our mirrors with those on the server; what it does not have is created."""
        for mirror in self.mirrors:
            there = known.get(mirror.mrid)
            if there is not None:
                mirror.href = there.href or mirror.href
                mirror.post_rate_s = there.postRate or mirror.post_rate_s
            else:
                self.outbox.renew(Letter(f"mirror of the {mirror.place.name}", self._creation(mirror, mup_list)))
            if mirror.measured_until is None:
                mirror.measured_until = now

    def measure(self, mup_list: str, now: int) -> None:
        """Measure and write down what is due."""
        due = [mirror for mirror in self.mirrors if (at := mirror.due()) is not None and at <= now]
        if not due:
            return
        measured = self.device.measure(now)
        for mirror in due:
            power = measured.site if mirror.place is SITE else measured.der
            since, mirror.measured_until = mirror.measured_until, now
            if power is not None and since is not None:
                sent = mirror.readings(power, since, now)
                self.outbox.add(Letter("readings", self._readings(mirror, sent, mup_list)))

    def log_event(self, code: int, now: int, *, function_set: int, details: str | None) -> None:
        """Write a LogEvent down to be sent; ValueError if the server has no place for it."""
        if not self._log_events:
            raise ValueError(f"{self.lfdi}: the server shows no LogEventListLink for it")
        self._logged = (self._logged + 1) % LOG_EVENT_IDS
        event = w.LogEvent(
            createdDateTime=now,
            details=details,
            functionSet=function_set,
            logEventCode=code,
            logEventID=self._logged,
            logEventPEN=self._pen,
            profileID=w.ProfileID.IEEE_2030_5,
        )
        href = self._log_events

        async def send(session: Session) -> None:
            await session.post(href, event)

        self.outbox.add(Letter("log event", send))

    def _take_registration(self, found: w.Registration, now: int) -> list[Branch]:
        # 2030.5 6.9: the PIN tells the device that it has reached the server its owner registered it with.
        self.halted = self._pin is not None and found.pIN != self._pin
        if self.halted:
            log.error("%s: the server does not know the PIN; it is not obeyed", self.lfdi)
        return []

    def _take_assignments(self, found: w.FunctionSetAssignmentsList, now: int) -> list[Branch]:
        read = {
            link.href: function_set
            for fsa in found.FunctionSetAssignments
            for function_set in self._function_sets
            if (link := getattr(fsa, function_set.link)) is not None
        }
        self._programs = {href: programs for href, programs in self._programs.items() if href in read}
        self._assign(now)
        return [self._programs_at(href, read[href]) for href in sorted(read)]

    def _programs_at(self, href: str, of: FunctionSet) -> Branch:
        """The programs of one FunctionSetAssignments."""

        def take(found: Any, now: int) -> list[Branch]:
            self._programs[href] = [Program(program.mRID, int(program.primacy)) for program in of.programs(found)]
            asked = [getattr(one, "availabilityUpdatePercentChangeThreshold", None) for one in of.programs(found)]
            self._worth_telling = min((share / PERCENT_100 for share in asked if share), default=self._worth_telling)
            self._offer(self._state(now))
            self._assign(now)
            return [branch for program in of.programs(found) for branch in self._below(program, of)]

        def accept(told: Any, now: int) -> bool:
            """Enough if no program came or went: most often a list of controls has grown."""
            known = {program.mrid for program in self._programs.get(href, ())}
            listed = of.programs(told)
            if told.all > len(listed) or {program.mRID for program in listed} != known:
                return False
            take(told, now)
            return True

        return Branch(href, of.listed, take, self, accept)

    def _assign(self, now: int) -> None:
        self.schedule.assign((program for programs in self._programs.values() for program in programs), now)

    def _below(self, program: Any, of: FunctionSet) -> list[Branch]:
        """Where a program keeps its events and its default."""

        def take_default(found: w.DefaultDERControl, now: int) -> list[Branch]:
            self.schedule.take_default(program.mRID, default_of(found))
            return []

        def take_events(found: Any, now: int) -> list[Branch]:
            self.schedule.take(program.mRID, [of.read(sent, program.mRID) for sent in of.events(found)], now)
            return []

        def accept_events(told: Any, now: int) -> bool:
            """Enough if it is the whole list, and nothing is missing from it that might have been cancelled."""
            listed = {sent.mRID for sent in of.events(told)}
            if told.all > len(listed) or self.schedule.lacks(program.mRID, listed, now):
                return False
            take_events(told, now)
            return True

        found = []
        default = getattr(program, "DefaultDERControlLink", None)
        if default is not None:
            found.append(Branch(default.href, w.DefaultDERControl, take_default, self))
        link = of.events_link(program)
        if link is not None:
            found.append(Branch(link.href, of.events_listed, take_events, self, accept_events))
        return found

    def _take_ders(self, found: w.DERList, now: int) -> list[Branch]:
        """Write capability and settings of a DER that is new to us, and its state whenever the list is read."""
        state = self._state(now)
        for der in found.DER:
            rating = self.device.rating
            if der.href not in self._ders:
                self._put(der.DERCapabilityLink, plant.capability(rating))
                self._put(der.DERSettingsLink, plant.settings(rating, now))
            self._put(der.DERStatusLink, plant.status(self.limits or NO_LIMITS, state, now))
            self._put(der.DERAvailabilityLink, plant.availability(state, now))
        self._ders = {der.href for der in found.DER if der.href}
        self._offer(state)
        return []

    def _state(self, now: int) -> State:
        return self.device.state(now) if isinstance(self.device, Reporting) else State()

    def _offer(self, state: State) -> None:
        """Say what the device could do without, once that differs by as much as its programs ask for."""
        said, before, href = plant.load_shed(state), self._offered_w, self._load_sheds
        if said is None or state.sheddable_w is None or not href or not self._worth_telling:
            return
        if before is not None and abs(state.sheddable_w - before) < max(self._worth_telling * before, 1.0):
            return
        self._offered_w = state.sheddable_w

        async def send(session: Session) -> None:
            await session.post(href, said)

        self.outbox.renew(Letter(f"what could be shed, at {href}", send))

    def _put(self, link: w.Link | None, document: object | None) -> None:
        if link is not None and document is not None:
            href = link.href

            async def send(session: Session) -> None:
                await session.put(href, document)

            self.outbox.renew(Letter(f"{type(document).__name__} at {href}", send))

    def _answer(self, owed: Owed) -> None:
        kind = w.DrResponse if owed.control.is_load_control else w.DERControlResponse
        response = kind(
            createdDateTime=owed.at,
            endDeviceLFDI=w.HexBinary(self.lfdi),
            status=owed.answer,
            subject=w.HexBinary(owed.control.mrid, 16),
        )
        reply_to = owed.control.reply_to
        assert reply_to is not None

        async def send(session: Session) -> None:
            await session.post(reply_to, response)

        self.outbox.add(Letter("response", send))
        if self.on_owed is not None:
            self.on_owed(self, owed)

    def _creation(self, mirror: Mirror, mup_list: str) -> Callable[[Session], Awaitable[None]]:
        async def send(session: Session) -> None:
            mirror.href = await session.post(mup_list, mirror.usage_point())
            self.new_mirrors = True

        return send

    def _readings(
        self, mirror: Mirror, sent: w.MirrorMeterReadingList, mup_list: str
    ) -> Callable[[Session], Awaitable[None]]:
        create = self._creation(mirror, mup_list)

        async def send(session: Session) -> None:
            if not mirror.href:
                await create(session)
            try:
                await session.post(mirror.href, sent)
            except Refused as refused:
                if refused.answered not in GONE:
                    raise
                await create(session)
                await session.post(mirror.href, sent)

        return send
