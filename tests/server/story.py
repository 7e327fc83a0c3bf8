"""What happens between a utility and an aggregator, step by step; each step may be done again after a crash."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from tests.raw import AUS, Raw, Reply, context, document
from tests.receiver import Receiver
from tests.server.process import House
from tests.server.walk import walk
from tests.server.world import NOW

T = TypeVar("T")
Step = Callable[["Story"], Awaitable[None]]


class Story:
    """sunny and its device `one`, the feeder's operator, and what each was told."""

    def __init__(self, house: House, receiver: Receiver) -> None:
        self.house = house
        self.receiver = receiver
        self.locations: dict[str, str] = {}
        """Where what sunny posted is, by what it was."""
        self.mrids: dict[str, str] = {}
        """The controls that the operator was told of."""
        self._raw: Raw | None = None

    async def raw(self) -> Raw:
        """sunny's connection; a new one after it was lost."""
        if self._raw is None or self._raw.writer.is_closing():
            tls = context(self.house.people.pki.folder / "root.pem", self.house.people.files("sunny"))
            self._raw = await Raw.open(self.house.port, tls)
        return self._raw

    async def leave(self) -> None:
        """Hang up."""
        if self._raw is not None:
            await self._raw.close()
            self._raw = None

    @property
    def device(self) -> str:
        """The path of `one`."""
        return f"/edev/{self.house.ids.devices['one']}"

    @property
    def program(self) -> str:
        """The path of the feeder's program, for `one`."""
        return f"{self.device}/derp/{self.house.ids.groups['feeder']}"

    async def sees(self) -> dict[str, tuple[int, bytes]]:
        """Everything that sunny can reach, to the octet."""
        return {path: (reply.status, reply.body) for path, reply in (await walk(await self.raw())).items()}

    async def post(self, what: str, path: str, body: str) -> None:
        """Post, and remember where it is; what was there before a crash is still in the same place."""
        reply = await (await self.raw()).post(path, body)
        assert reply.status in (201, 204), reply
        assert self.locations.setdefault(what, reply.location) == reply.location

    async def control(self, name: str, start: int, export_w: int) -> None:
        """Have the operator issue a control; one that repeats itself is the same control."""
        # The paced clock begins at 0, and what begins more than a year ahead has to be meant.
        limits = {"export_w": export_w}
        asked = {"controls": [{"start": start, "duration": 600, "limits": limits}], "anyway": True}
        told = await self.house.operate("POST", "/groups/feeder/controls", asked)
        (mrid,) = (*told["created"], *told["kept"])
        assert self.mrids.setdefault(name, mrid) == mrid

    async def status_of(self, name: str) -> int | None:
        """The status of a control as sunny sees it, if it is in the list."""
        listed: Reply = await (await self.raw()).get(f"{self.program}/derc?l=255")
        for control in listed.all("DERControl"):
            if control.findtext("{*}mRID") == self.mrids[name]:
                return int(control.findtext("{*}EventStatus/{*}currentStatus") or "")
        return None


async def subscribe(story: Story) -> None:
    own = (await (await story.raw()).get("/edev")).href("EndDevice")
    for resource in (f"{story.program}/derc", "/edev"):
        said = (
            f"<subscribedResource>{resource}</subscribedResource><encoding>0</encoding><level>+S1</level>"
            f"<limit>100</limit><notificationURI>{story.receiver.uri}</notificationURI>"
        )
        await story.post(f"subscription {resource}", f"{own}/sub", document("Subscription", said))


async def report(story: Story) -> None:
    raw = await story.raw()
    status = document("DERStatus", f"<alarmStatus>00000001</alarmStatus><readingTime>{NOW}</readingTime>")
    reply = await raw.put(f"{story.device}/der/1/ders", status)
    assert reply.status in (201, 204)
    place = "<csipaus:connectionPointId>NMI1</csipaus:connectionPointId>"
    body = f'<csipaus:ConnectionPoint xmlns:csipaus="{AUS}">{place}</csipaus:ConnectionPoint>'
    assert (await raw.put(f"{story.device}/cp", body)).status in (201, 204)
    mirror = (
        "<mRID>0A0B</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
        f"<deviceLFDI>{story.house.ids.lfdis['one']}</deviceLFDI><MirrorMeterReading><mRID>0C0D</mRID><ReadingType>"
        "<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>38</uom></ReadingType></MirrorMeterReading>"
    )
    await story.post("mirror", "/mup", document("MirrorUsagePoint", mirror))


async def send(story: Story) -> None:
    await story.control("first", NOW + 100, 5000)
    await story.control("second", NOW + 700, 3000)
    await story.receiver.wait(lambda notice: story.mrids["second"].encode() in notice.body)


async def answer_received(story: Story) -> None:
    said = (
        f"<endDeviceLFDI>{story.house.ids.lfdis['one']}</endDeviceLFDI><status>1</status>"
        f"<subject>{story.mrids['first']}</subject>"
    )
    reply = await (await story.raw()).post(f"{story.device}/rsps/1/rsp", document("DERControlResponse", said))
    assert reply.status == 201


async def begin(story: Story) -> None:
    await story.house.move_clock(NOW + 100)
    assert await story.status_of("first") == 1


async def supersede(story: Story) -> None:
    await story.control("third", NOW + 400, 1000)
    assert [await story.status_of(name) for name in ("first", "second", "third")] == [1, 4, 0]


async def cancel(story: Story) -> None:
    if await story.status_of("third") != 2:
        await story.house.operate("POST", f"/controls/{story.mrids['third']}/cancel", {"reason": "the cable is back"})
    assert await story.status_of("third") == 2


async def withdraw_default(story: Story) -> None:
    await story.house.operate("PUT", "/groups/feeder/default", {"limits": {"export_w": 1500}})


async def end(story: Story) -> None:
    await story.house.move_clock(NOW + 710)  # controls are listed for some seconds after their end
    assert await story.status_of("first") is None


STEPS: tuple[Step, ...] = (
    subscribe,
    report,
    send,
    answer_received,
    begin,
    supersede,
    cancel,
    withdraw_default,
    end,
)


async def attempt(story: Story, step: Callable[[Story], Awaitable[T]]) -> T:
    """Do a step; where the server dies meanwhile, do it again once it is back."""
    while True:
        try:
            return await step(story)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, aiohttp.ClientConnectionError):
            await story.leave()
            await asyncio.sleep(0.05)
