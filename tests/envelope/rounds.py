"""Rounds of the engine over a small street, told whatever a test wants them to be told."""

from sqlalchemy import update

from envelope.operation import cycle
from envelope.operation.assumptions import Assumptions, FeederChange
from envelope.operation.measurements import from_mirrors
from envelope.operation.mode import OperatingState
from sep2.operations.mirrors import NewMirror, NewReading, NewSeries, Poster, put_mirror, set_reading_sign
from sep2.rules.metering import ReadingSign, Span
from sep2.store import alarms, connections, controls, defaults
from sep2.store.tables import connection
from tests.envelope.cases import START, STEP_S


class Told:
    """What a round is told of the world; a test changes it."""

    def __init__(self, problem):
        self.problem, self.operating, self.changed, self.found = problem, OperatingState(), "", []

    def snapshot(self, now):
        if self.problem is None:
            raise ValueError("the forecast has gone")
        return self.problem

    async def measurements(self, db, names, since, until):
        return [one for one in self.found if since <= one.start < until]

    def cycle(self, database, *, mirrors=False):
        assumptions = Assumptions(lambda: FeederChange(self.changed), from_mirrors if mirrors else self.measurements)
        return cycle.Cycle(
            database, "street", self.snapshot, operating_state=lambda: self.operating, assumptions=assumptions
        )


async def limits_at(database, name, now, at=None):
    """What the controls of a connection that stand at `now` say for a moment; None where none does."""
    async with database.read() as db:
        group = (await connections.by_name(db, name)).device_group_id
        rows = [row for row in await controls.standing(db, group, now) if row.successor_created is None]
    moment = now if at is None else at
    return next(((r.import_limit_w, r.export_limit_w) for r in rows if r.start <= moment < r.latest_end), None)


async def default_of(database, name):
    async with database.read() as db:
        row = await defaults.of_group(db, (await connections.by_name(db, name)).device_group_id)
    return row.import_limit_w, row.export_limit_w


async def alarms_of(database):
    async with database.read() as db:
        return {row.code: row.detail for row in await alarms.standing(db)}


def planned(outcome, name, step):
    schedule = outcome.schedule
    column = schedule.connection_id.index(name)
    at = step - int(schedule.step_start[0] - START) // STEP_S
    return int(schedule.import_limit_w[at, column]), int(schedule.export_limit_w[at, column])


async def add_contract(db, name, watts):
    """As an import of the utility's register would write it."""
    await db.run(
        update(connection).where(connection.c.connection_id == name).values(firm_import_w=watts, firm_export_w=watts)
    )


async def mirrored(database, *series, role=0x03, mrid="A1" * 16, start=START, sign=ReadingSign.AS_POSTED, lasts_s=300):
    """A device, whose sign was proven, has posted means (unit, direction, value) of five minutes, or of `lasts_s`."""
    async with database.write() as db:
        new = [
            NewSeries(mrid=f"{mrid[:28]}{k:04}", reading_type=b"", uom=uom, flow_direction=direction, data_qualifier=2,
                      reading=NewReading(span=Span(start, lasts_s), value=v))
            for k, (uom, direction, v) in enumerate(series)
        ]  # fmt: skip
        number, _ = await put_mirror(
            db,
            NewMirror(
                poster=Poster(1, 300), end_device_id=2, mrid=mrid, description="", version=None, role_flags=role,
                service_kind=0, status=1, series=new,
            ),
            start + lasts_s,
        )  # fmt: skip
        await set_reading_sign(db, number, sign)
