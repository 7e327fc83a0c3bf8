"""A later extract of the feeder is a change: shown, agreed by a second person; until then the model in use stays."""

import asyncio
import contextlib
import json
import time

import pytest
from aiohttp.test_utils import TestClient, TestServer

from envelope.operation import model_in_use
from envelope.problem import plan_file as plan
from gridmodel import read_feeder
from sep2.admin.app import make
from sep2.store import alarms
from tests.admin.conftest import TOKEN, Operator
from tests.admin.test_authority import person
from tests.envelope.cases import START, STEP_S, on
from tests.envelope.rounds import default_of, limits_at
from tests.envelope.test_desk import PATIENCE_S, at_work, is_run
from tests.gridmodel.town import write_town

STRICT = """
[utility.approvals]
second_person = "always"
"""
MODEL = "/x/envelope/model"
TOWN_HOMES = [f"h{k}_0_{h}" for k in range(3) for h in range(2)]


@contextlib.asynccontextmanager
async def utility(url, tmp_path, **more):
    """A server whose engine is at work, and its operator."""
    async with at_work(url, tmp_path, **more) as office:
        office.state.settings.operator.token_file.write_text(TOKEN)
        async with TestClient(TestServer(make(office.state))) as http:
            yield office, Operator(http, office.state)


async def alarm(office, wanted):
    """The detail of the alarm of an extract, once it holds what is wanted; empty: once there is none."""
    until = time.monotonic() + PATIENCE_S
    while True:
        async with office.db.read() as db:
            found = [row.detail for row in await alarms.standing(db) if row.code == "feeder_extract"]
        if (bool(found) and wanted in found[0]) if wanted else not found:
            return "".join(found)
        assert time.monotonic() < until, found
        await asyncio.sleep(0.02)


def changed(feeder, file, old, new):
    path = feeder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def planned(office, steps=6):
    problem = on(read_feeder(office.feeder).network, steps=steps)
    plan.save(office.folder / plan.FILE, str(office.feeder), problem)


async def test_the_model_in_use_stays_until_a_second_person_agrees_to_another(database_url, tmp_path):
    async with utility(database_url, tmp_path, settings=STRICT) as (office, operator):
        first = await office.publishes(is_run)
        ann, bob = [await person(operator, name, "engineer") for name in ("Ann", "Bob")]
        cal = await person(operator, "Cal")
        assert (await operator.get(MODEL))["extract"] is None
        status, refused = await operator.ask("POST", MODEL, {"reason": "new"}, token=ann)
        assert (status, refused["code"]) == (409, "no_later_extract")

        # What is at the feeder's place is broken, then another network: neither touches what is published.
        good = (office.feeder / "lines.csv").read_text()
        (office.feeder / "lines.csv").write_text("line_id,from_node\nx,\xff")
        await office.move(START + STEP_S)
        assert "can not be used" in await alarm(office, "lines.csv")
        status, refused = await operator.ask("POST", MODEL, {"reason": "new"}, token=ann)
        assert (status, refused["code"]) == (409, "unusable_extract")
        (office.feeder / "lines.csv").write_text(good)
        changed(office.feeder, "line_types.csv", "0.32,0.08,1.2,0.1,160", "0.36,0.08,1.2,0.1,90")
        await office.move(START + 2 * STEP_S)
        await alarm(office, "line changed); they reach 9 of 9")
        planned(office)
        await office.move(START + 3 * STEP_S)
        await alarm(office, "they reach 9 of 9")
        assert await office.publishes(is_run) == first
        assert (await office.told("status"))["in_force"] == 9

        shown = (await operator.get(MODEL))["extract"]
        assert {(one["kind"], one["field"]) for one in shown["differences"]} >= {("line", "rating_a")}
        assert (len(shown["reached"]), shown["untouched"], shown["has_plan"]) == (9, 0, True)

        asked = {"reason": "new fuses", "digest": shown["digest"]}
        assert (await operator.ask("POST", MODEL, asked, token=cal))[1]["code"] == "role_too_low"
        status, waits = await operator.ask("POST", MODEL, asked, token=ann)
        assert (status, waits["why"]) == (202, "it changes the network model that limits rest on")
        approve = f"/approvals/{waits['approval']}/approve"
        sheet = (await operator.get(f"/approvals/{waits['approval']}"))["sheet"]
        assert "they reach 9 of 9 connections" in sheet["sentences"][0]
        for token, code in ((ann, "same_person"), (cal, "role_too_low")):
            assert (await operator.ask("POST", approve, {}, token=token))[1]["code"] == code
        assert await office.publishes(is_run) == first

        # What is agreed to is what was looked at.
        changed(office.feeder, "line_types.csv", ",90", ",91")
        assert (await operator.ask("POST", approve, {}, token=bob))[1]["code"] == "effect_changed"
        changed(office.feeder, "line_types.csv", ",91", ",90")
        status, agreed = await operator.ask("POST", approve, {}, token=bob)
        assert (status, agreed["state"]) == (200, "approved")
        await office.publishes(lambda run: is_run(run) and run != first)
        await alarm(office, "")
        used = await operator.get(MODEL)
        assert (used["by"], used["second"], used["reason"], used["extract"]) == ("Ann", "Bob", "new fuses", None)
        assert [alarm["code"] for alarm in (await office.told("status"))["alarms"]] == []
        entries = (await operator.get("/audit", subject=f"/approvals/{waits['approval']}"))["items"]
        assert entries[0]["verb"] == "approve_change"


