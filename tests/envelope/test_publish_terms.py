"""How limits are published: calm before relaxing, spread where they relax, over defaults that are looked at."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from envelope.engine import calculate
from envelope.operation import hysteresis, publication
from envelope.operation.publication_terms import SOURCE, PublicationTerms
from envelope.schedule.codes import CAPACITY
from envelope.schedule.schedule import Binding
from sep2.client.schedule import Control, Default, Program, Schedule
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.operations.schedules import intervals_of
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls
from tests.envelope.cases import START, STEP_S, street

RANDOM_S = 600


@pytest.fixture(scope="module")
def problem():
    return street(customers=3, steps=6)


@pytest.fixture(scope="module")
def schedule(problem):
    return calculate(problem)


@pytest.fixture
async def registered(database, problem):
    """Three connections, the first with a device of a client."""
    async with database.write() as db:
        for name in problem.connection_id:
            await add_connection(db, NewConnection(name), START - 60)
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="c1"), START - 60)
    return database


def limited(schedule, *pairs):
    """The schedule with these limits for every connection, import and export per step, all held by the network."""
    table = np.repeat(np.array(pairs, dtype=np.int64)[:, :, None], 3, axis=2)
    bound = replace(schedule.import_binding, row=np.zeros_like(schedule.import_binding.row))
    return replace(
        schedule,
        import_limit_w=table[:, 0],
        export_limit_w=table[:, 1],
        import_least_w=np.full((6, 3), 100),
        export_least_w=np.full((6, 3), 100),
        import_reach_w=np.full((6, 3), 14_000.0),
        export_reach_w=np.full((6, 3), 10_000.0),
        import_binding=bound,
        export_binding=bound,
        default_import_w=np.full(3, 1000),
        default_export_w=np.full(3, 1000),
    )


async def put(database, schedule, now, **terms):
    async with database.write() as db:
        return await publication.publish(db, schedule, now, PublicationTerms(**terms))


async def rows_of(database, name, now):
    async with database.read() as db:
        group = (await connections.by_name(db, name)).device_group_id
        return [row for row in await controls.standing(db, group, now) if row.successor_created is None]


def at(step):
    return START + step * STEP_S


UP_AND_DOWN = ((2000, 2000), (3000, 2000), (3000, 3000), (1500, 1500), (2500, 1200), (5000, 5000))


async def test_only_what_relaxes_begins_at_random_and_ends_before_the_next(registered, schedule):
    day = limited(schedule, *UP_AND_DOWN)
    await put(registered, day, START, randomize_relaxing_s=RANDOM_S)
    rows = await rows_of(registered, "c1", START)
    assert [(row.start, row.randomize_start) for row in rows] == [
        (at(0), None),
        (at(1), RANDOM_S),
        (at(2), RANDOM_S),
        (at(3), None),  # both tighten
        (at(4), None),  # import relaxes, export tightens
        (at(5), RANDOM_S),
    ]
    assert all(row.start + row.duration + (row.randomize_start or 0) == row.start + STEP_S for row in rows)


async def test_a_top_up_leaves_random_starts_alone(registered, schedule):
    day = limited(schedule, *UP_AND_DOWN)
    await put(registered, day, START, randomize_relaxing_s=RANDOM_S)
    for now in (START + 10, at(1), at(1) + RANDOM_S, at(2) - 5, at(3) + 1, at(5) + STEP_S - RANDOM_S + 1):
        again = await put(registered, day, now, randomize_relaxing_s=RANDOM_S)
        assert (again.created, again.superseded) == (0, 0)


async def test_a_relaxing_of_the_past_begins_at_once(registered, schedule):
    await put(registered, limited(schedule, *UP_AND_DOWN), START)
    wider = limited(schedule, *((i + 500, e + 500) for i, e in UP_AND_DOWN))
    await put(registered, wider, START + 60, randomize_relaxing_s=RANDOM_S)
    rows = await rows_of(registered, "c1", START + 60)
    assert (rows[0].start, rows[0].randomize_start, rows[1].randomize_start) == (START + 60, None, RANDOM_S)


@pytest.mark.parametrize("seed", range(2))
async def test_a_client_that_draws_holds_the_limit_the_one_before_or_the_default(registered, schedule, seed):
    """Judged by our own client's reading of the standard (10.2.3), second by second in steps of ten."""
    day = limited(schedule, *UP_AND_DOWN)
    await put(registered, day, START, randomize_relaxing_s=RANDOM_S)
    client = Schedule(Random(seed))
    client.assign([Program(1, 4)], START)
    client.take_default(1, Default(9, {"opModImpLimW": 1000, "opModExpLimW": 1000}))
    told = [
        Control(int(row.mrid, 16), 1, row.created, row.start, row.duration,
                {"opModImpLimW": row.import_limit_w, "opModExpLimW": row.export_limit_w},
                randomize_start=row.randomize_start or 0)
        for row in await rows_of(registered, "c1", START)
    ]  # fmt: skip
    client.take(1, told, START)
    drawn = False
    for now in range(START, at(6), 10):
        held, step = client.limits(now), (now - START) // STEP_S
        default = held.import_limit_w == held.export_limit_w == 1000
        assert default or (held.import_limit_w <= day.import_limit_w[step, 0])
        assert default or (held.export_limit_w <= day.export_limit_w[step, 0])
        drawn |= step == 1 and held.import_limit_w == 2000
    assert drawn, "what precedes back to back holds until the drawn start"


