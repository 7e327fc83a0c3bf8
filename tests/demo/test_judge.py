"""Who was reached, who answered and who obeyed, by what the utility has on record and as the server judges."""

from dataclasses import dataclass

import pytest

from envelope.demo.compliance import compliance_of
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.judging import policy_of
from sep2.operations.mirrors import (
    NewMirror,
    NewReading,
    NewSeries,
    NewSet,
    Poster,
    put_mirror,
    set_reading_sign,
)
from sep2.operations.responses import answer
from sep2.rules.limits import Limits
from sep2.rules.metering import ReadingSign, Span
from sep2.settings import Utility
from sep2.store import Database, connections, controls, groups

NOW, HALF_HOUR = 1_700_001_000 // 1800 * 1800, 1800
BEFORE = NOW - 7200
NAMES = ("NMI1", "NMI2", "NMI3")
IMPORT_W, EXPORT_W = 3000, 2000


@dataclass
class Street:
    """Three connections with two intervals each, published an hour ahead."""

    database: Database
    url: str
    devices: dict[str, int]
    mrids: dict[str, list[str]]
    client: int

    async def respond(self, name: str, *statuses: int, controls: slice = slice(None)) -> None:
        async with self.database.write() as db:
            for mrid in self.mrids[name][controls]:
                for status in statuses:
                    await answer(db, self.devices[name], mrid=mrid, status=status, created=NOW, now=NOW)

    async def measure(self, name: str, *drawn_w: int) -> None:
        readings = [
            NewReading(span=Span(NOW + k * HALF_HOUR, HALF_HOUR), value=power_w) for k, power_w in enumerate(drawn_w)
        ]
        of_all = NewSet(mrid="C", span=Span(NOW, len(drawn_w) * HALF_HOUR), readings=readings)
        tail = f"{self.devices[name]:032X}"
        series = NewSeries(mrid="A" + tail[1:], reading_type=b"", uom=38, flow_direction=1, sets=[of_all])
        mirror = NewMirror(
            mrid="B" + tail[1:],
            poster=Poster(self.client, HALF_HOUR),
            end_device_id=self.devices[name],
            description="site",
            version=None,
            role_flags=3,
            service_kind=0,
            status=1,
            series=(series,),
        )
        async with self.database.write() as db:
            number, _ = await put_mirror(db, mirror, NOW)
            await set_reading_sign(db, number, ReadingSign.AS_POSTED)

    async def verdict(self):
        policy = policy_of(Utility(), HALF_HOUR // 2)
        return await compliance_of(self.url, (NOW, NOW + 2 * HALF_HOUR), HALF_HOUR, policy)


@pytest.fixture
async def street(database, database_url):
    devices, mrids = {}, {}
    async with database.write() as db:
        new = NewClient(name="Sunny", lfdi="0" * 39 + "1", kind="aggregator", profile="csip-aus-1.2")
        client = await register_client(db, new, BEFORE)
        for k, name in enumerate(NAMES):
            await add_connection(db, NewConnection(name), BEFORE)
            devices[name] = await add_device(db, NewDevice(f"{k + 2:040X}", client, name), BEFORE)
            group = await groups.of_connection(db, (await connections.by_name(db, name)).id)
            limits = Limits(IMPORT_W, EXPORT_W)
            # Of the last one, which begins after the time that is judged, nothing is asked yet.
            wanted = [NewControl(start=NOW + k * HALF_HOUR, duration=HALF_HOUR, limits=limits) for k in range(3)]
            issued = await issue_controls(db, group.id, wanted, NOW - 3600, source="envelope")
            mrids[name] = [(await controls.one(db, created)).mrid for created in issued.created[:2]]
    return Street(database, database_url, devices, mrids, client)


async def all_obey(street: Street, *but: str) -> None:
    for name in NAMES:
        if name not in but:
            await street.respond(name, 1, 2, 3)
            await street.measure(name, IMPORT_W, -EXPORT_W)


async def test_all_is_well(street):
    await all_obey(street)
    found = await street.verdict()
    assert found.complies
    assert (found.controls, found.responses, found.readings) == (6, 18, 6)
    assert (found.disobeying, found.silent) == ((), ())


@pytest.mark.parametrize(
    ("why", "drawn_w", "beyond_w"),
    [("draws more than it may", (3200, 0), 200), ("feeds in more than it may", (0, -2400), 400)],
)
async def test_who_does_as_he_likes_is_named(street, why, drawn_w, beyond_w):
    await all_obey(street, "NMI2")
    await street.respond("NMI2", 1, 2, 3)
    await street.measure("NMI2", *drawn_w)
    found = await street.verdict()
    assert found.breach_wh == {"NMI2": pytest.approx(beyond_w / 2)}, why
    assert (found.disobeying, found.silent, found.complies) == (("NMI2",), (), False)


@pytest.mark.parametrize(
    ("why", "statuses", "which", "undelivered", "unanswered"),
    [
        ("says nothing", (), slice(None), True, True),
        ("has it, and never tells how it ended", (1, 2), slice(None), False, True),
        ("falls silent after the first", (1, 2, 3), slice(1), True, True),
        ("is told of another before it began", (1, 7), slice(None), False, False),
    ],
)
async def test_who_does_not_answer_is_named(street, why, statuses, which, undelivered, unanswered):
    await all_obey(street, "NMI3")
    await street.respond("NMI3", *statuses, controls=which)
    await street.measure("NMI3", 0, 0)
    found = await street.verdict()
    assert found.undelivered == (("NMI3",) if undelivered else ()), why
    assert found.unanswered == (("NMI3",) if unanswered else ()), why
    assert found.unmeasured == ()
    assert found.complies is not unanswered


async def test_who_is_not_measured_is_named(street):
    await all_obey(street, "NMI1")
    await street.respond("NMI1", 1, 2, 3)
    found = await street.verdict()
    assert (found.unmeasured, found.silent, found.complies) == (("NMI1",), ("NMI1",), False)
