"""Who outranks whom: an operator's override, schedule and group, and the envelope below them, on both databases."""

import pytest
from sqlalchemy import select

from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import NewControl, TooManyControls, cancel_control, issue_controls
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group, unassign
from sep2.operations.in_force import holdings
from sep2.operations.overrides import (
    NewOverride,
    OverrideLoosens,
    OverrideOver,
    OverrideTooLong,
    OverrideWithoutEnd,
    OverrideWithoutReason,
    Terms,
    send,
)
from sep2.operations.plausible import LimitBeyondRating
from sep2.operations.releasing import release
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls, groups
from sep2.store.controls import Seen
from sep2.store.tables import control

NOW, STEP = 1_700_000_000, 300
EXPORT = "opModExpLimW"


class Street:
    """Two connections with a device each, a feeder's group of both, and a device without a connection."""

    def __init__(self, database):
        self.database = database
        self.devices, self.own, self.places = {}, {}, {}

    async def fill(self):
        async with self.database.write() as db:
            self.client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), NOW)
            for number in (1, 2):
                name = f"NMI{number}"
                await add_connection(db, NewConnection(name), NOW)
                new = NewDevice(lfdi=f"{number}B" * 20, client_id=self.client, connection_id=name)
                self.devices[name] = await add_device(db, new, NOW)
                row = await connections.by_name(db, name)
                self.own[name], self.places[name] = row.device_group_id, row.id
            self.devices["loose"] = await add_device(db, NewDevice(lfdi="EF" * 20, client_id=self.client), NOW)
            self.feeder = await create_group(db, NewGroup("feeder", "FD", 7), NOW)
            for device in self.devices.values():
                await assign(db, self.feeder, device, NOW)

    async def program(self, name, role):
        async with self.database.read() as db:
            return (await groups.of_connection(db, self.places[name], role)).id

    async def publish(self, name, now, *watts, most=24):
        """A round of the engine: so many watts of export in each of the steps from the present one on."""
        first = now - (now - NOW) % STEP
        wanted = [Interval(first + k * STEP, first + (k + 1) * STEP, Limits(9000, w)) for k, w in enumerate(watts)]
        async with self.database.write() as db:
            asked = Wanted(self.own[name], wanted, most)
            return (await issue_schedules(db, [asked], now, source="envelope"))[0]

    async def override(
        self, now, scope="connection", of="NMI1", export_w=0, *, start=None, end=None, terms=None, **more
    ):
        subjects = {"connection": self.places, "device": self.devices, "aggregator": {"agg": self.client}}
        number = {"group": {"feeder": self.feeder}, "system": {"": 0}, **subjects}[scope][of]
        new = NewOverride(
            **{"limits": Limits(export_w=export_w), "reason": "overload", **more},
            scope=scope, subject=of, subject_id=number, start=start or now, end=end,
        )  # fmt: skip
        async with self.database.write() as db:
            return await send(db, new, now, terms or Terms())

    async def holds(self, name, now, mode=EXPORT):
        async with self.database.read() as db:
            found = await holdings(db, self.devices[name], Seen(now))
        return found[mode].value if mode in found else None

    async def says(self, name, now, mode=EXPORT):
        async with self.database.read() as db:
            found = (await holdings(db, self.devices[name], Seen(now)))[mode]
            return await db.one(select(control).where(control.c.mrid == f"{found.control or 0:032X}"))

    async def mrids(self):
        async with self.database.read() as db:
            return {row.mrid for row in await db.all(select(control.c.mrid))}


@pytest.fixture
async def street(database):
    made = Street(database)
    await made.fill()
    return made


async def test_rounds_never_take_an_overrides_place_and_what_follows_it_is_new(street):
    await street.publish("NMI1", NOW, *[3000] * 24)
    await street.override(NOW + 10, export_w=0, end=NOW + 7210)
    for number in range(1, 24):
        now = NOW + number * STEP
        await street.publish("NMI1", now, *[3000 + 10 * number] * (24 - number), *[2000] * number)
        assert await street.holds("NMI1", now) == 0
        assert (await street.says("NMI1", now)).source == "override"
    before = await street.holds("NMI1", NOW + 7209)
    at_end = await street.says("NMI1", NOW + 7210)
    assert (before, at_end.source, at_end.start) == (0, "envelope", NOW + 7210)


