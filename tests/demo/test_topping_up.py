"""A horizon that moves on never asks a client to hold more controls than it can."""

from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import limits_of
from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls, groups

NOW, HOUR = 1_700_000_000, 3600
LOOSE, TIGHT = Limits(5000, 5000), Limits(2000, 2000)


def hours(start: int, end: int, limits: Limits) -> Interval:
    return Interval(NOW + start * HOUR, NOW + end * HOUR, limits)


async def test_equal_neighbours_are_joined_where_they_would_be_too_many(database):
    async with database.write() as db:
        await add_connection(db, NewConnection("NMI1"), NOW)
        group = (await groups.of_connection(db, (await connections.by_name(db, "NMI1")).id)).id
        for now, wanted in (
            (0, [hours(0, 1, LOOSE), hours(1, 2, TIGHT), hours(2, 4, LOOSE)]),
            (1, [hours(1, 4, LOOSE), hours(4, 5, TIGHT), hours(5, 6, LOOSE)]),
        ):
            await issue_schedules(db, [Wanted(group, wanted, 3)], NOW + now * HOUR, source="envelope")
        rows = [row for row in await controls.standing(db, group, NOW + HOUR) if row.successor_created is None]
    found = [Interval(row.start, row.start + row.duration, limits_of(row)) for row in rows]
    assert found == [hours(1, 4, LOOSE), hours(4, 5, TIGHT), hours(5, 6, LOOSE)]
