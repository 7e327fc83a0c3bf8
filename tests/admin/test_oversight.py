"""Subscriptions, poll rates, alarms, status and the clock through the operator API."""

from aiohttp.test_utils import TestClient, TestServer

from sep2.admin.app import make
from sep2.clock import SystemClock
from sep2.operations.mirrors import NewMirror, NewReading, NewSeries, Poster, put_mirror
from sep2.rules.metering import Span
from sep2.server.app import CLOCK_MARK, State
from sep2.store import alarms, deliveries, devices, marks, outbox, subscriptions
from tests.admin.conftest import NOW, Operator


async def subscribe(house: State, receiver: str) -> int:
    async with house.db.write() as db:
        own = await devices.by_lfdi(db, "A" * 40)
        assert own is not None
        return await subscriptions.add(
            db,
            client_id=own.client_id,
            end_device_id=own.id,
            resource="EndDeviceList",
            ids="{}",
            subscribed_resource="/edev",
            notification_uri=receiver,
            receiver="h:443",
            encoding=0,
            level="+S1",
            item_limit=1,
            created=NOW,
        )


async def test_a_dead_notification_is_seen_and_replayed(street: Operator) -> None:
    quiet, failing = [await subscribe(street.house, f"https://h/{i}") for i in range(2)]
    async with street.house.db.write() as db:
        await deliveries.put(db, [failing], NOW)
        await deliveries.postpone(db, failing, due=NOW + 10, error="connection refused", attempts=1, sent=False)
        await deliveries.give_up(db, failing)
    assert (await street.get("/subscriptions"))["total"] == 2
    assert (await street.get("/subscriptions", waiting="true"))["total"] == 0
    (dead,) = (await street.get("/subscriptions", dead="true"))["items"]
    assert (dead["id"], dead["error"], dead["client"]) == (failing, "connection refused", "Sunny")
    assert (await street.get("/status"))["dead"] == 1
    await street.change("POST", f"/subscriptions/{failing}/replay")
    (waiting,) = (await street.get("/subscriptions", waiting="true"))["items"]
    assert (waiting["id"], waiting["due"], waiting["attempts"]) == (failing, NOW, 0)
    status, refused = await street.ask("POST", f"/subscriptions/{quiet}/replay")
    assert (status, refused["code"]) == (404, "nothing_waits")


async def test_a_change_that_was_set_aside_is_seen_and_replayed(street: Operator) -> None:
    alarms_before = (await street.get("/status"))["alarms"]
    async with street.house.db.write() as db:
        await outbox.remove(db, [change.id for change in await outbox.oldest(db, 100)])
        await outbox.changed(db, "EndDeviceList", client=1)
        (change,) = await outbox.oldest(db, 1)
        await outbox.failed(db, [change.id], "KeyError: 1", 1)
        await alarms.raise_one(db, "notifier_stalled", "changes", "1 set aside", now=NOW)
    status = await street.get("/status")
    assert (status["outbox"], status["set_aside"], status["alarms"]) == (0, 1, alarms_before + 1)
    (aside,) = (await street.get("/changes-set-aside"))["items"]
    assert aside == {
        "id": change.id,
        "resource": "EndDeviceList",
        "ids": '{"client": 1}',
        "attempts": 1,
        "error": "KeyError: 1",
    }
    await street.change("POST", f"/changes-set-aside/{change.id}/replay")
    status = await street.get("/status")
    assert (status["outbox"], status["set_aside"], status["alarms"]) == (1, 0, alarms_before)
    again, refused = await street.ask("POST", f"/changes-set-aside/{change.id}/replay")
    assert (again, refused["code"]) == (404, "not_set_aside")


async def mirror(house: State) -> int:
    """A mirror of Sunny's own, with one reading."""
    async with house.db.write() as db:
        own = await devices.by_lfdi(db, "A" * 40)
        assert own is not None
        reading = NewReading(span=Span(NOW, 300), value=-1500)
        series = NewSeries(mrid="2" * 32, reading_type=b"<ReadingType/>", uom=38, reading=reading)
        new = NewMirror(
            poster=Poster(own.client_id, 300),
            end_device_id=own.id,
            mrid="1" * 32,
            description="the site",
            version=None,
            role_flags=3,
            service_kind=0,
            status=1,
            series=[series],
        )
        return (await put_mirror(db, new, NOW + 5))[0]