async def test_what_runs_below_an_override_is_cut_at_its_end_at_once(street):
    await street.publish("NMI1", NOW, *[3000] * 24)
    known = await street.mrids()
    await street.override(NOW + 10, end=NOW + 1810)
    after = await street.says("NMI1", NOW + 1810)
    assert (after.source, after.start, after.mrid in known) == ("envelope", NOW + 1810, False)
    again = await street.publish("NMI1", NOW + STEP, *[3000] * 23)
    assert (again.created, again.superseded) == ((), ())


async def test_a_released_override_gives_back_what_was_below_with_a_new_mrid(street):
    await street.publish("NMI1", NOW, *[3000] * 24)
    sent = await street.override(NOW + 10, end=NOW + 7210)
    known = await street.mrids()
    async with street.database.write() as db:
        done = await release(db, sent.id, NOW + 600)
    after = await street.says("NMI1", NOW + 600)
    assert (after.export_limit_w, after.start, after.mrid in known) == (3000, NOW + 600, False)
    assert (len(done.cancelled), done.until) == (1, NOW + 600)
    with pytest.raises(OverrideOver):
        async with street.database.write() as db:
            await release(db, sent.id, NOW + 601)


async def test_an_envelope_that_is_published_while_an_override_stands_is_cut_at_its_end(street):
    await street.override(NOW, end=NOW + 500)
    await street.publish("NMI1", NOW, *[3000] * 4)
    assert (await street.says("NMI1", NOW + 500)).start == NOW + 500


async def test_the_order_is_override_schedule_envelope_default(street):
    async with street.database.write() as db:
        await set_default(db, street.own["NMI1"], Limits(export_w=1500), now=NOW)
    await street.publish("NMI1", NOW, 4000, 4000, 4000, 4000)
    schedule = await street.program("NMI1", "schedule")
    async with street.database.write() as db:
        new = NewControl(start=NOW + 100, duration=800, limits=Limits(export_w=2000))
        await issue_controls(db, schedule, [new], NOW)
    await street.override(NOW, export_w=100, start=NOW + 200, end=NOW + 300)
    seen = [await street.holds("NMI1", NOW + at) for at in (50, 150, 250, 350, 950, 1250)]
    assert seen == [4000, 2000, 100, 2000, 4000, 1500]


async def test_what_an_operator_once_sent_into_a_connections_own_program_stays_until_it_ends(street):
    async with street.database.write() as db:
        old = NewControl(start=NOW + 100, duration=900, limits=Limits(export_w=10))
        await issue_controls(db, street.own["NMI1"], [old], NOW)
    for now in range(NOW, NOW + 1500, STEP):
        await street.publish("NMI1", now, *[3000 + now - NOW] * 6)
        assert await street.holds("NMI1", now, "opModImpLimW") == 9000
        for at in (100, 500, 999):
            if now <= NOW + at:
                assert await street.holds("NMI1", NOW + at) == 10
    assert (await street.says("NMI1", NOW + 1000)).source == "envelope"


@pytest.mark.parametrize(
    ("why", "changes", "refusal", "field"),
    [
        ("no end", {}, OverrideWithoutEnd, "duration"),
        ("no reason", {"end": NOW + 600, "reason": ""}, OverrideWithoutReason, "reason"),
        ("other, without words", {"end": NOW + 600, "reason": "other"}, OverrideWithoutReason, "note"),
        ("400 days", {"end": NOW + 400 * 86_400}, OverrideTooLong, "duration"),
        ("5 MW at a house", {"end": NOW + 600, "export_w": 5_000_000}, LimitBeyondRating, "limits.export_w"),
        ("looser than the envelope", {"end": NOW + 600, "export_w": 4000}, OverrideLoosens, "limits"),
    ],
)
async def test_a_bad_override_is_refused_by_the_field_and_changes_nothing(street, why, changes, refusal, field):
    await street.publish("NMI1", NOW, *[3000] * 24)
    known = await street.mrids()
    with pytest.raises(refusal, match=field):
        await street.override(NOW, **changes)
    assert await street.mrids() == known


