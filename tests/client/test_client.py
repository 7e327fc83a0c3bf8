"""The client and a utility of another make: its lists are shared, its clock differs, and it is not always there."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from certs.tls import client_context
from sep2 import wire as w
from sep2.client import NO_LIMITS, Client, Receiver
from sep2.clock import SteppedClock
from tests.client.conftest import Inverter, session
from tests.client.utility import AUS, Utility, clock, control, one_program, status
from tests.server.world import NOW, People

OTHER = "00000000000000000000000000000000000000BB"
Start = Callable[..., Awaitable[Client]]


@pytest.fixture
async def utility(people: People) -> AsyncIterator[Utility]:
    async with Utility(people).serving() as utility:
        yield utility


@pytest.fixture
async def start(utility: Utility, people: People) -> AsyncIterator[Start]:
    """`await start(clock, device, …)`: sunny's client, which speaks for its own EndDevice."""
    started = []

    async def begin(here: SteppedClock, device: Inverter, *, subscribes: bool = False, **others: Inverter) -> Client:
        utility.resources.setdefault("/tm", lambda: clock(here.now()))
        devices = {people.lfdi("sunny"): device} | {lfdi.removeprefix("x"): other for lfdi, other in others.items()}
        receiver = Receiver(people.files("sunny"), people.pki.trust()) if subscribes else None
        made = Client(session(people, "sunny", utility.port), here, devices.get, receiver=receiver, jitter=0.0)
        started.append(made)
        return await made.__aenter__()

    yield begin
    for made in started:
        await made.__aexit__()


async def at(client: Client, here: SteppedClock, to: int) -> None:
    here.advance(to)
    await client.advance()


def responses(utility: Utility) -> list[tuple[int, int]]:
    return [(int(sent.subject), int(sent.status)) for sent in utility.sent(w.DERControlResponse)]


async def test_only_links_are_followed(utility: Utility, start: Start, people: People):
    one_program(utility, people.lfdi("sunny"))
    client = await start(SteppedClock(NOW), Inverter())
    await client.advance()
    assert {path.partition("?")[0] for _, path in utility.asked} == {
        "/dcap",
        "/tm",
        "/edev",
        "/fsa",
        "/derp",
        "/derc",
        "/dderc",
    }
    assert client.refused == client.pending == 0


async def test_events_follow_the_servers_clock(utility: Utility, start: Start, people: People):
    ahead = 5000
    controls = one_program(utility, people.lfdi("sunny"))
    controls.DERControl = [control(1, NOW + ahead + 100, 100, 700)]
    device, here = Inverter(), SteppedClock(NOW)
    utility.resources["/tm"] = lambda: clock(here.now() + ahead)
    client = await start(here, device)
    await client.advance()
    assert client.now() == NOW + ahead
    assert client.next_due() == NOW + 100
    await at(client, here, NOW + 100)
    await at(client, here, NOW + 200)
    assert device.exports == [(NOW + ahead, 1500), (NOW + ahead + 100, 700), (NOW + ahead + 200, 1500)]
    assert [sent.createdDateTime - NOW - ahead for sent in utility.sent(w.DERControlResponse)] == [0, 100, 200]


async def test_a_small_step_back_of_the_servers_clock_is_waited_out_and_a_large_one_followed(
    utility: Utility, start: Start, people: People
):
    one_program(utility, people.lfdi("sunny"))
    here = SteppedClock(NOW)
    client = await start(here, Inverter())
    await client.advance()
    utility.resources["/tm"] = clock(NOW + 890)
    await at(client, here, NOW + 900)
    assert client.now() == NOW + 900
    here.advance(NOW + 920)
    assert client.now() == NOW + 910
    utility.resources["/tm"] = clock(NOW - 5000)
    await at(client, here, NOW + 1810)
    assert client.now() == NOW - 5000


async def test_a_polling_client_looks_at_the_status_before_it_starts(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    controls.DERControl = [control(1, NOW + 100, 100, 700), control(2, NOW + 250, 100, 800)]
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device)
    await client.advance()
    status(controls.DERControl[0], 2)
    await at(client, here, NOW + 100)
    await at(client, here, NOW + 250)
    assert device.exports == [(NOW, 1500), (NOW + 250, 800)]
    assert responses(utility) == [(1, 1), (2, 1), (1, 6), (2, 2)]
    assert sum(path.startswith("/derc") for _, path in utility.asked) == 3


async def test_running_by_itself_it_looks_once_and_a_little_ahead(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    controls.DERControl = [control(1, NOW + 100, 100, 700)]
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device)
    running = asyncio.create_task(client.run())
    for to, answered in ((0, 1), (95, 1), (97, 1), (100, 2), (200, 3)):
        here.advance(NOW + to)
        while len(responses(utility)) < answered:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
    running.cancel()
    assert sum(path.startswith("/derc") for _, path in utility.asked) == 2
    assert device.exports == [(NOW, 1500), (NOW + 100, 700), (NOW + 200, 1500)]


