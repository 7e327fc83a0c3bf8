"""How often PostgreSQL is asked for what clients write: once for each piece, and a few times for all of a group."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sep2 import wire as w
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.documents import put_der_document
from sep2.operations.mirrors import NewMirror, NewReading, NewSeries, Poster, put_mirror, put_series
from sep2.operations.responses import answer
from sep2.rules.limits import Limits
from sep2.rules.metering import Span
from sep2.store import Connection, controls, groups, open_database
from sep2.store.postgres import PostgresDatabase

NOW, PERIOD_S = 1_800_000_000, 300
TOGETHER = 8
AROUND = 2
"""BEGIN and COMMIT."""
Piece = Callable[[Connection, int, int], Awaitable[object]]
"""Some work about the device of a number, in the round of a number."""
SERIES = NewSeries(
    mrid="C" * 32, reading_type=w.encode(w.ReadingType(uom=38), w.Profile.CSIP_AUS_1_2), interval_s=PERIOD_S, uom=38
)


class Utility:
    """Some devices with a mirror and a control each."""

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database
        self.devices: list[int] = []
        self.mirrors: list[int] = []
        self.mrids: list[str] = []

    async def fill(self) -> None:
        """Register all."""
        async with self.database.write() as db:
            client = await register_client(db, NewClient("one", "1" * 40, "aggregator"), NOW)
            for number in range(TOGETHER):
                place = await add_connection(db, NewConnection(f"NMI{number}"), NOW)
                device = await add_device(db, NewDevice(f"{number + 2:040X}", client, f"NMI{number}"), NOW)
                mirror = NewMirror(
                    poster=Poster(client, PERIOD_S), end_device_id=device, mrid=f"{number:032X}", description="",
                    version=None, role_flags=3, service_kind=0, status=1, series=[SERIES],
                )  # fmt: skip
                self.devices.append(device)
                self.mirrors.append((await put_mirror(db, mirror, NOW))[0])
                group = await groups.of_connection(db, place)
                assert group is not None
                new = NewControl(start=NOW + 600, duration=PERIOD_S, limits=Limits(export_w=number))
                await issue_controls(db, group.id, [new], NOW)
                self.mrids.append((await controls.not_over(db, group.id, NOW))[0].mrid)

    async def status(self, db: Connection, one: int, turn: int) -> object:
        """A DERStatus that differs from the one before."""
        return await put_der_document(db, self.devices[one], "DERStatus", b"%d" % turn, now=NOW + turn, alarm_status=0)

    async def reading(self, db: Connection, one: int, turn: int) -> object:
        """A reading of its own."""
        said = NewReading(span=Span(NOW + turn * PERIOD_S, PERIOD_S), value=turn)
        series = NewSeries(mrid=SERIES.mrid, reading=said)
        now = NOW + (turn + 1) * PERIOD_S
        return await put_series(db, Poster(1, PERIOD_S), self.mirrors[one], [series], now=now)

    async def response(self, db: Connection, one: int, turn: int) -> object:
        """An answer to its control."""
        return await answer(db, self.devices[one], mrid=self.mrids[one], status=1, created=NOW + turn, now=NOW)


@pytest.fixture
async def utility(postgres_url):
    database = await open_database(postgres_url)
    assert isinstance(database, PostgresDatabase)
    informed = asyncio.create_task(database.stay_informed())
    while not database.knows_all():  # noqa: ASYNC110 - it hears of itself by time
        await asyncio.sleep(0.01)
    made = Utility(database)
    await made.fill()
    yield made
    informed.cancel()
    await database.close()


@pytest.mark.parametrize(
    ("name", "for_all"),
    [("status", 3), ("reading", 2), ("response", 0)],
    ids=lambda said: said if isinstance(said, str) else "",
)
async def test_each_piece_takes_one_trip_and_all_of_them_a_few(utility, name, for_all):
    """for_all: trips that the whole group takes beside BEGIN and COMMIT."""
    piece: Piece = getattr(utility, name)
    asked: list[str] = []

    async def together(turn: int) -> None:
        async def work(db: Connection, one: int) -> object:
            return await piece(db, one, turn)

        def of(one: int) -> Callable[[Connection], Awaitable[object]]:
            return lambda db: work(db, one)

        await asyncio.gather(*(utility.database.write_together(of(one)) for one in range(TOGETHER)))

    for turn in range(4):  # statements are compiled with their second run, and devices are remembered
        await together(turn)
    async with utility.database._sharing.one() as lent:
        lent.driver.add_query_logger(lambda query: asked.append(query.query))
    await together(4)
    assert len(asked) == AROUND + TOGETHER + for_all, asked
