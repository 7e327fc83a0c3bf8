"""What a client writes at the ends of every field is refused, or read back as it was written."""

import dataclasses
from collections import Counter
from typing import Any

from hypothesis import strategies as st

from sep2 import wire as w
from tests.raw import Raw, Reply
from tests.server.world import NOW, World
from tests.wire.instances import instances

PROFILE = w.Profile.CSIP_AUS_1_2
DAY, TEN_YEARS, YEAR_2000 = 86_400, 315_576_000, 946_684_800
PLACES = {
    w.DERCapability: "dercap",
    w.DERSettings: "derg",
    w.DERStatus: "ders",
    w.DERAvailability: "dera",
}

LIKELY = st.builds(
    w.DateTimeInterval,
    start=st.sampled_from([YEAR_2000, NOW - 900, NOW, NOW + DAY]),
    duration=st.sampled_from([0, 1, 300, 900, TEN_YEARS]),
)
ANY = instances(w.DateTimeInterval, PROFILE, extreme=True)


def written(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Documents that a client may write of a class."""
    made = instances(kind, PROFILE, extreme=True)
    if kind is w.MirrorUsagePoint:
        return st.tuples(made, st.lists(_series(), min_size=1, max_size=3)).map(
            lambda both: _with(both[0], MirrorMeterReading=both[1])
        )
    if kind is w.Subscription:
        unconditional = made.map(lambda one: _with(one, Condition=None, encoding=0))
        return st.one_of(unconditional, unconditional, made)
    return made


def _series() -> st.SearchStrategy[w.MirrorMeterReading]:
    """Series with a ReadingType, whose times a meter may mean; now and then one that none may."""
    times = st.one_of(*[LIKELY] * 19, ANY)
    said = instances(w.Reading, PROFILE, extreme=True)
    readings = st.tuples(said, st.one_of(times, times, times, st.none())).map(
        lambda both: _with(both[0], timePeriod=both[1])
    )
    sets = st.builds(
        lambda made, period, held: _with(made, timePeriod=period, Reading=held),
        instances(w.MirrorReadingSet, PROFILE, extreme=True),
        times,
        st.lists(readings, min_size=1, max_size=3) | st.just([]),
    )
    return st.builds(
        lambda made, kind, alone, held: _with(made, ReadingType=kind, Reading=alone, MirrorReadingSet=held),
        instances(w.MirrorMeterReading, PROFILE, extreme=True),
        instances(w.ReadingType, PROFILE, extreme=True),
        st.none() | readings,
        st.one_of(sets.map(lambda one: [one]), sets.map(lambda one: [one]), st.lists(sets, max_size=2)),
    )


def _with(made: Any, **fields: Any) -> Any:
    """The same object with other values in some fields."""
    return dataclasses.replace(made, **fields)


class Writer:
    """sunny, who writes for the device `one` and reads back."""

    def __init__(self, world: World, raw: Raw, subject: str) -> None:
        self.world = world
        self.raw = raw
        self.subject = subject
        """The mRID of a control of the device."""
        self.device = f"/edev/{world.ids.devices['one']}"
        self.lfdi = w.HexBinary(world.ids.lfdis["one"])
        self.taken: Counter[str] = Counter()
        """How many documents of each class were not refused."""

    async def write(self, sent: Any) -> None:
        """Write a document, and find what was taken where it belongs."""
        verify = {
            w.EndDevice: self._end_device,
            w.ConnectionPoint: self._connection_point,
            w.LogEvent: self._log_event,
            w.DERControlResponse: self._response,
            w.Subscription: self._subscription,
            w.MirrorUsagePoint: self._mirror,
        }.get(type(sent), self._document)
        await verify(sent)

    async def _said(self, method: str, path: str, sent: Any) -> Reply | None:
        """The answer, None where it is a refusal that says why."""
        answer = await self.raw.ask(method, path, w.encode(sent, PROFILE))
        if answer.status in (201, 204):
            self.taken[type(sent).__name__] += 1
            return answer
        assert answer.status in (400, 409), (answer.status, sent)
        assert answer.reason in (0, 1, 3), sent
        return None

    async def _read(self, path: str, kind: type[Any]) -> Any:
        answer = await self.raw.get(path)
        assert answer.status == 200, (path, answer.status)
        return w.decode(answer.body, kind, profile=PROFILE)

    async def _same(self, path: str, sent: Any, *names: str) -> None:
        """What is read back says the same in these fields."""
        found = await self._read(path, type(sent))
        for name in names:
            assert _plain(getattr(found, name)) == _plain(getattr(sent, name)), (name, sent, found)

    async def _document(self, sent: Any) -> None:
        path = f"{self.device}/der/1/{PLACES[type(sent)]}"
        if await self._said("PUT", path, sent):
            await self._same(path, sent, *(f.name for f in w.layout(type(sent)).elements if f.within(PROFILE)))

    async def _end_device(self, sent: w.EndDevice) -> None:
        sent.lFDI = self.lfdi
        if await self._said("PUT", self.device, sent):
            await self._same(self.device, sent, "postRate", "deviceCategory")

    async def _connection_point(self, sent: w.ConnectionPoint) -> None:
        if await self._said("PUT", f"{self.device}/cp", sent):
            await self._same(f"{self.device}/cp", sent, "connectionPointId")

    async def _log_event(self, sent: w.LogEvent) -> None:
        if answer := await self._said("POST", f"{self.device}/lel", sent):
            await self._same(answer.location, sent, *(f.name for f in w.layout(w.LogEvent).elements))
            assert (await self.raw.get(f"{self.device}/lel?l=255")).status == 200

    async def _response(self, sent: w.DERControlResponse) -> None:
        sent.subject, sent.endDeviceLFDI = w.HexBinary(self.subject), self.lfdi
        if answer := await self._said("POST", f"{self.device}/rsps/1/rsp", sent):
            found = await self._read(answer.location, w.DERControlResponse)
            expected = NOW if sent.createdDateTime is None else sent.createdDateTime
            assert (found.status, found.createdDateTime) == (sent.status, expected)
            assert (await self.raw.get(f"{self.device}/rsps/1/rsp?l=255")).status == 200

    async def _subscription(self, sent: w.Subscription) -> None:
        own = (await self.raw.get("/edev?l=1")).href("EndDevice/SubscriptionListLink")
        sent.subscribedResource, sent.notificationURI = "/edev", f"https://localhost:9{sent.notificationURI}"
        if answer := await self._said("POST", own, sent):
            await self._same(answer.location, sent, "encoding", "level", "limit", "notificationURI")
            assert (await self.raw.get(f"{own}?l=255")).status == 200

    async def _mirror(self, sent: w.MirrorUsagePoint) -> None:
        sent.deviceLFDI = self.lfdi
        answer = await self._said("POST", "/mup", sent)
        for path in ("/mup?l=255", "/upt?l=255"):
            assert (await self.raw.get(path)).status == 200
        if answer is None:
            return
        fields = "mRID", "description", "version", "serviceCategoryKind", "status", "deviceLFDI"
        await self._same(answer.location, sent, *fields, "roleFlags")
        point = answer.location.replace("/mup/", "/upt/")
        listed = await self._read(f"{point}/mr?l=255", w.MeterReadingList)
        found = {int(one.mRID): one for one in listed.MeterReading}
        latest = {int(one.mRID): one for one in sent.MirrorMeterReading}
        for mrid, series in latest.items():
            await self._series(
                found[mrid], series, alone=sum(int(s.mRID) == mrid for s in sent.MirrorMeterReading) == 1
            )
        assert (await self.raw.ask("DELETE", answer.location)).status == 204

    async def _series(self, found: w.MeterReading, sent: w.MirrorMeterReading, *, alone: bool) -> None:
        if alone:
            assert (found.description or "", found.version) == (sent.description or "", sent.version)
        kind = await self._read(found.ReadingTypeLink.href, w.ReadingType)
        assert dataclasses.replace(kind, href=None) == dataclasses.replace(sent.ReadingType, href=None)  # type: ignore[type-var]
        if found.ReadingLink:
            await self._read(found.ReadingLink.href, w.Reading)
        assert found.ReadingSetListLink
        sets = (await self._read(f"{found.ReadingSetListLink.href}?l=255", w.ReadingSetList)).ReadingSet
        shown = {(int(one.mRID), one.timePeriod.start): one for one in sets}
        for one in sets:
            await self._read(f"{one.ReadingListLink.href}?l=255", w.ReadingList)
        if alone and len(sent.MirrorReadingSet) == 1:
            (said,) = sent.MirrorReadingSet
            one = shown[int(said.mRID), said.timePeriod.start]
            assert (one.timePeriod, one.description or "", one.version) == (
                said.timePeriod,
                said.description or "",
                said.version,
            )
            held = (await self._read(f"{one.ReadingListLink.href}?l=255", w.ReadingList)).Reading
            assert sorted(map(_of_reading, held)) == sorted(map(_of_reading, _told_apart(said.Reading)))


def _told_apart(said: list[w.Reading]) -> list[w.Reading]:
    """Readings but for those that the same set said again, of one time and with one localID: there the last counts."""
    last = {
        (
            one.timePeriod.start if one.timePeriod else n,
            one.timePeriod.duration if one.timePeriod else n,
            n if one.localID is None else int(one.localID),
            one.localID is None,
            one.consumptionBlock,
            one.touTier,
        ): one
        for n, one in enumerate(said)
    }
    return list(last.values())


def _of_reading(one: w.Reading) -> tuple[Any, ...]:
    said = (one.value, one.consumptionBlock, one.touTier, one.localID, one.qualityFlags)
    return tuple(-(2**60) if value is None else int(value) for value in said)


def _plain(value: Any) -> Any:
    """A value as it is compared: hexBinary by value, and an empty text as an absent one."""
    return None if value == "" and isinstance(value, str) else value
