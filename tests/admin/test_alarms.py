"""Alarms from cause to end: told once, acknowledged, shelved, escalated, summed up, and held back by their causes."""

import asyncio

from sep2.rules.alarm_kinds import CAUSES, KINDS
from sep2.store import alarms
from tests.admin.announced import desk as desk  # noqa: PLC0414 - a fixture
from tests.admin.announced import have, hook, said, settle, standing
from tests.admin.announced import post_office as post_office  # noqa: PLC0414 - a fixture
from tests.admin.announced import wide_house as wide_house  # noqa: PLC0414 - a fixture
from tests.admin.conftest import NOW, Operator
from tests.admin.test_receivers import System, until
from tests.admin.test_receivers import system as system  # noqa: PLC0414 - a fixture


def test_every_kind_says_what_it_is_when_it_ends_and_what_to_do() -> None:
    for code, kind in KINDS.items():
        assert kind.priority in (1, 2, 3), code
        assert all(text.strip() for text in (kind.subject, kind.meaning, kind.raised, kind.cleared, kind.do)), code
        assert kind.by_hand is (kind.cleared == "by an operator"), code
        assert set(kind.under) <= KINDS.keys() - {code}, code
    assert KINDS.keys() >= CAUSES
    urgent = [code for code, kind in KINDS.items() if kind.priority == 1]
    assert len(urgent) <= len(KINDS) / 5, "what is always urgent is not"


async def test_people_read_names_and_not_identifiers(desk: Operator) -> None:
    await have(desk, "set_max_w", "A" * 40, members=("D1" * 20,))
    await have(desk, "mode_unsupported", "A" * 40 + " opModImpLimW")
    await have(desk, "device_moved", "D1" * 20)
    await have(desk, "delivery_failing", "Sunny at hook.example.com:443")
    found = await standing(desk)
    assert {name: (one["kind"], one["key"], one["client"]) for name, one in found.items()} == {
        "Sunny": ("client", "Sunny", "Sunny"),
        "Sunny opModImpLimW": ("client", "Sunny", "Sunny"),
        "NMI1": ("connection", "NMI1", "Sunny"),
        "Sunny at hook.example.com:443": ("receiver", "Sunny at hook.example.com:443", "Sunny"),
    }
    shown = await desk.get(f"/alarms/{found['Sunny']['id']}")
    assert (shown["members"], shown["count"]) == (["NMI1"], 1)
    assert shown["do"] == KINDS["set_max_w"].do


async def test_who_acknowledges_stands_beside_it_and_it_is_not_escalated(
    desk: Operator, system: tuple[System, str]
) -> None:
    one = await hook(desk, system)
    await have(desk, "clock_jump", "server a", "server b")
    await one.has(2)
    found = await standing(desk)
    await desk.change("POST", f"/alarms/{found['server a']['id']}/acknowledge", {"note": "Ada is on it"})
    acknowledged = (await standing(desk))["server a"]
    said_of = acknowledged["state"], acknowledged["acknowledged_by"], acknowledged["note"]
    assert said_of == ("acknowledged", "local", "Ada is on it")
    desk.advance(NOW + 299)
    await settle(desk)
    desk.advance(NOW + 300)
    await one.has(3)
    assert said(one) == [("raised", "server a"), ("raised", "server b"), ("escalated", "server b")]
    await have(desk, "clock_jump")
    await one.has(5)
    gone = await standing(desk, state="gone")
    assert list(gone) == ["server b"], "it is over, and nobody has said that they have seen it"
    await desk.change("POST", "/alarms/acknowledge", {"alarms": [gone["server b"]["id"]]})
    assert await standing(desk, state="gone") == {}


async def test_escalation_goes_to_the_receiver_that_is_for_it(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system, escalation=True)
    await have(desk, "client_silent", "Sunny")
    await settle(desk)
    desk.advance(NOW + 1800)
    await one.has(1)
    await have(desk, "client_silent")
    await one.has(2)
    assert said(one) == [("escalated", "Sunny"), ("cleared", "Sunny")]


