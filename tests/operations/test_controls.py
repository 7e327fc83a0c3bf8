"""Controls through the one door, on both databases."""

import pytest

from sep2.operations import controls as verbs
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import BadControl, ControlOver, Issued, NewControl, TooManyControls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.modes import BadMode
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.limits import BadLimit, Limits
from sep2.rules.paging import Page
from sep2.rules.timeline import Interval
from sep2.store import connections, outbox
from sep2.store import controls as rows
from sep2.store.controls import Seen
from sep2.wire import WireError

NOW = 1_700_000_000
LOW, HIGH = Limits(import_w=1500, export_w=1500), Limits(import_w=9000, export_w=5000)


def hour(number, limits=LOW, **more):
    return NewControl(start=NOW + 3600 * number, duration=3600, limits=limits, **more)


@pytest.fixture
async def group(database):
    """A connection's own group, with one device of an aggregator."""
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), NOW)
        await add_connection(db, NewConnection("NMI1"), NOW)
        await add_device(db, NewDevice(lfdi="AB" * 20, client_id=client, connection_id="NMI1"), NOW)
        group_id = (await connections.by_name(db, "NMI1")).device_group_id
        await outbox.remove(db, [change.id for change in await outbox.oldest(db, 100)])
    return group_id


async def issue(database, group, *new, now=NOW, **more):
    async with database.write() as db:
        return await verbs.issue_controls(db, group, new, now, **more)


async def listed(database, group, now):
    async with database.read() as db:
        return (await rows.live(db, group, Page(0, 255), rows.Seen(now))).rows


async def test_what_is_said_again_is_kept(database, group):
    first = await issue(database, group, hour(1), hour(2, HIGH))
    again = await issue(database, group, hour(1), hour(2, HIGH), now=NOW + 60)
    assert (len(first.created), again.created, again.kept) == (2, (), first.created)


async def test_a_change_and_the_word_of_it_commit_together(database, group):
    await issue(database, group, hour(1))
    with pytest.raises(RuntimeError):
        async with database.write() as db:
            await verbs.issue_controls(db, group, [hour(2)], NOW)
            raise RuntimeError
    async with database.write() as db:
        changes = await outbox.oldest(db, 100)
    assert [(change.kind, change.ids) for change in changes] == [("DERControlList", {"derp": group, "derc": [1]})]
    assert len(await listed(database, group, NOW)) == 1


async def test_a_later_control_supersedes_and_is_created_later(database, group):
    old = (await issue(database, group, hour(1))).created[0]
    new = await issue(database, group, hour(1, HIGH))
    assert new.superseded == (old,)
    by_id = {row.id: row for row in await listed(database, group, NOW)}
    assert by_id[new.created[0]].created > by_id[old].created
    assert (by_id[old].successor_created, by_id[old].successor_start) == (NOW, NOW + 3600)


async def test_the_active_list_is_what_is_neither_superseded_nor_cancelled(database, group):
    (old,) = (await issue(database, group, hour(0))).created
    (new,) = (await issue(database, group, NewControl(start=NOW + 60, duration=3600, limits=HIGH), now=NOW + 1)).created
    for at, expected in [(NOW + 30, [old]), (NOW + 60, [new]), (NOW + 3700, [])]:
        async with database.read() as db:
            assert [row.id for row in (await rows.active(db, group, Page(0, 9), Seen(at))).rows] == expected


async def test_a_cancelled_successor_never_takes_over(database, group):
    (old,) = (await issue(database, group, hour(0))).created
    (new,) = (await issue(database, group, NewControl(start=NOW + 600, duration=60, limits=HIGH), now=NOW + 1)).created
    async with database.write() as db:
        await verbs.cancel_control(db, new, NOW + 2, reason="changed our mind")
    async with database.read() as db:
        for at in (30, 650, 700, 3000):
            (active,) = (await rows.active(db, group, Page(0, 9), Seen(NOW + at))).rows
            assert (active.export_limit_w, active.id == new) == (1500, False)
        assert (await rows.one(db, old)).cancelled is None


