"""The utility's own systems are told in order, signed, until they take it; and read the same by REST and as CSV."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sep2.admin.app import make
from sep2.clock import SteppedClock
from sep2.operations.alarms import clear_alarm, raise_alarm
from sep2.operations.mirrors import NewMirror, NewReading, NewSeries, Poster, put_mirror, set_reading_sign
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.resources import TABLE
from sep2.rules.limits import Limits
from sep2.rules.metering import ReadingSign, Span
from sep2.rules.timeline import Interval
from sep2.rules.webhooks import is_signed
from sep2.server.app import State
from sep2.server.fanout import FanOut
from sep2.settings import parse, resolved
from sep2.store import Database, connections
from tests.admin.conftest import NOW, TOKEN, Operator


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Look until something holds."""
    for _ in range(1500):
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never does")


class System:
    """A system of the utility's: what it has taken and refused, and what it answers next."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.refused: list[dict[str, Any]] = []
        self.answer: Callable[[], web.Response] = lambda: web.Response(status=204)

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        answer = self.answer()
        said = json.loads(body)
        if answer.status // 100 == 2:
            self.taken.append(said)
            self.bodies.append(body)
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
        else:
            self.refused.append(said)
        return answer

    async def has(self, number: int) -> None:
        await until(lambda: len(self.taken) >= number)

    async def has_refused(self, number: int) -> None:
        await until(lambda: len(self.refused) >= number)


@pytest.fixture
def open_house(database: Database, folder: Path) -> State:
    """A server that may tell systems on this machine by plain HTTP."""
    settings = parse({"receivers": {"http": True, "loopback": True}})
    return State(resolved(settings, folder), database, SteppedClock(NOW))


@pytest.fixture
async def desk(open_house: State) -> AsyncIterator[Operator]:
    """An operator of a server whose webhooks are sent."""
    sending = asyncio.create_task(open_house.webhooks.run())
    async with TestClient(TestServer(make(open_house))) as http:
        yield Operator(http, open_house)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.fixture
async def system() -> AsyncIterator[tuple[System, str]]:
    """A system that listens, and its URL."""
    one = System()
    app = web.Application()
    app.router.add_post("/hook", one.post)
    async with TestServer(app) as server:
        yield one, str(server.make_url("/hook"))


async def _alarm(house: State, number: int, *, cleared: bool = False) -> None:
    async with house.db.write() as db:
        if cleared:
            await clear_alarm(db, "device_moved", f"device {number}", NOW)
        else:
            await raise_alarm(db, "device_moved", f"device {number}", "it says so", now=NOW)
    house.wake()


async def test_alarms_are_told_in_order_and_signed(desk: Operator, system: tuple[System, str]) -> None:
    one, url = system
    made = await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["alarms"]})
    assert made["secret"].startswith("whsec_")
    for number in range(5):
        await _alarm(desk.house, number)
    await _alarm(desk.house, 0)
    await _alarm(desk.house, 2, cleared=True)
    await one.has(6)
    assert [said["sequence"] for said in one.taken] == [1, 2, 3, 4, 5, 6]
    assert [said["kind"] for said in one.taken] == ["raised"] * 5 + ["cleared"]
    assert one.taken[0]["data"]["priority"] == 2
    assert len({said["id"] for said in one.taken}) == 6
    for body, headers in zip(one.bodies, one.headers, strict=True):
        assert is_signed(made["secret"], headers, body)
        assert not is_signed(made["secret"], headers, body + b" ")
        assert not is_signed(made["secret"], headers | {"webhook-timestamp": str(NOW + 1)}, body)
        assert not is_signed("whsec_" + "A" * 44, headers, body)
    await until(lambda: _took(desk, 6))  # what was taken is noted once it is acknowledged
    shown = await desk.get("/receivers/derms")
    assert (shown["delivered"], shown["waiting"], "secret" in shown) == (6, 0, False)
    assert made["secret"] not in json.dumps(await desk.get("/audit"))


async def test_what_is_not_taken_is_sent_again_with_its_id_and_nothing_passes_it(
    desk: Operator, system: tuple[System, str]
) -> None:
    one, url = system
    await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["alarms"]})
    one.answer = lambda: web.Response(status=503, headers={"Retry-After": "40"})
    for number in range(3):
        await _alarm(desk.house, number)
    await one.has_refused(1)
    await until(lambda: _failed(desk, 1))
    desk.advance(NOW + 39)
    desk.house.wake()
    await asyncio.sleep(0.3)
    assert len(one.refused) == 1
    one.answer = lambda: web.Response(status=204)
    desk.advance(NOW + 41)
    desk.house.wake()
    await one.has(3)
    assert [said["sequence"] for said in one.taken] == [1, 2, 3]
    assert one.refused[0]["id"] == one.taken[0]["id"]


async def test_a_receiver_that_fails_is_an_alarm_and_what_is_given_up_can_be_sent_again(
    desk: Operator, system: tuple[System, str]
) -> None:
    one, url = system
    await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["alarms"], "least_priority": 1})
    one.answer = lambda: web.Response(status=500)
    await desk.change("POST", "/receivers/DERMS/test")
    await one.has_refused(1)
    for times, later_s in ((1, 400), (2, 90_000)):
        await until(lambda times=times: _failed(desk, times))  # type: ignore[misc]
        desk.advance(NOW + later_s)
        desk.house.wake()
        await one.has_refused(times + 1)
    await until(lambda: _stand(desk, {"alarm_undeliverable", "delivery_dead"}))
    shown = await desk.get("/receivers/DERMS")
    assert (shown["dead"], shown["waiting"], shown["error"]) == (1, 0, "HTTP 500")
    one.answer = lambda: web.Response(status=200)
    await desk.change("POST", "/receivers/DERMS/replay")
    await one.has(1)
    await until(lambda: _stand(desk, set()))


async def _took(desk: Operator, number: int) -> bool:
    """Whether a message is known to have been taken."""
    return bool((await desk.get("/receivers/DERMS"))["delivered"] == number)


async def _failed(desk: Operator, times: int, name: str = "DERMS") -> bool:
    """Whether so many attempts in a row are known to have failed."""
    return bool((await desk.get(f"/receivers/{name}"))["failures"] == times)


async def _stand(desk: Operator, codes: set[str]) -> bool:
    """Whether exactly these alarms stand."""
    return {alarm["code"] for alarm in (await desk.get("/alarms"))["items"]} == codes


async def test_of_a_groups_state_the_newest_is_told_once(desk: Operator, system: tuple[System, str]) -> None:
    one, url = system
    await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["controls"]})
    await desk.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    await desk.change("POST", "/connections", {"connection_id": "NMI1"})
    await desk.change("POST", "/devices", {"client": "Sunny", "lfdi": "D1" * 20, "connection_id": "NMI1"})
    one.answer = lambda: web.Response(status=503)
    fan_out = FanOut(desk.house.db, desk.house.clock, TABLE)
    for watts in (1000, 2000, 3000):
        control = {"start": NOW, "duration": 600, "limits": {"export_w": watts}}
        await desk.change("POST", "/connections/NMI1/controls", {"controls": [control], "anyway": True})
        await fan_out.once()
    waiting = (await desk.get("/receivers/DERMS"))["waiting"]
    one.answer = lambda: web.Response(status=204)
    await desk.change("POST", "/receivers/DERMS/replay")
    await one.has(waiting)
    told = [said for said in one.taken if said["data"]["controls"]]
    assert [(said["data"]["connection_id"], said["data"]["controls"][0]["asks"]) for said in told] == [
        ("NMI1", {"opModExpLimW": 3000})
    ]


async def test_a_plant_without_a_device_is_told_its_set_points_signed_until_it_takes_them(
    desk: Operator, system: tuple[System, str]
) -> None:
    """What the engine publishes for a connection at which nothing speaks IEEE 2030.5."""
    one, url = system
    made = await desk.change("POST", "/receivers", {"name": "PLANT7", "url": url, "topics": ["controls"]})
    await desk.change("POST", "/connections", {"connection_id": "SOLAR-7"})
    one.answer = lambda: web.Response(status=503, headers={"Retry-After": "40"})
    async with desk.house.db.write() as db:
        found = await connections.by_name(db, "SOLAR-7")
        assert found is not None
        spans = [Interval(NOW, NOW + 1800, Limits(0, 5000)), Interval(NOW + 1800, NOW + 3600, Limits(0, 2000))]
        await issue_schedules(db, [Wanted(found.device_group_id, spans, 24)], NOW, source="envelope")
    await FanOut(desk.house.db, desk.house.clock, TABLE).once()
    desk.house.wake()
    await one.has_refused(1)
    await until(lambda: _failed(desk, 1, "PLANT7"))
    one.answer = lambda: web.Response(status=204)
    desk.advance(NOW + 41)
    desk.house.wake()
    await one.has(1)
    told = one.taken[-1]["data"]
    assert told["connection_id"] == "SOLAR-7"
    assert [(span["start"], span["end"], span["asks"]) for span in told["controls"]] == [
        (NOW, NOW + 1800, {"opModImpLimW": 0, "opModExpLimW": 5000}),
        (NOW + 1800, NOW + 3600, {"opModImpLimW": 0, "opModExpLimW": 2000}),
    ]
    assert is_signed(made["secret"], one.headers[-1], one.bodies[-1])
    assert not is_signed(made["secret"], one.headers[-1], one.bodies[-1].replace(b"5000", b"9000"))


async def test_what_was_measured_is_told_every_five_minutes(desk: Operator, system: tuple[System, str]) -> None:
    one, url = system
    await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["measured"]})
    await desk.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    for number in (1, 2):
        await desk.change("POST", "/connections", {"connection_id": f"NMI{number}"})
        body = {"client": "Sunny", "lfdi": f"D{number}" * 20, "connection_id": f"NMI{number}"}
        await desk.change("POST", "/devices", body)
    await _posted(desk.house, 2, ReadingSign.REVERSED, 1500, end=NOW)
    await _posted(desk.house, 3, ReadingSign.UNPROVEN, 900, end=NOW)
    desk.advance(NOW + 301)
    desk.house.wake()
    await one.has(1)
    (said,) = one.taken
    assert said["data"]["connections"] == [{"connection_id": "NMI1", "site_w": -15_000.0, "at": NOW}]
    state = {row["connection_id"]: row["site_w"] for row in (await desk.get("/state"))["items"]}
    assert state == {"NMI1": -15_000.0, "NMI2": None}
    await _posted(desk.house, 2, ReadingSign.REVERSED, 1600, end=NOW + 290)
    desk.advance(NOW + 602)
    desk.house.wake()
    await one.has(2)
    late = {"connection_id": "NMI1", "site_w": -16_000.0, "at": NOW + 290}
    assert one.taken[1]["data"]["connections"] == [late], "it ended before the last message and came in after it"
    desk.advance(NOW + 903)
    desk.house.wake()
    await _alarm(desk.house, 1)
    await asyncio.sleep(0.5)
    assert len(one.taken) == 2, "nobody has posted since"


async def _posted(house: State, device_id: int, sign: ReadingSign, value: int, *, end: int) -> None:
    """A device posts now a mean of five minutes, in tens of watts."""
    mrid = f"{device_id:032X}"
    reading = NewReading(span=Span(end - 300, 300), value=value)
    series = NewSeries(
        mrid=mrid, reading_type=b"", uom=38, multiplier=1, flow_direction=1, data_qualifier=2, reading=reading
    )
    async with house.db.write() as db:
        new = NewMirror(
            poster=Poster(1, 300),
            end_device_id=device_id,
            mrid=mrid,
            description="",
            version=None,
            role_flags=0x03,
            service_kind=0,
            status=1,
            series=[series],
        )
        number, _ = await put_mirror(db, new, house.clock.now())
        await set_reading_sign(db, number, sign)


async def test_the_state_is_the_same_as_json_and_as_csv(street: Operator) -> None:
    control = {"start": NOW, "duration": 600, "limits": {"export_w": 1500}}
    await street.change("POST", "/connections/NMI1/controls", {"controls": [control], "anyway": True})
    first, second = (await street.get("/state"))["items"]
    assert (first["connection_id"], second["connection_id"]) == ("NMI1", "NMI2")
    limit = first["export_w"]
    assert (limit["watts"], limit["source"], limit["until"]) == (1500, "schedule", NOW + 600)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/csv"}
    async with street.http.get("/state?limit=1", headers=headers) as answer:
        assert answer.content_type == "text/csv"
        (row,) = csv.DictReader(io.StringIO(await answer.text()))
        after = answer.headers["Next-After"]
    assert (row["connection_id"], row["export_w.watts"], row["site_w"]) == ("NMI1", "1500", "")
    async with street.http.get("/state", params={"after": after}, headers=headers) as answer:
        assert (await answer.text()).splitlines()[1].startswith("NMI2,")
        assert "Next-After" not in answer.headers


async def test_text_that_a_spreadsheet_would_run_is_text(operator: Operator) -> None:
    await operator.change("POST", "/clients", {"name": '=HYPERLINK("http://x")', "lfdi": "A" * 40})
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/csv"}
    async with operator.http.get("/clients", headers=headers) as answer:
        (row,) = csv.DictReader(io.StringIO(await answer.text()))
    assert row["name"].startswith("'=")


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:9/x", "https://localhost/x", "https://10.0.0.1/x", "https://169.254.169.254/latest"),
        *("https://[::1]/x", "ftp://example.com/x", "https://user:pw@example.com/x", "not a url", "https://0.0.0.0/"),
    ],
)
async def test_where_nothing_is_sent_to_is_refused(operator: Operator, url: str) -> None:
    status, refused = await operator.ask("POST", "/receivers", {"name": "x", "url": url, "topics": ["alarms"]})
    assert (status, refused["code"]) == (400, "receiver_refused")


async def test_a_new_secret_and_a_name_that_is_taken(operator: Operator) -> None:
    body = {"name": "DERMS", "url": "https://derms.example.com/hook", "topics": ["alarms"]}
    first = await operator.change("POST", "/receivers", body)
    assert (await operator.ask("POST", "/receivers", body | {"name": "derms"}))[1]["code"] == "receiver_taken"
    kept = await operator.change("PUT", "/receivers/DERMS", {"topics": ["controls"], "enabled": False})
    assert (kept["secret"], kept["topics"], kept["enabled"]) == ("", ["controls"], False)
    second = await operator.change("PUT", "/receivers/DERMS", {"new_secret": True})
    assert second["secret"] not in ("", first["secret"])
    await operator.change("DELETE", "/receivers/DERMS")
    assert (await operator.ask("GET", "/receivers/DERMS"))[0] == 404