async def test_a_shelved_alarm_is_out_of_the_list_until_its_end_and_comes_back(
    desk: Operator, system: tuple[System, str]
) -> None:
    one = await hook(desk, system)
    await have(desk, "client_silent", "Sunny", "gateway")
    await one.has(2)
    found = await standing(desk)
    number = found["Sunny"]["id"]
    before = (await desk.get("/alarm-counts"))["priority_2"]
    assert (await desk.ask("POST", f"/alarms/{number}/shelve", {"duration": 60}))[0] == 400, "it needs a reason"
    await desk.change("POST", f"/alarms/{number}/shelve", {"duration": 3600, "reason": "crew is on site"})
    assert set(await standing(desk)) == {"gateway"}
    assert (await desk.get("/alarm-counts"))["priority_2"] == before - 1
    (shelved,) = (await standing(desk, state="shelved")).values()
    assert (shelved["shelved_by"], shelved["shelved_because"], shelved["shelved_until"]) == (
        "local",
        "crew is on site",
        NOW + 3600,
    )
    gateway = found["gateway"]["id"]
    await desk.change("POST", f"/alarms/{gateway}/shelve", {"until": NOW + 3600, "reason": "known"})
    await have(desk, "client_silent", "Sunny")
    await one.has(3)
    desk.advance(NOW + 3600)
    await one.has(4)
    assert said(one)[2:] == [("cleared", "gateway"), ("raised", "Sunny")]
    assert (await standing(desk))["Sunny"]["state"] == "new"
    await desk.change("POST", f"/alarms/{number}/shelve", {"duration": 3600, "reason": "still there"})
    await desk.change("POST", f"/alarms/{number}/unshelve")
    assert set(await standing(desk)) == {"Sunny"}
    status, refused = await desk.ask("POST", f"/alarms/{number}/unshelve")
    assert (status, refused["code"]) == (409, "not_shelved")


async def test_operators_shelve_for_a_shift_and_engineers_for_longer(desk: Operator) -> None:
    await have(desk, "client_silent", "Sunny")
    number = (await standing(desk))["Sunny"]["id"]
    tokens = {}
    for role in ("viewer", "operator", "engineer"):
        await desk.change("POST", "/operators", {"name": role, "role": role})
        made = await desk.change("POST", "/tokens", {"operator": role, "label": "x"})
        tokens[role] = made["token"]
    day = {"duration": 86_400, "reason": "being rebuilt"}
    answers = [await desk.ask("POST", f"/alarms/{number}/shelve", day, token=tokens[role]) for role in tokens]
    assert [status for status, _ in answers] == [403, 403, 200]
    assert [answer.get("code") for _, answer in answers] == ["role_too_low", "shelved_too_long", None]
    status, _ = await desk.ask("POST", f"/alarms/{number}/shelve", {"duration": 91 * 86_400, "reason": "x"})
    assert status == 400


async def test_only_what_has_happened_is_cleared_by_hand(desk: Operator) -> None:
    await have(desk, "client_silent", "Sunny")
    await have(desk, "local_login", "break glass")
    found = await standing(desk)
    status, refused = await desk.ask("POST", f"/alarms/{found['Sunny']['id']}/clear")
    assert (status, refused["code"]) == (409, "cause_stands")
    await desk.change("POST", f"/alarms/{found['break glass']['id']}/clear")
    assert set(await standing(desk)) == {"Sunny"}
    assert (await desk.ask("POST", f"/alarms/{found['break glass']['id']}/clear"))[0] == 409
    assert (await desk.ask("POST", "/alarms/99999/clear"))[0] == 404


async def test_what_a_cause_explains_is_kept_and_not_announced(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system)
    await have(desk, "delivery_failing", "Sunny at hook.example.com:443", "Gale at hook.example.com:443")
    await one.has(2)
    await have(desk, "client_silent", "Sunny")
    await have(desk, "delivery_dead", "Sunny at hook.example.com:443")
    await one.has(3)
    await settle(desk)
    found = await standing(desk)
    assert set(found) == {"Sunny", "Gale at hook.example.com:443"}
    assert found["Sunny"]["explains"] == 2
    below = (await desk.get("/alarms", state="suppressed", under=str(found["Sunny"]["id"])))["items"]
    assert {row["code"] for row in below} == {"delivery_failing", "delivery_dead"}
    await have(desk, "client_silent")
    await one.has(4)
    desk.advance(NOW + 59)
    await settle(desk)
    assert set(await standing(desk)) == {"Gale at hook.example.com:443"}, "they have a minute to clear by themselves"
    desk.advance(NOW + 61)
    await one.has(5)
    assert said(one)[2:] == [("raised", "Sunny"), ("cleared", "Sunny"), ("raised", "Sunny at hook.example.com:443")]
    assert one.taken[4]["data"]["code"] == "delivery_dead", "nobody has heard of it yet; of the other they have"