async def test_a_control_is_cancelled_once(database, group):
    (control,) = (await issue(database, group, hour(0))).created
    async with database.write() as db:
        await verbs.cancel_control(db, control, NOW + 1)
    with pytest.raises(ControlOver):
        async with database.write() as db:
            await verbs.cancel_control(db, control, NOW + 2)
    assert [row.cancelled for row in await listed(database, group, NOW + 2)] == [NOW + 1]


async def test_a_schedule_is_topped_up_by_its_new_end(database, group):
    async def publish(now, *intervals):
        async with database.write() as db:
            return (await issue_schedules(db, [Wanted(group, intervals)], now, source="envelope"))[0]

    first = await publish(NOW, Interval(NOW, NOW + 7200, LOW))
    later = await publish(NOW + 1800, Interval(NOW + 1800, NOW + 7200, LOW), Interval(NOW + 7200, NOW + 9000, LOW))
    assert (len(first.created), len(later.created), later.superseded) == (1, 1, ())
    changed = await publish(NOW + 1900, Interval(NOW + 1900, NOW + 3600, HIGH))
    assert changed.superseded == first.created
    spans = [(row.start - NOW, row.start + row.duration - NOW) for row in await listed(database, group, NOW + 1900)]
    assert spans == [(0, 7200), (1900, 3600), (3600, 7200), (7200, 9000)]


async def test_an_operators_control_is_no_part_of_the_schedule(database, group):
    await issue(database, group, hour(1, HIGH))
    async with database.write() as db:
        wanted = Wanted(group, [Interval(NOW + 3600, NOW + 7200, HIGH)])
        (issued,) = await issue_schedules(db, [wanted], NOW, source="envelope")
    assert issued == Issued()


async def test_no_device_has_to_hold_more_than_it_can(database, group):
    with pytest.raises(TooManyControls):
        await issue(database, group, *(hour(n) for n in range(25)))
    assert await listed(database, group, NOW) == []
    assert len((await issue(database, group, *(hour(n) for n in range(24)))).created) == 24


@pytest.mark.parametrize(
    ("why", "new", "refusal"),
    [
        ("over", NewControl(start=NOW - 60, duration=60, limits=LOW), BadControl),
        ("no duration", NewControl(start=NOW, duration=0, limits=LOW), BadControl),
        ("longer than UInt32", NewControl(start=NOW, duration=2**32, limits=LOW), BadControl),
        ("asks for nothing", NewControl(start=NOW, duration=60, limits=Limits()), BadControl),
        ("negative", NewControl(start=NOW, duration=60, limits=Limits(export_w=-1)), BadLimit),
        ("more than ActivePower says", NewControl(start=NOW, duration=60, limits=Limits(import_w=10**15)), BadLimit),
        ("a mode of no edition", hour(0, modes={"opModFly": True}), BadMode),
        ("a mode outside its bounds", hour(0, modes={"opModMaxLimW": 10001}), WireError),
        ("a limit as a mode", hour(0, modes={"opModExpLimW": 5}), BadMode),
        ("randomized by more than an hour", hour(0, randomize_start=3601), BadControl),
        ("a long description", hour(0, description="é" * 17), BadControl),
    ],
)
async def test_a_bad_control_is_refused_whole(database, group, why, new, refusal):
    with pytest.raises(refusal):
        await issue(database, group, hour(5), new)
    assert await listed(database, group, NOW) == []


async def test_controls_issued_together_may_not_overlap(database, group):
    with pytest.raises(BadControl, match="begins before"):
        await issue(database, group, hour(1), NewControl(start=NOW + 3700, duration=60, limits=HIGH))


async def test_independent_modes_overlap_in_peace(database, group):
    first = await issue(database, group, hour(1))
    other = await issue(database, group, hour(1, Limits(), modes={"opModConnect": True}))
    assert other.superseded == ()
    part = await issue(database, group, hour(1, Limits(export_w=100)))
    assert part.superseded == ()
    by_id = {row.id: row for row in await listed(database, group, NOW)}
    assert [by_id[one].overlapped_since for one in (*first.created, *other.created)] == [NOW, None]