async def test_a_wide_override_over_a_tighter_and_a_looser_one_of_one_connection(street):
    """The tighter stays; the looser holds the minimum while both stand, and then what it said again."""
    await street.publish("NMI1", NOW, *[9000] * 24)
    await street.publish("NMI2", NOW, *[9000] * 24)
    await street.override(NOW, export_w=100, end=NOW + 3000)
    await street.override(NOW, of="NMI2", export_w=5000, end=NOW + 3000)
    wide = await street.override(NOW + 10, "group", "feeder", 1500, end=NOW + 1000, terms=Terms(spread_s=0))
    assert [await street.holds(name, NOW + 500) for name in ("NMI1", "NMI2", "loose")] == [100, 1500, 1500]
    assert [await street.holds(name, NOW + 1000) for name in ("NMI1", "NMI2", "loose")] == [100, 5000, None]
    async with street.database.write() as db:
        await release(db, wide.id, NOW + 600, spread_s=0)
    assert [await street.holds(name, NOW + 600) for name in ("NMI1", "NMI2", "loose")] == [100, 5000, None]


async def test_an_override_holds_the_minimum_where_the_envelope_is_tighter(street):
    await street.publish("NMI1", NOW, 3000, 500, 3000)
    sent = await street.override(NOW, export_w=1000, end=NOW + 900)
    assert [await street.holds("NMI1", NOW + at) for at in (100, 400, 700)] == [1000, 500, 1000]
    assert [(part.start - NOW, part.limits.export_w) for part in sent.told[0].parts] == [
        (0, 1000),
        (300, 500),
        (600, 1000),
    ]


async def test_many_places_are_released_over_ten_minutes(street):
    """Where an envelope follows it is ramped to; where only a default does, devices end at random."""
    await street.publish("NMI1", NOW, *[3000] * 24)
    sent = await street.override(NOW, "system", "", 0, end=NOW + 1800)
    assert {one.place.name: one.latest_end - NOW for one in sent.told} == {
        "connection NMI1": 1800, "connection NMI2": 2400, "device " + "EF" * 20: 2400,
    }  # fmt: skip
    assert (await street.says("NMI1", NOW + 1800)).ramp_tms == 60_000
    async with street.database.write() as db:
        done = await release(db, sent.id, NOW + 900)
    assert done.until == NOW + 1500
    assert (await street.says("NMI1", NOW + 900)).ramp_tms == 60_000
    last = await street.says("NMI2", NOW + 900)
    assert (last.source, last.randomize_duration) == ("override", 600)
    assert await street.holds("NMI2", NOW + 1502) is None


async def test_a_device_without_a_connection_is_given_programs_when_something_is_said_to_it(street):
    async with street.database.read() as db:
        assert len(await groups.of_device(db, street.devices["loose"])) == 1
    await street.override(NOW, "device", "loose", 0, end=NOW + 600)
    async with street.database.read() as db:
        programs = [(row.role, row.primacy) for row in await groups.of_device(db, street.devices["loose"])]
    assert programs == [("override", 1), ("wide-override", 2), ("schedule", 3), ("group", 7)]
    assert await street.holds("loose", NOW) == 0


async def test_an_override_is_never_refused_for_room(street):
    """What was calculated is told more coarsely, never more loosely, and nothing of it is lost."""
    watts = [3000 + 10 * k for k in range(24)]
    await street.publish("NMI1", NOW, *watts)
    schedule = await street.program("NMI1", "schedule")
    await street.override(NOW, export_w=100, start=NOW + 150, end=NOW + 450)
    async with street.database.write() as db:
        new = [NewControl(start=NOW + 20_000 + 60 * k, duration=60, limits=Limits(export_w=k)) for k in range(20)]
        await issue_controls(db, schedule, new, NOW)
        assert max((await controls.ahead_per_device(db, schedule, NOW)).values()) <= 24
    for k, most in enumerate(watts):
        held = await street.holds("NMI1", NOW + k * STEP + 10)
        assert held is not None
        assert held <= most
    with pytest.raises(TooManyControls):
        async with street.database.write() as db:
            new = [NewControl(start=NOW + 30_000 + 60 * k, duration=60, limits=Limits(export_w=k)) for k in range(20)]
            await issue_controls(db, schedule, new, NOW)
    await street.override(NOW, export_w=50, start=NOW + 40_000, end=NOW + 40_100)
    assert await street.holds("NMI1", NOW + 40_000) == 50


async def test_a_cancelled_successor_gives_back_all_that_it_had_replaced(street):
    async with street.database.write() as db:
        first = NewControl(start=NOW + 60, duration=600, limits=Limits(export_w=3000))
        second = NewControl(start=NOW + 120, duration=300, limits=Limits(export_w=2000))
        await issue_controls(db, street.feeder, [first], NOW)
        (later,) = (await issue_controls(db, street.feeder, [second], NOW)).created
    assert [await street.holds("NMI1", NOW + at) for at in (60, 119, 120, 419, 420, 659)] == [
        3000,
        3000,
        2000,
        2000,
        3000,
        3000,
    ]
    async with street.database.write() as db:
        await cancel_control(db, later, NOW + 1)
    assert {await street.holds("NMI1", NOW + at) for at in range(60, 660, 20)} == {3000}