async def test_a_server_that_can_not_be_asked_is_obeyed_as_far_as_is_known(
    utility: Utility, start: Start, people: People
):
    controls = one_program(utility, people.lfdi("sunny"))
    controls.DERControl = [control(1, NOW + 100, 100, 700)]
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device)
    await client.advance()
    utility.resources["/derc"] = None
    await at(client, here, NOW + 100)
    await at(client, here, NOW + 200)
    assert device.exports == [(NOW, 1500), (NOW + 100, 700), (NOW + 200, 1500)]
    assert responses(utility) == [(1, 1), (1, 2), (1, 3)]


async def test_devices_may_share_their_lists(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"), OTHER)
    one, two, here = Inverter(), Inverter(), SteppedClock(NOW)
    client = await start(here, one, subscribes=True, **{f"x{OTHER}": two})
    await client.advance()
    subscribed = [sent.subscribedResource for sent in utility.sent(w.Subscription)]
    assert set(subscribed) == {"/edev", "/fsa", "/derp", "/derc", "/dderc"}
    controls.DERControl = [control(1, NOW + 50, 100, 700)]
    assert await notify(client, people, told("/derc", derc(control(1, NOW + 50, 100, 700)))) == 201
    await at(client, here, NOW + 50)
    assert one.exports == two.exports == [(NOW, 1500), (NOW + 50, 700)]
    said = [str(sent.endDeviceLFDI) for sent in utility.sent(w.DERControlResponse)]
    assert sorted(said) == sorted([people.lfdi("sunny"), OTHER] * 2)


def derc(*controls: w.DERControl, all_: int | None = None) -> w.DERControlList:
    return w.DERControlList(href="/derc", all=len(controls) if all_ is None else all_, DERControl=list(controls))


def told(resource: str, found: w.Resource | None, status: int = 0) -> w.Notification:
    return w.Notification(
        subscribedResource=resource, Resource=found, status=status, subscriptionURI="https://localhost/sub/1"
    )


async def notify(client: Client, people: People, what: w.Notification | bytes, sender: str = "server") -> int:
    """Post to the client's receiver, as the server or as somebody else; the status of the answer."""
    tls: ssl.SSLContext = client_context(people.files(sender), people.pki.trust())
    body = what if isinstance(what, bytes) else w.encode(what, AUS)
    assert client.receiver is not None
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector) as http, http.post(client.receiver.uri, data=body) as answer:
        return answer.status


async def test_what_a_receiver_answers(utility: Utility, start: Start, people: People):
    one_program(utility, people.lfdi("sunny"))
    client = await start(SteppedClock(NOW), Inverter(), subscribes=True)
    await client.advance()
    known, unknown = told("/derc", derc()), told("/derc/7", derc())
    assert await notify(client, people, known) == 201
    assert await notify(client, people, unknown) == 404
    assert await notify(client, people, b"<Notification") == 400
    assert await notify(client, people, known, sender="gale") == 403
    assert client.notifications == 1


async def test_a_notification_that_is_not_all_there_is_means_look_again(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    first, second = control(1, NOW + 100, 100, 700), control(2, NOW + 200, 100, 800)
    controls.DERControl = [first]
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device, subscribes=True)
    await client.advance()
    controls.DERControl = [first, second]
    before = len(utility.asked)
    # One item of two; a list without what we hold, older than what we know; and no list at all.
    for part in (derc(second, all_=2), derc(second), None):
        await notify(client, people, told("/derc", part))
    await client.advance()
    assert [path for _, path in utility.asked[before:] if "/derc" in path] == ["/derc?s=0&l=255"]
    assert responses(utility) == [(1, 1), (2, 1)]
    await notify(client, people, told("/derc", derc(first, second)))
    await client.advance()
    assert [path for _, path in utility.asked[before:] if "/derc" in path] == ["/derc?s=0&l=255"]


async def test_programs_that_only_changed_their_primacy_are_not_asked_for(
    utility: Utility, start: Start, people: People
):
    one_program(utility, people.lfdi("sunny"))
    client = await start(SteppedClock(NOW), Inverter(), subscribes=True)
    await client.advance()
    programs = utility.resources["/derp"]
    before = len(utility.asked)
    await notify(client, people, told("/derp", programs))
    await client.advance()
    assert len(utility.asked) == before
    second = w.DERProgram(href="/derp/2", mRID=w.HexBinary(0xB, 16), primacy=1)
    programs.DERProgram, programs.all = [second, *programs.DERProgram], 2
    await notify(client, people, told("/derp", w.DERProgramList(href="/derp", all=2, DERProgram=programs.DERProgram)))
    await client.advance()
    assert [path for _, path in utility.asked[before:]] == ["/derp?s=0&l=255"]


