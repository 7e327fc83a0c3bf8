"""HTTP with a server of another make."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from certs import pki
from certs.identity import Identity
from sep2 import wire as w
from sep2.client import Busy, NotUnderstood, Refused, Session, Unreachable
from tests.client.conftest import session
from tests.client.utility import Utility
from tests.server.world import People


@pytest.fixture
async def utility(people: People) -> AsyncIterator[Utility]:
    async with Utility(people).serving() as utility:
        yield utility


@pytest.fixture
async def client(utility: Utility) -> AsyncIterator[Session]:
    async with session(utility.people, "sunny", utility.port) as client:
        yield client


def devices(*numbers: int) -> w.EndDeviceList:
    found = [w.EndDevice(href=f"/edev/{n}", lFDI=w.HexBinary(n, 20), sFDI=n, changedTime=0) for n in numbers]
    return w.EndDeviceList(href="/edev", all=len(found), pollRate=60, EndDevice=found)


async def test_a_whole_list_is_read_page_by_page(utility: Utility, client: Session):
    utility.resources["/edev"] = devices(*range(1, 9))
    utility.page_cap = 3
    found = await client.whole("/edev", w.EndDeviceList)
    assert [device.sFDI for device in found.EndDevice] == list(range(1, 9))
    assert (found.all, found.results, found.pollRate) == (8, 8, 60)
    assert [path for _, path in utility.asked] == [f"/edev?s={s}&l=255" for s in (0, 3, 6)]
    assert [device.sFDI for device in await client.items("/edev", w.EndDeviceList)] == list(range(1, 9))


async def test_a_list_that_shifts_while_it_is_read_is_read_again(utility: Utility, client: Session):
    utility.resources["/edev"] = devices(*range(1, 7))
    utility.page_cap = 3

    def insert_one_in_front(_method: str, _path: str) -> None:
        if len(utility.asked) == 2:
            utility.resources["/edev"] = devices(9, *range(1, 7))

    utility.before = insert_one_in_front
    found = await client.items("/edev", w.EndDeviceList)
    assert [device.sFDI for device in found] == [9, *range(1, 7)]


async def test_a_list_that_never_ends_is_not_followed_for_ever(utility: Utility, client: Session):
    utility.resources["/edev"] = devices(1, 2)
    utility.page_cap = 0
    assert await client.items("/edev", w.EndDeviceList) == []


async def test_query_parameters_are_sent_as_asked(utility: Utility, client: Session):
    utility.resources["/edev"] = devices(1, 2)
    found = await client.get("/edev", w.EndDeviceList, s=1, l=1, a=5)
    assert [device.sFDI for device in found.EndDevice] == [2]
    assert utility.asked == [("GET", "/edev?s=1&l=1&a=5")]


async def test_what_is_posted_is_where_the_server_says(utility: Utility, client: Session):
    assert await client.post("/sub", devices(1)) == "/sub/1"
    await client.put("/sub/1", devices(2))
    await client.delete("/sub/1")
    assert [path for path, _ in utility.posted] == ["/sub", "/sub/1"]
    assert utility.sent(w.EndDeviceList)[1].EndDevice[0].sFDI == 2
    utility.answers = [web.Response(status=404)]
    await client.delete("/sub/1")


async def test_a_refusal_carries_status_and_reason(utility: Utility, client: Session):
    body = w.encode(w.Error(reasonCode=w.ReasonCode.LIMIT_REACHED), w.Profile.CSIP)
    utility.answers = [web.Response(status=400, body=body), web.Response(status=403, text="no")]
    with pytest.raises(Refused) as refused:
        await client.post("/sub", devices(1))
    assert (refused.value.answered, refused.value.reason_code) == (400, 2)
    with pytest.raises(Refused) as refused:
        await client.get("/edev", w.EndDeviceList)
    assert (refused.value.answered, refused.value.reason_code) == (403, None)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("99999999", 900), ("9" * 5000, 900), ("²", 0), ("-5", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)
async def test_not_now_is_no_refusal(utility: Utility, client: Session, said: str, seconds: int):
    utility.answers = [web.Response(status=503, headers={"Retry-After": said})]
    with pytest.raises(Busy) as busy:
        await client.post("/sub", devices(1))
    assert busy.value.retry_after_s == seconds


@pytest.mark.parametrize("body", [b"", b"<html/>", b"<Time xmlns='urn:ieee:std:2030.5:ns'/>", b"\xff\xfe"])
async def test_an_answer_that_is_none(utility: Utility, client: Session, body: bytes):
    utility.answers = [web.Response(body=body)]
    with pytest.raises(NotUnderstood):
        await client.get("/edev", w.EndDeviceList)


@pytest.mark.parametrize("href", ["https://example.org/edev", "http://127.0.0.1/edev", "//example.org/edev"])
async def test_no_link_leads_to_another_server(client: Session, href: str):
    with pytest.raises(NotUnderstood, match="another server"):
        await client.get(href, w.EndDeviceList)


async def test_an_absolute_link_to_the_same_server_is_followed(utility: Utility, client: Session):
    utility.resources["/edev"] = devices(1)
    assert (await client.get(f"https://127.0.0.1:{utility.port}/edev", w.EndDeviceList)).all == 1


async def test_a_kept_connection_that_was_closed_is_opened_anew(people: People, utility: Utility):
    async with Utility(people).serving() as first:
        client = session(people, "sunny", first.port)
        await client.post("/sub", devices(1))
    again = Utility(people)
    again.port = first.port
    async with again.serving():
        await client.post("/sub", devices(2))
    assert len(again.posted) == 1
    with pytest.raises(Unreachable):
        await client.post("/sub", devices(3))
    await client.close()


async def test_the_server_is_known_by_its_certificate(utility: Utility, client: Session, people: People):
    utility.resources["/edev"] = devices(1)
    await client.get("/edev", w.EndDeviceList)
    assert client.server_lfdis == {Identity.load(people.files("server")).lfdi}
    assert client.lfdi == people.lfdi("sunny")


async def test_a_server_of_another_root_is_not_talked_to(utility: Utility, people: People, tmp_path):
    other = pki.create(tmp_path, name="Other")
    async with Session(f"https://127.0.0.1:{utility.port}", people.files("sunny"), other.trust()) as client:
        with pytest.raises(Unreachable, match="certificate"):
            await client.get("/dcap", w.DeviceCapability)
    assert utility.asked == []