async def test_a_cancelled_control_is_withdrawn_with_the_parts_that_were_issued_anew(street):
    schedule = await street.program("NMI1", "schedule")
    async with street.database.write() as db:
        new = NewControl(start=NOW + 60, duration=600, limits=Limits(export_w=3000))
        (first,) = (await issue_controls(db, schedule, [new], NOW)).created
    await street.override(NOW, export_w=0, start=NOW + 100, end=NOW + 200)
    async with street.database.write() as db:
        done = await cancel_control(db, first, NOW + 1)
    assert len(done.cancelled) == 2
    assert [await street.holds("NMI1", NOW + at) for at in (60, 150, 200, 600)] == [None, 0, None, None]


async def test_a_device_that_leaves_a_group_is_held_by_what_the_group_had_overruled(street):
    async with street.database.write() as db:
        strong = await create_group(db, NewGroup("strong", "NT", 5), NOW)
        await assign(db, strong, street.devices["loose"], NOW)
        long = NewControl(start=NOW, duration=3600, limits=Limits(export_w=700))
        (below,) = (await issue_controls(db, street.feeder, [long], NOW)).created
        await issue_controls(db, strong, [NewControl(start=NOW, duration=3000, limits=Limits(export_w=70))], NOW)
    assert await street.holds("loose", NOW + 10) == 70
    async with street.database.write() as db:
        await unassign(db, strong, street.devices["loose"], NOW + 20)
    after = await street.says("loose", NOW + 20)
    assert (after.export_limit_w, after.id != below) == (700, True)


@pytest.mark.parametrize(("scope", "of"), [("connection", "NMI1"), ("system", "")])
async def test_an_override_never_loosens_another_one_in_the_same_program(street, scope, of):
    await street.override(NOW, scope, of, 100, end=NOW + 1000, terms=Terms(spread_s=0))
    second = await street.override(NOW + 10, scope, of, 2000, end=NOW + 3000, terms=Terms(spread_s=0))
    assert [await street.holds("NMI1", NOW + at) for at in (10, 999, 1000, 2999)] == [100, 100, 2000, 2000]
    assert "override" in second.told[0].replaces
    with pytest.raises(OverrideLoosens):
        await street.override(NOW + 20, scope, of, 5000, end=NOW + 2000)


async def test_an_override_takes_the_place_of_what_speaks_of_the_same(street):
    async with street.database.write() as db:
        other = NewControl(start=NOW, duration=3600, limits=Limits(gen_w=500))
        await issue_controls(db, street.feeder, [other], NOW)
    assert (await street.override(NOW, export_w=0, end=NOW + 600)).told[0].replaces == ("nothing",)


async def test_what_many_places_have_in_common_is_issued_anew_once_when_an_override_is_released(street):
    async with street.database.write() as db:
        new = NewControl(start=NOW, duration=3600, limits=Limits(export_w=900))
        await issue_controls(db, street.feeder, [new], NOW)
    sent = await street.override(NOW + 10, "system", "", 0, end=NOW + 1800)
    async with street.database.write() as db:
        done = await release(db, sent.id, NOW + 20)
    assert (len(done.cancelled), len(done.reissued)) == (3, 1)
    assert {await street.holds(name, NOW + 20) for name in street.devices} == {900}
    assert {(await street.says(name, NOW + 20)).ramp_tms for name in street.devices} == {60_000}


async def test_a_control_that_is_cut_as_it_is_sent_is_withdrawn_whole_by_any_of_its_parts(street):
    await street.override(NOW, export_w=0, end=NOW + 200)
    schedule = await street.program("NMI1", "schedule")
    for which in (0, 1):
        async with street.database.write() as db:
            new = NewControl(start=NOW + 60, duration=600, limits=Limits(export_w=3000))
            parts = (await issue_controls(db, schedule, [new], NOW)).created
            assert len(parts) == 2
            done = await cancel_control(db, parts[which], NOW + 1)
        assert sorted(done.cancelled) == sorted(parts)
        assert [await street.holds("NMI1", NOW + at) for at in (60, 150, 200, 600)] == [0, 0, None, None]
