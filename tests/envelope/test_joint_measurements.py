"""Stored measurements and clients' mirrors in one view, on both databases; retention and erasure inside the server."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from envelope.extension import EXTENSION
from envelope.operation import measurement_upkeep
from envelope.operation.assumptions import Assumptions
from envelope.operation.input_ages import InputWatch
from envelope.operation.joint_measurements import JointMeasurements, ServerMeasurements, reported_settings
from envelope.operation.measurements import HEAD, Quantity
from gridmodel.meter_data import series_index
from gridmodel.meter_data.quantities import Quality
from gridmodel.meter_data.staging import Series, Staging, Values
from gridmodel.meter_data.store import Kind, MeasurementStore
from sep2.clock import SteppedClock
from sep2.extension import resolve
from sep2.settings import Settings
from sep2.settings.engine import Measurements
from sep2.settings.fields import Database, Retention, Utility
from sep2.store import documents
from tests.envelope.cases import START
from tests.envelope.rounds import mirrored

DAY_S = 86_400


@pytest.fixture
def store(tmp_path):
    return MeasurementStore(tmp_path / "measurements")


def put(store, kind, *rows, quality=Quality.MEASURED):
    """Rows of (place, quantity, phase, start, duration, value)."""
    names = tuple(Series(place, "", quantity, phase) for place, quantity, phase, *_ in rows)
    start, duration, value = np.array([row[3:] for row in rows]).T
    qualities = np.full(len(rows), quality, dtype=np.uint8)
    with Staging(store, kind) as staging, store.writing():
        staging.add(Values(names, np.arange(len(rows)), start, duration, value.astype(float), qualities), START)
        series_index.widen(store, kind, staging.spans)
        staging.write("test")


async def test_meters_scada_and_mirrors_are_in_one_view(registered, store):
    put(store, Kind.AMI, ("c2", "import_w", "", START, 1800, 4000), ("c2", "export_w", "", START, 1800, 500))
    put(store, Kind.AMI, ("c2", "v", "", START, 1800, 231), ("strange", "v", "", START, 1800, 400))
    put(store, Kind.SCADA, ("head", "v", "a", START, 900, 6400), ("line L1", "a", "b", START, 900, 120))
    await mirrored(registered, (38, 1, 700))
    async with registered.read() as db:
        found = await JointMeasurements(store)(db, ["c1", "c2", "c3"], START, START + 3600)
    said = {(one.place, one.quantity): one.value for one in found}
    assert said == {
        ("c1", Quantity.POWER): 700.0,
        ("c2", Quantity.POWER): 3500.0,
        ("c2", Quantity.VOLTAGE): 231.0,
        (HEAD, Quantity.VOLTAGE): 6400.0,
        ("line L1, phase b", Quantity.CURRENT): 120.0,
    }


def test_the_head_of_another_feeder_is_not_this_ones(store):
    put(store, Kind.SCADA, ("head north", "v", "a", START, 900, 6400), ("Head South", "v", "a", START, 900, 9999))
    found = {one.value: one.place for one in JointMeasurements(store, "north").stored([], START, START + 900)}
    assert found == {6400.0: HEAD, 9999.0: "Head South"}


async def test_one_register_of_two_is_no_net_power(registered, store):
    put(store, Kind.AMI, ("c1", "import_w", "", START, 1800, 4000), ("c1", "export_w", "", START + 1800, 1800, 500))
    async with registered.read() as db:
        assert await JointMeasurements(store)(db, ["c1"], START, START + 3600) == []


async def test_suspect_values_stay_out(registered, store):
    put(store, Kind.AMI, ("c1", "v", "", START, 1800, 999), quality=Quality.SUSPECT)
    async with registered.read() as db:
        assert await JointMeasurements(store)(db, ["c1"], START, START + 3600) == []


def test_a_stored_voltage_outside_its_band_contradicts_the_assumptions(problem, store):
    put(store, Kind.AMI, ("c2", "v", "", START, 300, 290), ("c1", "v", "", START, 300, 235))
    found = JointMeasurements(store).stored(problem.connection_id, START, START + 900)
    (violated,) = Assumptions().check_measured(problem, found, START + 600)
    assert violated.assumption == "measured"
    assert violated.detail.startswith("290.0 V at c2")


async def test_the_settings_of_devices_are_in_the_view(registered):
    body = b'<DERSettings xmlns="urn:ieee:std:2030.5:ns"><setGradW>100</setGradW><setMaxW><multiplier>1</multiplier>'
    body += b"<value>500</value></setMaxW><updatedTime>1780000000</updatedTime></DERSettings>"
    async with registered.write() as db:
        await documents.put(db, 2, "DERSettings", body, now=START)
    async with registered.read() as db:
        first, second, _ = await reported_settings(db, ["c1", "c2", "c3"])
    assert (first.connection_id, first.settings["setMaxW"]) == ("c1", 5000)
    assert (second.connection_id, second.settings) == ("c2", {})


async def test_places_that_no_connection_has_are_named(at_hand, sqlite_url):
    view = ServerMeasurements(Settings(database=Database(url=sqlite_url)))
    assert await view.unknown(["c1", "stranger", "c3"]) == ["stranger"]
    live, settings = await view.live("c1", START, START + 60)
    assert (live, [one.connection_id for one in settings]) == ([], ["c1"])


def settings_of(folder: Path, **kept) -> Settings:
    return Settings(measurements=Measurements(folder=folder), utility=Utility(retention=Retention(**kept)))


async def test_the_server_deletes_days_beyond_the_retention(at_hand, store):
    put(store, Kind.AMI, *(("c1", "v", "", START + k * DAY_S, 1800, 230) for k in range(4)))
    clock = SteppedClock(START + 3 * DAY_S)
    state = SimpleNamespace(
        settings=settings_of(store.folder, measurements_s=2 * DAY_S), db=at_hand, clock=clock, reached={}
    )
    job = asyncio.create_task(measurement_upkeep.work(state))
    for _ in range(5000):
        if len(store.days(Kind.AMI)) == 3:
            break
        await asyncio.sleep(0.01)
    job.cancel()
    assert len(store.days(Kind.AMI)) == 3


async def test_the_engine_erases_what_it_keeps_of_a_connection(store):
    put(store, Kind.AMI, ("c1", "v", "", START, 1800, 230), ("c2", "v", "", START, 1800, 230))
    (eraser,) = EXTENSION.erasers
    assert await resolve(eraser)(settings_of(store.folder), "c1") == 1
    assert [one.series.place for one in series_index.known_series(store, Kind.AMI)] == ["c2"]
    assert await resolve(eraser)(settings_of(store.folder / "none"), "c1") == 0


@pytest.mark.parametrize(("lasts_s", "counts_s"), [(300, 1800), (1800, 3600), (3600, 7200)])
async def test_a_reading_counts_for_half_an_hour_or_while_there_can_be_no_later_one(
    registered, store, lasts_s, counts_s
):
    """A meter that posts each half-hour is not late at the end of each."""
    await mirrored(registered, (38, 1, 700), lasts_s=lasts_s)
    network = SimpleNamespace(equipment=None)
    problem = SimpleNamespace(connection_id=("c1", "c2"), reduced=SimpleNamespace(network=network))
    watch, end = InputWatch(store, "feeder"), START + lasts_s
    async with registered.write() as db:
        for now in (end, end + counts_s - 1):
            fresh = await watch.look(db, problem, now)
            assert (fresh.late, fresh.are_fresh) == ([], True)
        await watch.keep(db, fresh, now)
        (late,) = (await watch.look(db, problem, end + counts_s)).late
    assert late.late == ("c1",)