async def test_what_a_device_metered_is_seen_and_its_rate_set(street: Operator) -> None:
    number = await mirror(street.house)
    await street.change("PUT", f"/mirrors/{number}/post-rate", {"seconds": 60})
    (seen,) = (await street.get("/mirrors", device="A" * 40))["items"]
    assert (seen["client"], seen["series"], seen["latest"], seen["post_rate"]) == ("Sunny", 1, NOW + 5, 60)
    status, refused = await street.ask("PUT", "/mirrors/99/post-rate", {"seconds": 60})
    assert (status, refused["code"]) == (404, "unknown_mirror")


async def test_the_sign_of_a_meter_is_unproven_until_somebody_has_looked(street: Operator) -> None:
    number = await mirror(street.house)

    async def sign() -> str:
        return (await street.get("/mirrors"))["items"][0]["reading_sign"]

    assert await sign() == "unproven"
    for found in ("reversed", "as-posted", "unproven"):
        await street.change("PUT", f"/mirrors/{number}/reading-sign", {"reading_sign": found})
        assert await sign() == found
    status, refused = await street.ask("PUT", "/mirrors/99/reading-sign", {"reading_sign": "reversed"})
    assert (status, refused["code"]) == (404, "unknown_mirror")
    status, refused = await street.ask("PUT", f"/mirrors/{number}/reading-sign", {"reading_sign": "upside-down"})
    assert status == 400
    assert "reading_sign" in str(refused)


async def test_a_poll_rate_is_the_settings_until_it_is_changed(operator: Operator) -> None:
    async def rate() -> int:
        rates = {rate["resource"]: rate["seconds"] for rate in await operator.get("/poll-rates")}
        return int(rates["DERProgramList"])

    assert await rate() == operator.house.settings.utility.poll_rate_of("DERProgramList")
    await operator.change("PUT", "/poll-rates/DERProgramList", {"seconds": 61})
    assert await rate() == 61
    assert operator.house.house.poll_rate("DERProgramList") == 61
    status, refused = await operator.ask("PUT", "/poll-rates/DERControlList", {"seconds": 60})
    assert (status, refused["code"]) == (404, "not_polled")


async def test_an_alarm_stands_until_it_is_cleared(operator: Operator) -> None:
    async with operator.house.db.write() as db:
        await alarms.raise_one(db, "over_limit", "D1", now=NOW, detail="by 300 W")
    (alarm,) = (await operator.get("/alarms"))["items"]
    assert (await operator.get("/status"))["alarms"] == 1
    await operator.change("POST", f"/alarms/{alarm['id']}/clear")
    assert (await operator.get("/alarms"))["total"] == 0
    (cleared,) = (await operator.get("/alarms", cleared="true"))["items"]
    assert cleared["cleared"] == NOW
    status, refused = await operator.ask("POST", f"/alarms/{alarm['id']}/clear")
    assert (status, refused["code"]) == (409, "alarm_is_over")


async def test_a_paced_clock_is_moved_forward_only_and_remembered(operator: Operator) -> None:
    await operator.change("PUT", "/clock", {"now": NOW + 60})
    assert (await operator.get("/status"))["now"] == NOW + 60
    async with operator.house.db.read() as db:
        assert await marks.value(db, CLOCK_MARK) == str(NOW + 60)
    assert (await operator.ask("PUT", "/clock", {"now": NOW}))[1]["code"] == "clock_goes_back"
    await operator.change("PUT", "/clock", {"now": NOW + 90}, dry_run="true")
    assert (await operator.get("/status"))["now"] == NOW + 60


async def test_the_systems_clock_is_not_moved(house: State) -> None:
    state = State(house.settings, house.db, SystemClock())
    async with TestClient(TestServer(make(state))) as http:
        status, refused = await Operator(http, state).ask("PUT", "/clock", {"now": 2**33})
    assert (status, refused["code"]) == (409, "clock_runs")