async def test_hysteresis_delays_a_relaxing_and_never_a_tightening(registered, schedule):
    await put(registered, limited(schedule, *[(2000, 2000)] * 6), START)
    calm = PublicationTerms(hysteresis_w=50)
    for pairs, delayed in (
        ([(2040, 2000)] * 6, True),
        ([(2040, 2051)] * 6, False),  # one of the two is worth it
        ([(1999, 2000)] * 6, False),
        ([(1999, 2040)] * 6, False),  # what tightens is not kept waiting by what relaxes
        ([(2000, 2000)] * 5 + [(1990, 2000)], False),
    ):
        async with registered.write() as db:
            done = await publication.publish(db, limited(schedule, *pairs), START + 10, calm)
            assert (done.created == 0) is delayed, pairs
            if not delayed:
                group = (await connections.by_name(db, "c1")).device_group_id
                live = intervals_of(await controls.standing(db, group, START + 10), SOURCE)
                for t, (most_import, most_export) in enumerate(pairs):
                    (now,) = [i.limits for i in live if i.start <= at(t) + 20 < i.end]
                    assert (now.import_w, now.export_w) <= (most_import, most_export)
                    assert now.import_w <= most_import
                    assert now.export_w <= most_export
            await publication.publish(db, limited(schedule, *[(2000, 2000)] * 6), START + 10)


def test_hysteresis_never_keeps_what_is_below_the_contract_or_the_base_load(schedule):
    day = replace(limited(schedule, *[(2040, 2040)] * 6), import_least_w=np.full((6, 3), 2010))
    want, old = Interval(at(0), at(6), Limits(2040, 2040)), Interval(at(0), at(6), Limits(2000, 2000))
    least = hysteresis.FirmMinimum(day, 0)
    (found,) = hysteresis.with_hysteresis([want], [old], least, 50)
    assert 2010 <= found.limits.import_w <= 2040
    assert found.limits.export_w == 2000, "of the other direction the old one stays"
    near = old._replace(limits=Limits(2010, 2000))
    assert hysteresis.with_hysteresis([want], [near], least, 50) == [near]


