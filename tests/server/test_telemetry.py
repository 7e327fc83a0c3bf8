"""What clients send can be read by operators: readings, documents, LogEvents, responses, last contact."""

import pytest

from tests.raw import document
from tests.server.meters import DER, V, W, mirror, post, read, reading_type
from tests.server.operator import operating
from tests.server.world import NOW

BEGAN = NOW - 3600


@pytest.fixture
async def desk(people, on_either, tmp_path):
    async with operating(people, on_either, tmp_path) as desk:
        yield desk


async def all_of(operator, path, **query):
    """Every item of a list, read in pages of two."""
    found, after = [], None
    while True:
        part = await operator.get(path, limit="2", **query, **({"after": after} if after else {}))
        found += part["items"]
        after = part["next"]
        if after is None:
            return found


async def test_readings_equal_what_was_posted_and_gaps_stay_gaps(desk):
    world, operator = desk
    sunny = await world.as_("sunny")
    at = await mirror(
        sunny, world.ids.lfdis["one"], types={"0C01": reading_type(W, multiplier=1), "0C02": reading_type(V)}
    )
    await post(sunny, at, "0C01", read("51", BEGAN, [(300, 120), (300, -40)]))
    await post(sunny, at, "0C01", read("52", BEGAN + 1200, [(300, 7), (300, 8), (300, 9)]))
    await post(sunny, at, "0C02", read("53", BEGAN, [(300, 241)]))
    found = await all_of(operator, "/readings", connection="NMI1", quantity="power")
    assert [(one["start"] - BEGAN, one["duration_s"], one["value"]) for one in found] == [
        (0, 300, 1200.0),
        (300, 300, -400.0),
        (1200, 300, 70.0),
        (1500, 300, 80.0),
        (1800, 300, 90.0),
    ]
    one = found[0]
    assert (one["connection"], one["client"], one["unit"], one["role"], one["sign"]) == (
        *("NMI1", "sunny", "W", "site"),
        "unproven",
    )
    (volt,) = await all_of(operator, "/readings", device=world.ids.lfdis["one"][:12], quantity="voltage")
    assert (volt["value"], volt["unit"]) == (241.0, "V")
    assert await all_of(operator, "/readings", connection="NMI2") == []
    within = {"from": str(BEGAN + 1400), "until": str(BEGAN + 1600)}
    assert [one["value"] for one in await all_of(operator, "/readings", quantity="power", **within)] == [70.0, 80.0]


async def test_means_over_buckets_say_how_much_of_each_was_covered(desk):
    world, operator = desk
    sunny = await world.as_("sunny")
    at = await mirror(sunny, world.ids.lfdis["one"], types={"0C01": reading_type(W)})
    start = BEGAN // 900 * 900
    await post(sunny, at, "0C01", read("51", start, [(300, 100), (300, 400), (600, 1000)]))
    found = await all_of(operator, "/readings", connection="NMI1", resolution="900", **{"from": str(start)})
    assert [(one["start"] - start, one["value"], one["least"], one["most"], one["covered_s"]) for one in found] == [
        (0, 500.0, 100.0, 1000.0, 900),
        (900, 1000.0, 1000.0, 1000.0, 300),
    ]


@pytest.mark.parametrize(
    ("flow", "sign", "watts"), [(1, "as-posted", 500), (19, "as-posted", -500), (1, "reversed", -500)]
)
async def test_power_is_import_positive_however_the_meter_counts(desk, flow, sign, watts):
    world, operator = desk
    sunny = await world.as_("sunny")
    at = await mirror(sunny, world.ids.lfdis["one"], types={"0C01": reading_type(W, flow=flow)})
    await post(sunny, at, "0C01", read("51", BEGAN, [(300, 500)]))
    await operator.change("PUT", f"/mirrors/{at.rpartition('/')[2]}/reading-sign", {"reading_sign": sign})
    (one,) = (await operator.get("/readings/latest", client="sunny"))["items"]
    assert (one["value"], one["sign"]) == (watts, sign)


async def test_the_latest_reading_of_a_series_and_a_series_without_any(desk):
    world, operator = desk
    sunny = await world.as_("sunny")
    types = {"0C01": reading_type(W), "0C02": reading_type(V)}
    at = await mirror(sunny, world.ids.lfdis["one"], flags=DER, types=types)
    await post(sunny, at, "0C01", read("51", BEGAN, [(300, 1), (300, 2)]))
    found = await all_of(operator, "/readings/latest", group="feeder")
    assert [(one["quantity"], one["value"], one["role"]) for one in found] == [
        ("power", 2.0, "der"),
        ("voltage", None, "der"),
    ]