async def test_what_was_asked_before_a_notification_is_not_believed_after_it(
    utility: Utility, start: Start, people: People
):
    controls = one_program(utility, people.lfdi("sunny"))
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device, subscribes=True)
    await client.advance()
    fresh = control(1, NOW, 600, 700)
    overtaken: list[str] = []

    def overtake(_method: str, path: str) -> None:
        """The old list is on its way when the client is told of the new one, which the next question will find."""
        if path == "/derc" and not overtaken:
            client.take_notification(told("/derc", derc(fresh)))
            overtaken.append(path)
        elif path == "/derc":
            controls.DERControl = [fresh]

    utility.before = overtake
    client.tree.at("/derc")[0].due = NOW
    await client.advance()
    assert overtaken
    assert device.exports == [(NOW, 1500), (NOW, 700)]
    assert responses(utility) == [(1, 1), (1, 2)]


async def test_an_ended_subscription_is_made_again(utility: Utility, start: Start, people: People):
    one_program(utility, people.lfdi("sunny"))
    here = SteppedClock(NOW)
    client = await start(here, Inverter(), subscribes=True)
    await client.advance()
    await notify(client, people, told("/derc", None, status=1))
    await client.advance()
    made = [sent.subscribedResource for sent in utility.sent(w.Subscription)]
    assert (made.count("/derc"), made.count("/dderc")) == (2, 1)
    await at(client, here, NOW + 6 * 3600)
    made = [sent.subscribedResource for sent in utility.sent(w.Subscription)]
    assert (made.count("/derc"), made.count("/dderc")) == (3, 2)


async def test_what_can_not_be_subscribed_is_polled(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device, subscribes=True)

    def refuse(method: str, path: str) -> None:
        if path == "/sub":
            utility.answers = [web.Response(status=403)]

    utility.before = refuse
    await client.advance()
    controls.DERControl = [control(1, NOW + 100, 900, 700)]
    await at(client, here, NOW + 600)
    assert device.exports == [(NOW, 1500), (NOW + 600, 700)]


async def test_not_now_is_tried_again_and_a_refusal_is_not(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    controls.DERControl = [control(1, NOW, 600, 700), control(2, NOW + 600, 600, 700)]
    told_no: list[int] = []

    def grudge(method: str, path: str) -> None:
        if path == "/rsps/1/rsp" and len(told_no) < 3:
            told_no.append(503 if len(told_no) < 2 else 400)
            utility.answers = [web.Response(status=told_no[-1])]

    utility.before = grudge
    client = await start(SteppedClock(NOW), Inverter())
    await client.advance()
    assert told_no == [503, 503, 400]
    assert responses(utility) == [(2, 1), (1, 2)]
    assert (client.refused, client.pending) == (1, 0)


async def test_a_document_that_is_not_understood_changes_nothing(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    controls.DERControl = [control(1, NOW, 5000, 700)]
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device)
    await client.advance()
    utility.before = lambda method, path: utility.answers.append(web.Response(text="<html>sorry</html>"))
    await at(client, here, NOW + 2000)
    assert device.exports == [(NOW, 700)]


async def test_a_device_of_another_category_is_not_concerned(utility: Utility, start: Start, people: People):
    controls = one_program(utility, people.lfdi("sunny"))
    of_cars = w.HexBinary(int(w.DeviceCategoryType.EVSE), 4)
    controls.DERControl = [control(1, NOW, 600, 700, deviceCategory=of_cars)]
    inverter = Inverter()
    inverter.rating = type(inverter.rating)(max_w=5000, category=int(w.DeviceCategoryType.PHOTOVOLTAIC))
    client = await start(SteppedClock(NOW), inverter)
    await client.advance()
    assert inverter.exports == [(NOW, 1500)]
    assert responses(utility) == []


async def test_an_empty_list_of_devices_is_asked_for_again(utility: Utility, start: Start, people: People):
    one_program(utility, people.lfdi("sunny"))
    all_devices = utility.resources["/edev"]
    utility.resources["/edev"] = w.EndDeviceList(href="/edev", all=0, pollRate=60, EndDevice=[])
    device, here = Inverter(), SteppedClock(NOW)
    client = await start(here, device)
    await client.advance()
    assert device.told == []
    utility.resources["/edev"] = all_devices
    await at(client, here, NOW + 60)
    assert device.exports == [(NOW + 60, 1500)]
    assert NO_LIMITS not in [limits for _, limits in device.told]
