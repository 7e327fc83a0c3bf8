"""What several connections of one client write at the same moment: none is refused for another's sake."""

import asyncio
from collections.abc import Callable

import pytest

from tests.raw import Raw, Reply, document
from tests.server.test_refusals import subscription
from tests.server.test_reports import mirror, reading, series
from tests.server.world import NOW, World

CONNECTIONS, ROUNDS = 6, 4
POWER = "<setMaxW><multiplier>0</multiplier><value>{}</value></setMaxW>"
RATED = "<rtgMaxW><multiplier>0</multiplier><value>{}</value></rtgMaxW>"

DOCUMENTS: dict[str, Callable[[int], str]] = {
    "dercap": lambda n: document(
        "DERCapability",
        f"<modesSupported>03</modesSupported>{RATED.format(n)}<type>4</type>"
        "<csipaus:doeModesSupported>0F</csipaus:doeModesSupported>",
    ),
    "derg": lambda n: document(
        "DERSettings", f"<setGradW>1</setGradW>{POWER.format(n)}<updatedTime>{NOW}</updatedTime>"
    ),
    "ders": lambda n: document("DERStatus", f"<readingTime>{n}</readingTime>"),
    "dera": lambda n: document("DERAvailability", f"<availabilityDuration>{n}</availabilityDuration>"
                               f"<readingTime>{NOW}</readingTime>"),
}  # fmt: skip


@pytest.fixture
async def hands(either_world: World) -> list[Raw]:
    """Several connections of sunny."""
    return [await either_world.as_("sunny") for _ in range(CONNECTIONS)]


async def together(hands: list[Raw], method: str, path: str, body: Callable[[int], str]) -> list[Reply]:
    """The answers to bodies that differ, sent over all connections at the same moment, some rounds long."""
    answers = []
    for turn in range(ROUNDS):
        sent = [raw.ask(method, path, body(1000 + turn * CONNECTIONS + n).encode()) for n, raw in enumerate(hands)]
        answers += await asyncio.gather(*sent)
    return answers


def numbers(first: int = 1000 + (ROUNDS - 1) * CONNECTIONS) -> set[str]:
    """What the writers of the last round said."""
    return {str(first + n) for n in range(CONNECTIONS)}


async def test_a_document_is_the_last_writers(hands: list[Raw], either_world: World) -> None:
    device = f"/edev/{either_world.ids.devices['one']}"
    said = {
        "dercap": "rtgMaxW/value",
        "derg": "setMaxW/value",
        "ders": "readingTime",
        "dera": "availabilityDuration",
    }
    for name, body in DOCUMENTS.items():
        answers = await together(hands, "PUT", f"{device}/der/1/{name}", body)
        assert {answer.status for answer in answers} == {204}, name
        assert set((await hands[0].get(f"{device}/der/1/{name}")).texts(said[name])) <= numbers(), name


async def test_an_end_device_takes_what_each_says(hands: list[Raw], either_world: World) -> None:
    device = f"/edev/{either_world.ids.devices['one']}"

    def entry(rate: int) -> str:
        return document("EndDevice", f"<sFDI>1</sFDI><changedTime>0</changedTime><postRate>{rate}</postRate>")

    assert {answer.status for answer in await together(hands, "PUT", device, entry)} == {204}
    assert set((await hands[0].get(device)).texts("postRate")) <= numbers()


async def test_a_mirror_and_its_series_are_made_once(hands: list[Raw], either_world: World) -> None:
    lfdi = either_world.ids.lfdis["one"]
    made = await together(hands, "POST", "/mup", lambda n: mirror(lfdi, flags=f"{n:04X}"))
    assert {answer.status for answer in made} <= {201, 204}
    (place,) = {answer.location for answer in made}
    posted = await together(hands, "POST", place, lambda n: document("MirrorMeterReading", series("0C", reading(n))))
    assert {answer.status for answer in posted} <= {201, 204}
    (one,) = (await hands[0].get(f"{place.replace('/mup/', '/upt/')}/mr?l=9")).all("MeterReading/ReadingLink")
    assert set((await hands[0].get(one.attrib["href"])).texts("value")) <= numbers()
    replaced = await together(hands, "PUT", place, lambda n: mirror(lfdi, flags=f"{n:04X}"))
    assert {answer.status for answer in replaced} == {204}


async def test_a_subscription_is_made_once_and_renewed(hands: list[Raw], either_world: World) -> None:
    path = next(iter((await hands[0].get("/edev?l=1")).all("EndDevice/SubscriptionListLink"))).attrib["href"]
    answers = await together(hands, "POST", path, lambda n: subscription("/edev", "https://localhost:9/n", limit=n))
    assert {answer.status for answer in answers} <= {201, 204}
    (place,) = {answer.location for answer in answers}
    assert set((await hands[0].get(place)).texts("limit")) <= numbers()


async def test_a_log_event_is_stored_once(hands: list[Raw], either_world: World) -> None:
    log = f"/edev/{either_world.ids.devices['one']}/lel"

    def event(number: int) -> str:
        del number
        return document(
            "LogEvent",
            f"<createdDateTime>{NOW}</createdDateTime><functionSet>11</functionSet><logEventCode>1</logEventCode>"
            "<logEventID>1</logEventID><logEventPEN>40732</logEventPEN><profileID>2</profileID>",
        )

    answers = await together(hands, "POST", log, event)
    assert sorted(answer.status for answer in answers)[:2] == [201, 204]
    assert len({answer.location for answer in answers}) == 1
    assert (await hands[0].get(log)).number("all") == 1
