"""A plan that rolls: rounds make tomorrow by themselves, from what is measured, and publish only what changed."""

import asyncio
import json
import zlib
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.operation.measurement_upkeep import erase_connection
from envelope.operation.run_store import RunStore
from gridmodel.meter_data.live_values import LiveBatch, LiveValue
from gridmodel.meter_data.staging import Series
from gridmodel.meter_data.store import Kind
from sep2.operations.plans import latest_round
from tests.envelope.rolling import DAY_S, HOMES, NOW, STEP_S, at_work, gaps, save_plan


def said(row):
    return row.start, row.duration, row.import_limit_w, row.export_limit_w


def is_run(mark):
    return bool(mark) and not mark.startswith("safe ")


@pytest.fixture
async def office(tmp_path):
    async with at_work(tmp_path) as made:
        yield made


async def published(office):
    return is_run(mark := await office.run_mark()) and mark


async def ended(office):
    async with office.db.read() as db:
        return await latest_round(db, str(office.feeder))


async def round_that(office, test):
    async def found():
        made = await ended(office)
        return made if made is not None and test(made) else None

    return await office.until(found)


async def limits_now(office, name):
    now = office.clock.now()
    rows = [row for row in await office.controls_of(name) if row.start <= now < row.start + row.duration]
    return [(row.import_limit_w, row.export_limit_w) for row in rows]


async def test_a_rolling_day_has_no_gap_no_second_control_and_mints_only_what_changed(office):
    await office.until(lambda: published(office))
    assert "joint paths" in (await ended(office)).notes[0]
    before = {name: await office.controls_of(name) for name in HOMES}
    minted = 0
    for step in range(1, 5):
        now = NOW + step * STEP_S
        await office.move(now)
        for name in HOMES:
            rows = await office.controls_of(name)
            assert gaps(rows, now, now + DAY_S) == ([], []), (step, name)
            fresh = [row for row in rows if row.mrid not in {row.mrid for row in before[name]}]
            assert not {said(row) for row in fresh} & {said(row) for row in before[name]}
            minted += len(fresh)
            before[name] = rows
    assert minted < 4 * sum(map(len, before.values()))
    assert await office.alarms() == {}
    # An outage that is planned: static limits there and then, published before it begins.
    begin = NOW + 8 * STEP_S
    await _outage(office, begin)
    (other,) = [row for row in await office.controls_of("H3") if row.start <= begin < row.start + row.duration]
    assert other.import_limit_w > 3000
    # A connection of its own way: exactly its contract, for the whole horizon, and back.
    await office.told("deactivate", "--to", "contract", "--connection", "H2", "--yes")
    await office.until(lambda: at_contract(office, "H2"))
    assert not await at_contract(office, "H3")
    await office.told("activate", "--connection", "H2", "--yes")
    await office.until(lambda: beyond_contract(office, "H2"))


async def _outage(office, begin):
    at = [datetime.fromtimestamp(t, UTC).isoformat() for t in (begin, begin + STEP_S)]
    path = office.folder / "planned.csv"
    path.write_text(f"start,end,what,note\n{at[0]},{at[1]},connection:H1,pole\n")
    (office.folder / "envelope-calendar.csv").write_text(path.read_text())
    await office.until(lambda: _is_static(office, "H1", begin))


async def _is_static(office, name, at):
    rows = [row for row in await office.controls_of(name) if row.start <= at < row.start + row.duration]
    return [row for row in rows if row.import_limit_w == 3000]


async def at_contract(office, name):
    rows = await office.controls_of(name)
    return {row.import_limit_w for row in rows} == {3000}


async def beyond_contract(office, name):
    return not await at_contract(office, name)


async def test_a_feeder_in_production_starts_in_shadow_and_a_person_lets_it_out(tmp_path):
    def production(settings):
        return msgspec.structs.replace(settings, mode="production")

    async with at_work(tmp_path, change=production) as office:
        made = await round_that(office, lambda made: made.ended == "shadow")
        assert "would be" in made.why
        assert [await office.controls_of(name) for name in HOMES] == [[], [], []]
        # A person publishes: what is shown is what goes out.
        await office.told("stage", "advise", "--yes")
        made = await round_that(office, lambda made: made.ended == "waiting")
        assert [await office.controls_of(name) for name in HOMES] == [[], [], []]
        assert "envelope_waits" in await office.alarms()
        shown = {one["connection_id"]: one for one in (await office.told("evaluate"))["connections"]}
        assert (await office.says("release", "--run", "another", "--yes")).exit_code != 0
        await office.told("release", "--yes")
        assert await office.until(lambda: published(office)) == made.waiting
        for name in HOMES:
            then = shown[name]["import_then_w"], shown[name]["export_then_w"]
            assert await limits_now(office, name) == [then]
        assert "envelope_waits" not in await office.alarms()
        # The next round waits again, and what is published goes on without a gap.
        await office.move(NOW + STEP_S)
        later = await round_that(office, lambda made: made.ended == "waiting")
        assert await office.run_mark() == made.waiting != later.waiting
        assert gaps(await office.controls_of("H1"), NOW + STEP_S, NOW + DAY_S) == ([], [])


