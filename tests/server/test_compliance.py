"""Compliance as operators see it: by the API and the names that people know."""

import pytest

from tests.server.meters import post, read
from tests.server.operator import operating
from tests.server.test_judging import NOON, Site
from tests.server.world import NOW

DURING = {"from": str(NOON), "until": str(NOON + 1800)}


@pytest.fixture
async def desk(people, on_either, tmp_path):
    utility = {"poll_rates": {"DERProgramList": 120}}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


async def judged(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)
    await site.post()
    await site.settle()
    return site


async def test_obedience_is_always_shown_with_its_coverage_and_the_list_adds_up(desk):
    await judged(desk)
    _, operator = desk
    found = await operator.get("/compliance", connection="NMI1", direction="export", **DURING)
    (one,) = found["items"]
    assert (one["name"], one["obedience"], round(one["coverage"], 4)) == ("NMI1", pytest.approx(0.6), 0.8333)
    assert (one["limited_s"], one["breach_wh"]) == (1800, 85.0)
    assert found["judged_until"] == NOON + 1800
    everybody = (await operator.get("/compliance", **DURING))["items"]
    (total,) = (await operator.get("/compliance", by="total", **DURING))["items"]
    for name in ("limited_s", "ok_s", "late_s", "breach_s", "unknown_s"):
        assert sum(one[name] for one in everybody) == total[name]
    assert {one["name"] for one in everybody} >= {"NMI1", "NMI2"}, "those with a contract or a default of the utility"
    by_client = {one["name"]: one for one in (await operator.get("/compliance", by="client", **DURING))["items"]}
    assert by_client["gale"]["obedience"] is None, "who posts nothing obeys nothing that is known"
    assert by_client["gale"]["coverage"] == 0
    assert next(iter(by_client)) == "sunny", "the least obedient first, the unknown last"


async def test_one_connection_with_its_course_and_why_an_interval_is_unknown(desk):
    await judged(desk)
    found = await desk.operator.get("/compliance/connections/NMI1", **DURING)
    course = [(run["start"] - NOON, run["state"]) for run in found["course"] if run["direction"] == "export"]
    assert course == [(0, "ok"), (300, "late"), (600, "ok"), (900, "unknown"), (1200, "ok"), (1500, "breach")]
    assert found["unknown_because"]["export"] == "unmeasured"


async def test_broken_limits_and_how_fast_controls_arrive(desk):
    await judged(desk)
    _, operator = desk
    found = await operator.get("/compliance/broken", client="sunny", state="breach", **DURING)
    assert [(one["connection"], one["allowed_w"], one["measured_w"]) for one in found["items"]] == [
        ("NMI1", 1500.0, 1720.0)
    ]
    assert (await operator.get("/compliance/broken", client="gale", **DURING))["items"] == []
    reaching = await operator.get("/compliance/reaching", control="latest")
    assert (reaching["controls"], reaching["received"]["count"], reaching["first_ok"]["p95_s"]) == (1, 0, 660)


async def test_an_exempted_connection_is_not_judged_and_what_was_judged_stays(desk):
    site = await judged(desk)
    world, operator = desk
    await operator.change("POST", "/connections/NMI1/exemptions", {"duration": 3600, "reason": "meter exchange"})
    (one,) = (await operator.get("/exemptions"))["items"]
    assert (one["connection"], one["reason"]) == ("NMI1", "meter exchange")
    before = await operator.get("/compliance", connection="NMI1", by="total", **DURING)
    world.advance(NOON + 4200)
    await post(site.raw, site.at, "0C01", read("99", NOON + 3000, [(300, -4000)]))
    await world.state.judge.once()
    later = {"from": str(NOON + 2400), "until": str(NOON + 3600)}
    assert (await operator.get("/compliance", connection="NMI1", **later))["items"] == []
    after = await operator.get("/compliance", connection="NMI1", by="total", **DURING)
    assert after["items"] == before["items"]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/compliance", {"by": "colour"}, "wrong_body"),
        ("/compliance", {"connection": "NMI77"}, "unknown_connection"),
        ("/compliance", {"from": "9", "until": "9"}, "bad_period"),
        ("/compliance/connections/NMI77", {}, "unknown_connection"),
        ("/compliance/reaching", {"control": "ffff"}, "unknown_control"),
        ("/compliance/broken", {"state": "ok"}, "wrong_body"),
    ],
)
async def test_what_can_not_be_asked_is_refused_by_its_code(people, on_sqlite, tmp_path, path, query, code):
    async with operating(people, on_sqlite, tmp_path) as (_, operator):
        status, refused = await operator.ask("GET", path, params=query)
        assert 400 <= status < 500
        assert refused["code"] == code


async def test_an_exemption_needs_an_end_that_is_not_far_away(people, on_sqlite, tmp_path):
    async with operating(people, on_sqlite, tmp_path) as (_, operator):
        for body in ({"reason": "x"}, {"duration": 2**31, "reason": "x"}, {"duration": 60, "reason": ""}):
            status, _ = await operator.ask("POST", "/connections/NMI1/exemptions", body)
            assert status == 400, body
        assert NOW


async def test_what_was_judged_goes_by_new_names_and_by_places_of_the_network(desk):
    await judged(desk)
    _, operator = desk
    await operator.change("POST", "/places", {"name": "FD7", "kind": "feeder"})
    await operator.change("POST", "/places", {"name": "TX118", "kind": "transformer", "parent": "FD7"})
    await operator.change("POST", "/connections/NMI1/rename", {"name": "NMI1-B"})
    await operator.change("POST", "/clients/sunny/rename", {"name": "Sunrise"})
    found = (await operator.get("/compliance", client="Sunrise", by="connection", **DURING))["items"]
    assert "NMI1-B" in {one["name"] for one in found}
    assert (await operator.get("/compliance", connection="NMI1-B", by="client", **DURING))["items"][0][
        "name"
    ] == "Sunrise"
    moved = {"connections": ["NMI1-B"]}
    await operator.change("POST", "/places/TX118/connections", moved)
    (one,) = (await operator.get("/compliance", place="FD7", by="place", direction="export", **DURING))["items"]
    assert (one["name"], one["obedience"]) == ("TX118", pytest.approx(0.6))
    assert len((await operator.get("/readings", place="TX118", **DURING))["items"]) == 6
    assert (await operator.get("/readings", place="FD7", quantity="voltage", **DURING))["items"] == []
    assert (await operator.get("/compliance/broken", place="TX118", **DURING))["total"] == 2