async def test_a_cause_that_comes_back_is_the_same_alarm_and_one_that_chatters_is_not_told_each_time(
    desk: Operator, system: tuple[System, str]
) -> None:
    one = await hook(desk, system)
    for n in range(5):
        await have(desk, "client_clock", "Sunny")
        await settle(desk) if n < 3 else None
        await have(desk, "client_clock")
        await until(lambda n=n: len(one.taken) >= min(2 * n + 2, 6))
    desk.advance(NOW + 10)
    await have(desk, "client_clock", "Sunny")
    row = (await standing(desk))["Sunny"]
    assert (row["again"], row["state"]) == (5, "new")
    assert [kind for kind, _ in said(one)] == ["raised", "cleared"] * 3, "the fourth time it must stand for a while"
    desk.advance(NOW + 10 + 240)
    await one.has(7)
    assert one.taken[6]["data"]["again"] == 5
    desk.advance(NOW + 2000)
    await have(desk, "client_clock")
    await one.has(8)
    desk.advance(NOW + 2700)
    await have(desk, "client_clock", "Sunny")
    await one.has(9)
    assert (await standing(desk))["Sunny"]["again"] == 0, "after so long it is another one"


async def test_more_alarms_than_anybody_reads_are_summed_up(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system)
    many = [f"client {n:03}" for n in range(40)]
    await have(desk, "profile_mismatch", *many)
    await until(lambda: "alarm_flood" in [row["data"].get("code") for row in one.taken])
    await have(desk, "clock_jump", "server a")
    await until(lambda: ("raised", "server a") in said(one))
    alone = len(one.taken)
    assert alone < 20, "one by one they would be forty"
    assert (await desk.get("/alarm-counts"))["is_flood"]
    assert len(await standing(desk, limit="500")) == 42, "nothing is left out of the record"
    desk.advance(NOW + 60)
    await one.has(alone + 1)
    digest = one.taken[alone]
    assert (digest["kind"], digest["data"]["codes"]) == ("digest", {"profile_mismatch": 40})
    await have(desk, "profile_mismatch")
    desk.advance(NOW + 130)
    await one.has(alone + 2)
    assert (one.taken[alone + 1]["kind"], one.taken[alone + 1]["data"]["cleared"]) == ("digest", 40)
    desk.advance(NOW + 700)
    await until(lambda: ("cleared", "alarms") in said(one))
    figures = await desk.get("/alarm-figures")
    assert figures["busiest_10_min"] >= 40
    assert not figures["is_flood"]


async def test_receivers_choose_by_code_hours_and_priority(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system, codes=["client_silent"], hours="07:00-18:00")
    assert (await desk.ask("PUT", "/receivers/DERMS", {"codes": ["nonsense"]}))[0] == 400
    assert (await desk.ask("PUT", "/receivers/DERMS", {"hours": "7-18"}))[0] == 400
    await have(desk, "client_silent", "Sunny")
    await have(desk, "disk_low", "disk of /")
    await settle(desk)
    assert (NOW // 3600 + 10) % 24 == 18, "it is evening there"
    await desk.change("PUT", "/receivers/DERMS", {"hours": "17:30-07:00"})
    await have(desk, "client_silent", "gateway")
    await one.has(2)
    assert said(one) == [("raised", "gateway"), ("cleared", "Sunny")]


async def test_two_servers_that_notice_the_same_thing_at_once_raise_one_alarm(desk: Operator) -> None:
    async def notice(n: int) -> int:
        async with desk.house.db.write() as db:
            return await alarms.raise_one(db, "certificate_expiring", "server x", f"seen by {n}", now=NOW)

    assert len(set(await asyncio.gather(*(notice(n) for n in range(8))))) == 1
    assert len([name for name in await standing(desk) if name == "server x"]) == 1