async def test_a_round_that_lets_out_far_more_waits_and_its_tightening_does_not(tmp_path):
    async with at_work(tmp_path, planned=False) as office:
        save_plan(office.folder, office.feeder, flex_load_w=np.full((48, 3), 3000.0))
        await office.until(lambda: published(office))
        before = {name: await office.controls_of(name) for name in HOMES}
        save_plan(office.folder, office.feeder, flex_load_w=np.tile([9000.0, 9000.0, 100.0], (48, 1)))
        made = await round_that(office, lambda made: made.ended == "waiting")
        assert "above the highest of 30 days" in made.why
        for name in HOMES:
            for row in await office.controls_of(name):
                end = row.start + row.duration
                old = [one for one in before[name] if one.start < end and row.start < one.start + one.duration]
                assert row.import_limit_w <= max(one.import_limit_w for one in old), name
        most = [max(row.import_limit_w for row in rows) for rows in (before["H3"], await office.controls_of("H3"))]
        assert most[1] < most[0], "what is tighter does not wait"
        await office.told("release", "--yes")
        await office.until(lambda: _is(office, made.waiting))
        assert max(row.import_limit_w for row in await office.controls_of("H1")) > 6000
        assert "envelope_waits" not in await office.alarms()


async def _is(office, run):
    return await office.run_mark() == run


def report(office, quantity, value, at, place="head"):
    values = [LiveValue(Kind.SCADA, Series(place, "", quantity, ""), at, 900, value)]
    LiveBatch(office.store, values, office.clock.now()).write()


async def test_rounds_are_quick_while_scada_is_fresh_and_only_tighten_once_it_is_late(office):
    await office.until(lambda: published(office))
    report(office, "v", 6350.0, NOW)
    (office.store.folder / "switched").touch()
    await round_that(office, lambda made: any("head voltage" in one for one in made.inputs))
    await office.move(NOW + 300)
    await round_that(office, lambda made: made.at == NOW + 300)  # within the step
    await office.move(NOW + STEP_S)
    late = await round_that(office, lambda made: made.late)
    assert "head voltage" in late.late[0]
    assert "limits only tighten" in (await office.alarms())["inputs_late"]
    before = {name: await office.controls_of(name) for name in HOMES}
    problem = save_plan(office.folder, office.feeder)
    save_plan(office.folder, office.feeder, flex_load_w=1.1 * problem.flex_load_w)
    await round_that(office, lambda made: made.at == NOW + STEP_S and made.run != late.run)
    for name in HOMES:
        most = max(row.import_limit_w for row in before[name])
        assert all(row.import_limit_w <= most for row in await office.controls_of(name))
    # It comes back: the alarm goes. A line that is open in the field and closed in the plan is another network.
    report(office, "v", 6350.0, NOW + STEP_S)
    report(office, "state", 0.0, NOW + STEP_S, "L2")
    (office.store.folder / "switched").touch()
    made = await round_that(office, lambda made: made.ended == "static")
    assert made.why == "topology: L2 is open, and closed in the plan"
    report(office, "state", 1.0, NOW + STEP_S + 1, "L2")
    await office.move(NOW + STEP_S + 300)
    await office.until(lambda: published(office))
    assert "inputs_late" not in await office.alarms()


async def test_every_published_number_is_calculated_again_to_the_bit_from_what_was_kept(office):
    await office.until(lambda: published(office))
    runs = [await office.run_mark()]
    for step in (1, 2):
        await office.move(NOW + step * STEP_S)
        runs.append(await office.run_mark())
    assert len(set(runs)) == 3
    # The feeder, the forecast and the plan are gone or others by then: the records are enough.
    (office.folder / "envelope-plan.npz").unlink()
    (office.feeder / "line_types.csv").unlink()
    for run in runs:
        found = await _replayed(office, run)
        assert found["same"], found
        assert found["numbers"] > 50
    records = RunStore(office.folder / "envelope-records")
    feeders = [
        json.loads(zlib.decompress(path.read_bytes()))["files"] for path in records.folder.rglob("*.calculation")
    ]
    assert len(feeders) == 3
    assert len({str(files) for files in feeders}) == 1, "a feeder is kept once"
    # What was changed by a hand is no evidence, and says so.
    name = next(iter(feeders[0].values()))
    path = records.folder / "objects" / name[:2] / name
    kept = path.read_bytes()
    path.write_bytes(zlib.compress(b"other"))
    done = await asyncio.to_thread(CliRunner().invoke, app, ["replay", runs[0], str(office.folder)])
    assert done.exit_code not in (0, 6)
    assert "its content has changed" in done.output
    path.write_bytes(kept)
    # Retention: what is older goes, and objects that only it needed.
    before = records.octets()
    records.forget_before(NOW + STEP_S)
    assert records.octets() < before
    assert (await asyncio.to_thread(CliRunner().invoke, app, ["replay", runs[0], str(office.folder)])).exit_code != 0
    assert (await _replayed(office, runs[2]))["same"]
    # A customer's forecasts are erased from the inputs that are kept; such a run says so, and what it published stays.
    assert await erase_connection(office.state.settings, "H2") > 100
    assert not (office.folder / "envelope-forecast.npz").exists()
    for path in records.folder.rglob("*.calculation"):
        kept_of = {
            name: records.objects.get_array(one)
            for name, one in json.loads(zlib.decompress(path.read_bytes()))["arrays"].items()
            if name.startswith(("base_load", "scenarios.load"))
        }
        assert kept_of
        assert not any(one[..., 1].any() for one in kept_of.values())
        assert all(one[..., [0, 2]].any() for one in kept_of.values())
    done = await asyncio.to_thread(CliRunner().invoke, app, ["replay", runs[2], str(office.folder)])
    assert "were erased" in done.output
    assert len(records.publications(runs[2])) >= 1
    assert await erase_connection(office.state.settings, "H2") == 0


async def _replayed(office, run):
    done = await asyncio.to_thread(CliRunner().invoke, app, ["replay", run, str(office.folder), "--json"])
    return json.loads(done.stdout)