async def test_documents_are_read_in_si_units_with_their_history(desk):
    world, operator = desk
    sunny, one = await world.as_("sunny"), world.ids.devices["one"]
    for connected in ("01", "03", "03"):
        status = f"<genConnectStatus><dateTime>{NOW}</dateTime><value>{connected}</value></genConnectStatus>"
        body = document("DERStatus", f"{status}<readingTime>{NOW}</readingTime>")
        assert (await sunny.put(f"/edev/{one}/der/1/ders", body)).status == 204
        world.advance(world.clock.now() + 60)
    settings = (
        f"<setGradW>100</setGradW><setMaxW><multiplier>2</multiplier><value>50</value></setMaxW>"
        f"<updatedTime>{NOW}</updatedTime>"
    )
    assert (await sunny.put(f"/edev/{one}/der/1/derg", document("DERSettings", settings))).status == 204
    (now,) = await all_of(operator, "/device-status", connection="NMI1")
    assert now["says"]["genConnectStatus"]["value"] == ["CONNECTED", "AVAILABLE"]
    history = await all_of(operator, "/device-status", connection="NMI1", history="true")
    assert [one["written"] for one in history] == [NOW + 60, NOW], "what is written again unchanged is no new edition"
    (rating,) = await all_of(operator, "/ratings", client="sunny")
    assert (rating["kind"], rating["says"]["setMaxW"], rating["connection"]) == ("DERSettings", 5000, "NMI1")


async def test_log_events_and_responses_are_listed_with_the_names_that_people_know(desk):
    world, operator = desk
    sunny, one, lfdi = await world.as_("sunny"), world.ids.devices["one"], world.ids.lfdis["one"]
    event = (
        f"<createdDateTime>{NOW - 5}</createdDateTime><details>grid lost</details><functionSet>11</functionSet>"
        "<logEventCode>2</logEventCode><logEventID>7</logEventID><logEventPEN>0</logEventPEN><profileID>2</profileID>"
    )
    assert (await sunny.post(f"/edev/{one}/lel", document("LogEvent", event))).status == 201
    (found,) = await all_of(operator, "/log-events", device=lfdi)
    assert (found["connection"], found["code"], found["details"], found["created"]) == ("NMI1", 2, "grid lost", NOW - 5)
    control = {"controls": [{"start": NOW, "duration": 600, "limits": {"export_w": 1500}}], "reason": "test"}
    await operator.change("POST", "/connections/NMI1/controls", control)
    mrid = (await operator.get("/controls/latest"))["mrid"]
    answer = (
        f"<createdDateTime>{NOW + 1}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI><status>1</status>"
        f"<subject>{mrid}</subject>"
    )
    assert (await sunny.post(f"/edev/{one}/rsps/1/rsp", document("DERControlResponse", answer))).status == 201
    for query in ({"control": "latest"}, {"client": "sunny"}, {"status": "1"}):
        (found,) = await all_of(operator, "/responses", **query)
        assert (found["control"], found["status"], found["connection"]) == (mrid, 1, "NMI1")
    assert await all_of(operator, "/responses", status="2") == []


async def test_last_contact_names_those_never_heard_of_first(desk):
    world, operator = desk
    sunny = await world.as_("sunny")
    await sunny.get(f"/edev/{world.ids.devices['one']}", User_Agent="Gate/7")
    await world.state.seen.write()
    clients = await all_of(operator, "/contacts")
    assert [one["client"] for one in clients][-1] == "sunny"
    assert (clients[-1]["last_request"], clients[-1]["agent"], clients[0]["last_request"]) == (NOW, "Gate/7", None)
    devices = await all_of(operator, "/device-contacts", client="sunny")
    assert [(one["connection"], one["requests"]) for one in devices] == [(None, 0), ("NMI2", 0), ("NMI1", 1)]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/readings", {"connection": "NMI77"}, "unknown_connection"),
        ("/readings", {"quantity": "love"}, "unknown_quantity"),
        ("/readings", {"from": "5", "until": "5"}, "bad_period"),
        ("/readings", {"after": "bm9uc2Vuc2U"}, "bad_cursor"),
        ("/readings", {"after": "WyJhIl0"}, "bad_cursor"),
        ("/readings", {"after": "WzEsMl0"}, "bad_cursor"),
        ("/readings", {"resolution": "1"}, "wrong_body"),
        ("/ratings", {"group": "nowhere"}, "unknown_group"),
        ("/responses", {"control": "ffff"}, "unknown_control"),
        ("/contacts", {"client": "nobody"}, "unknown_client"),
        ("/log-events", {"colour": "red"}, "wrong_body"),
    ],
)
async def test_what_can_not_be_asked_is_refused_by_its_code(people, on_sqlite, tmp_path, path, query, code):
    async with operating(people, on_sqlite, tmp_path) as (_, operator):
        status, refused = await operator.ask("GET", path, params=query)
        assert 400 <= status < 500
        assert refused["code"] == code
