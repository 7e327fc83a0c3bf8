"""A plant without IEEE 2030.5: its limits go out as signed set-points, and its SCADA meter judges them."""

import json

import pytest

from sep2.operations.devices import remove_device
from sep2.rules.webhooks import is_signed
from sep2.store import devices
from tests.envelope.rolling import NOW, STEP_S, at_work, save_plan
from tests.envelope.test_rolling import ended, published, report, round_that

LIST = "connection_id,meter\nH3,PLANT-M\n"


@pytest.fixture
async def office(tmp_path):
    """H3 has no device that speaks IEEE 2030.5."""
    async with at_work(tmp_path, planned=False) as made:
        async with made.db.write() as db:
            (row,) = await devices.at_connections(db, ["H3"])
            await remove_device(db, row.id, NOW)
        save_plan(made.folder, made.feeder)
        await made.until(lambda: published(made))
        yield made


async def listed(office, text=LIST):
    (office.folder / "envelope-plants.csv").write_text(text)
    made = await round_that(office, lambda made: any(one.startswith("plant H3") for one in made.notes))
    await office.move(office.clock.now())
    return made


async def test_a_plants_limits_are_calculated_and_written_as_a_file_that_proves_who_wrote_it(office):
    assert "H3" in (await office.alarms())["no_client"], "without a list nobody keeps its limits"
    await listed(office)
    file = office.folder / "setpoints" / "H3.json"

    async def written():
        return file.exists() and "no_client" not in await office.alarms()

    await office.until(written)
    body = file.read_bytes()
    headers = json.loads((office.folder / "setpoints" / "H3.headers.json").read_text())
    key = office.folder / "setpoints" / "secret"
    secret = key.read_text().strip()
    assert key.stat().st_mode & 0o077 == 0
    assert is_signed(secret, headers, body)
    assert not is_signed(secret, headers, body.replace(b"opModImpLimW", b"opModExpLimW"))
    said = json.loads(body)["data"]
    assert said["connection_id"] == "H3"
    wanted = [(row.start, row.start + row.duration, row.import_limit_w) for row in await office.controls_of("H3")]
    assert [(one["start"], one["end"], one["asks"]["opModImpLimW"]) for one in said["controls"]] == wanted
    assert max(watts for *_, watts in wanted) > 3000, "more than its contract"
    # What changes is written again, and signed again.
    await office.move(NOW + STEP_S)

    async def again():
        return file.read_bytes() != body

    await office.until(again)
    headers = json.loads((office.folder / "setpoints" / "H3.headers.json").read_text())
    assert is_signed(secret, headers, file.read_bytes())


async def test_a_plant_that_its_scada_meter_shows_beyond_twice_is_an_alarm_until_it_keeps_its_set_point(office):
    await listed(office)
    assert any("not known whether" in one for one in (await ended(office)).notes), "nothing was measured yet"

    async def after(minutes, watts):
        """The alarm once so many minutes have passed, of which the last 15 had such a mean."""
        at = NOW + 60 * minutes
        report(office, "net_w", watts, at - 900, "PLANT-M")
        await office.move(at)
        (office.store.folder / "switched").touch()
        await round_that(office, lambda made: made.at == at)
        await office.move(at)
        return (await office.alarms()).get("setpoint_not_kept", "")

    assert await after(30, 2000.0) == ""
    assert await after(45, 40_000.0) == "", "once is no alarm"
    assert (await after(60, 40_000.0)).startswith("import 40000 W from ")
    assert any("kept in 1 of 3 intervals" in one for one in (await ended(office)).notes)
    await office.move(NOW + 3600 + 3 * STEP_S)
    assert "setpoint_not_kept" in await office.alarms(), "what is not known is not kept"
    assert await after(165, 2000.0) == ""


async def test_a_list_that_can_not_be_used_is_said_by_row_and_value_and_limits_stand(office):
    before = await office.controls_of("H1")
    for text, why in (
        ("connection_id,meter\nH3,\n", "row 2: meter is empty"),
        ("connection_id,meter\nH9,M\n", "the server has no connection H9"),
        ("connection_id\nH3\n", "column meter is missing"),
        ("connection_id,meters\nH3,M\n", "column meters is not used: did you mean meter?"),
    ):
        (office.folder / "envelope-plants.csv").write_text(text)

        async def told(why=why):
            return why in (await office.alarms()).get("setpoint_not_kept", "")

        await office.until(told)
        assert await office.controls_of("H1") == before
        assert (await ended(office)).ended == "published"