async def test_a_default_of_a_stronger_program_is_found(registered, schedule):
    day = limited(schedule, *[(2000, 2000)] * 6)
    assert (await put(registered, day, START)).findings == ()
    async with registered.write() as db:
        street_wide = await create_group(db, NewGroup("street", primacy=1), START)
        await assign(db, street_wide, 2, START)  # 1 is the aggregator itself
        await set_default(db, street_wide, Limits(export_w=1900), now=START)
    assert (await put(registered, day, START + 10)).findings == ()
    async with registered.write() as db:
        await set_default(db, street_wide, Limits(export_w=2001), now=START)
    (said,) = (await put(registered, day, START + 20)).findings
    assert said == "default_looser: on their default, c1 could go beyond a published limit"
    # Where the network holds nothing back, no default can go too far.
    free = replace(day.export_binding, row=np.full((6, 3), CAPACITY))
    assert (await put(registered, replace(day, export_binding=free), START + 20)).findings == ()


async def test_a_default_that_an_operator_loosens_is_found_once_and_set_back(registered, schedule):
    day = limited(schedule, *[(2000, 2000)] * 6)
    await put(registered, day, START)
    for loosened in (Limits(2000, 5000), Limits(None, 1000)):
        async with registered.write() as db:
            group = (await connections.by_name(db, "c1")).device_group_id
            await set_default(db, group, loosened, now=START + 10)
        done = await put(registered, day, START + 20, again=True)
        assert (len(done.findings), done.defaults) == (1, 1)
        assert (await put(registered, day, START + 30)).findings == ()
    async with registered.write() as db:
        await set_default(db, group, Limits(9000, 9000), now=START + 10)
    kept = [await put(registered, day, START + 40, defaults=False) for _ in range(2)]
    assert [len(done.findings) for done in kept] == [1, 1]


async def test_a_schedule_whose_own_default_is_looser_than_its_limits_says_so(registered, schedule):
    day = replace(limited(schedule, *[(2000, 2000)] * 5, (500, 2000)), default_import_w=np.array([600, 400, 500]))
    (said,) = (await put(registered, day, START)).findings
    assert "c1 could" in said


async def test_a_default_beyond_what_can_be_reached_is_no_looser_for_it(registered, schedule):
    """At night the limit is what can be reached, in whole watts, also where a later interval is what binds."""
    day = limited(schedule, *[(2000, 2000)] * 5, (2000, 10))
    reach = np.full((6, 3), 10_000.0)
    reach[5] = 10.7
    assert (await put(registered, replace(day, export_reach_w=reach), START)).findings == ()


async def test_what_stands_beyond_the_schedule_can_be_left_or_settled(registered, schedule):
    await put(registered, limited(schedule, *[(2000, 2000)] * 6), START)
    day = limited(schedule, *[(2000, 2000)] * 6)
    short = {name: getattr(day, name)[:3] for name in ("step_start", "import_limit_w", "export_limit_w",
             "import_least_w", "export_least_w", "import_reach_w", "export_reach_w")}  # fmt: skip
    rows = replace(day.import_binding, row=day.import_binding.row[:3])
    half = replace(day, **short, import_binding=rows, export_binding=rows)
    assert (await put(registered, half, START)).created == 0
    await put(registered, half, START, settle_rest=True)
    assert [(row.start, row.import_limit_w) for row in await rows_of(registered, "c2", START)] == [
        (at(0), 2000), (at(3), 1000),
    ]  # fmt: skip


def test_limits_that_the_network_binds_stay_when_a_later_round_finds_some_watts_less_or_more(schedule):
    first_row, none = (np.full((6, 3), row) for row in (0, CAPACITY))
    day = limited(schedule, *[(2000, 2000)] * 6)
    day = replace(day, import_binding=Binding(none, none), export_binding=Binding(first_row, first_row))
    day = replace(day, import_least_w=None, export_least_w=None, firm_export_w=np.zeros(3, dtype=np.int64))
    minimum = hysteresis.FirmMinimum(day, 0)
    (first,) = hysteresis.with_hysteresis([Interval(at(0), at(6), Limits(2000, 2000))], [], minimum, 100)
    assert (first.limits.import_w, first.limits.export_w) == (2000, 1975), "only what the network binds has slack"
    for watts in (1999, 1980, 2001, 2070):
        (later,) = hysteresis.with_hysteresis([Interval(at(0), at(6), Limits(2000, watts))], [first], minimum, 100)
        assert later == first