async def test_a_taken_model_without_a_plan_invalidates_only_what_it_reaches(sqlite_url, tmp_path):
    def write(feeder):
        write_town(feeder, 3, 1, 2)

    more = {"settings": STRICT, "homes": TOWN_HOMES, "write": write}
    async with utility(sqlite_url, tmp_path, **more) as (office, operator):
        first = await office.publishes(is_run)
        tokens = [await person(operator, name, "engineer") for name in ("Ann", "Bob")]
        changed(office.feeder, "lines.csv", "sh1_0_0,p1_0_0,h1_0_0,12.0", "sh1_0_0,p1_0_0,h1_0_0,400.0")
        before = {name: await limits_at(office.db, name, START) for name in TOWN_HOMES}
        _, waits = await operator.ask("POST", MODEL, {"reason": "surveyed"}, token=tokens[0])
        await operator.ask("POST", f"/approvals/{waits['approval']}/approve", {}, token=tokens[1])
        now = START + 1
        shown = await office.told("activate")
        await office.move(now)
        until = time.monotonic() + PATIENCE_S
        while await limits_at(office.db, "h1_0_0", now) == before["h1_0_0"]:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        for name in TOWN_HOMES:
            expected = await default_of(office.db, name) if name.startswith("h1_") else before[name]
            assert await limits_at(office.db, name, now) == expected
        then = {one["connection_id"]: (one["import_then_w"], one["export_then_w"]) for one in shown["connections"]}
        assert then == {name: await limits_at(office.db, name, now) for name in TOWN_HOMES}
        assert await office.publishes(is_run) == first
        (invalid,) = [one for one in (await office.told("status"))["alarms"] if one["code"] == "envelope_invalid"]
        assert "make it anew" in invalid["detail"]

        planned(office)
        await office.publishes(lambda run: is_run(run) and run != first)
        await alarm(office, "")
        assert "envelope_invalid" not in {one["code"] for one in (await office.told("status"))["alarms"]}
        kept = sorted(one.name for one in (office.folder / model_in_use.FOLDER).iterdir())
        assert len(kept) == 2  # the plan, and one model


async def test_where_nobody_asks_for_a_second_person_a_plan_brings_its_model(sqlite_url, tmp_path):
    async with utility(sqlite_url, tmp_path) as (office, operator):
        first = await office.publishes(is_run)
        changed(office.feeder, "line_types.csv", "0.32,0.08,1.2,0.1,160", "0.36,0.08,1.2,0.1,90")
        await office.move(START + STEP_S)
        await alarm(office, "they reach 9 of 9")
        assert await office.publishes(is_run) == first
        planned(office)
        await office.publishes(lambda run: is_run(run) and run != first)
        await alarm(office, "")
        used = await operator.get(MODEL)
        assert (used["by"], used["digest"]) == ("", plan.digest_of(str(office.feeder)))


async def test_one_person_takes_a_model_where_no_second_one_is_asked_for(sqlite_url, tmp_path):
    async with utility(sqlite_url, tmp_path) as (office, operator):
        await office.publishes(is_run)
        changed(office.feeder, "line_types.csv", "0.32,0.08,1.2,0.1,160", "0.36,0.08,1.2,0.1,90")
        tried = await operator.change("POST", MODEL, {"reason": "x"}, dry_run="true")
        assert json.loads((office.folder / model_in_use.FILE).read_text())["digest"] != tried["digest"]
        await operator.change("POST", MODEL, {"reason": "x"})
        # Its single network is reached everywhere, and has no plan yet.
        await office.publishes(lambda run: run == "safe defaults")
        planned(office)
        await office.publishes(is_run)


@pytest.mark.parametrize("content", ["{", "[]", '{"feeder": 1}'])
async def test_a_spoiled_note_of_the_model_withdraws_nothing(sqlite_url, tmp_path, content):
    async with utility(sqlite_url, tmp_path) as (office, _):
        await office.publishes(is_run)
        before = await limits_at(office.db, "H1", START)
        (office.folder / model_in_use.FILE).write_text(content)
        await office.move(START + STEP_S - 1)
        assert await limits_at(office.db, "H1", START) == before


async def test_a_taken_model_that_reaches_nobody_leaves_all_envelopes_valid(sqlite_url, tmp_path):
    async with utility(sqlite_url, tmp_path, settings=STRICT) as (office, operator):
        first = await office.publishes(is_run)
        tokens = [await person(operator, name, "engineer") for name in ("Ann", "Bob")]
        (office.feeder / "limits.csv").write_text("written beside the feeder by some other tool\n")
        shown = (await operator.get(MODEL))["extract"]
        assert (shown["count"], shown["reached"]) == (0, [])
        _, waits = await operator.ask("POST", MODEL, {"reason": "same"}, token=tokens[0])
        _, agreed = await operator.ask("POST", f"/approvals/{waits['approval']}/approve", {}, token=tokens[1])
        assert agreed["state"] == "approved"
        await office.move(START + STEP_S)
        await alarm(office, "made of another extract")
        assert await office.publishes(is_run) == first
        assert [one["code"] for one in (await office.told("status"))["alarms"]] == ["feeder_extract"]
