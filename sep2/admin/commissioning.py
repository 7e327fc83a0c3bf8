"""Commissioning of connections: opened, tested by a short control, proven, passed."""

from sqlalchemy import Row

from sep2.admin import find
from sep2.admin import types as t
from sep2.admin.overrides import local_of, terms_of
from sep2.operations import commissioning, overrides
from sep2.rest.route import Request, listed, page
from sep2.rules.limits import Limits
from sep2.store import commissioning as stored


async def list_commissionings(rq: Request, asked: t.CommissioningQuery) -> t.Listed[t.CommissioningShown]:
    """Connections that are being commissioned, or all that ever were, with their steps."""
    found = await stored.listed(rq.db, page(asked), every=asked.every)
    return listed(found, [await _shown(rq, row) for row in found.rows])


async def show_commissioning(rq: Request, asked: t.Nothing) -> t.CommissioningShown:
    """The commissioning of one connection, with its steps as they are now."""
    place = await find.connection(rq.db, rq.ids["connection"])
    row = await stored.one(rq.db, place.id)
    if row is None:
        raise commissioning.NotCommissioned(place.connection_id)
    return await _shown(rq, row)


async def open_commissioning(rq: Request, asked: t.NewCommissioning) -> t.CommissioningShown:
    """The connection whose commissioning begins; from now on no flexible limit is published to it."""
    place = await find.connection(rq.db, asked.connection)
    await commissioning.open_one(rq.db, place.id, rq.now, rq.operator)
    return await _again(rq, place.id)


async def send_test(rq: Request, asked: t.CommissioningTest) -> t.CommissioningShown:
    """The connection that is sent a short control; its answers and its meter show whether it keeps it."""
    place = await find.connection(rq.db, rq.ids["connection"])
    await commissioning.going_on(rq.db, place.id)
    limits = asked.limits
    new = overrides.NewOverride(
        scope="connection",
        subject=place.connection_id,
        subject_id=place.id,
        limits=Limits(limits.import_w, limits.export_w, limits.gen_w, limits.load_w),
        start=rq.now,
        end=rq.now + asked.duration,
        reason="commissioning",
        note="",
        operator=rq.operator,
    )
    sent = await overrides.send(rq.db, new, rq.now, terms_of(rq))
    await commissioning.note_test(rq.db, place.id, sent.id)
    return await _again(rq, place.id)


async def prove_phases(rq: Request, asked: t.Phases) -> t.CommissioningShown:
    """The connection whose phases somebody has proven."""
    place = await find.connection(rq.db, rq.ids["connection"])
    await commissioning.prove_phases(rq.db, place.id, asked.phases, how=asked.how, by=rq.operator)
    return await _again(rq, place.id)


async def pass_commissioning(rq: Request, asked: t.CommissioningPass) -> t.CommissioningShown:
    """The connection that has passed: flexible limits may be published to it from now on."""
    place = await find.connection(rq.db, rq.ids["connection"])
    await commissioning.record_pass(rq.db, place.id, rq.now, by=rq.operator, note=asked.note, local=local_of(rq))
    return await _again(rq, place.id)


async def last_known(rq: Request) -> int:
    """The number of the connection that was added last, for `open_new`."""
    return await stored.last_connection(rq.db)


async def open_new(rq: Request, last: int) -> None:
    """Begin to commission what was added since, where the utility does so with every connection."""
    if rq.state.settings.utility.commissioning == "always":
        await stored.put_new(rq.db, last, rq.now, rq.operator)


async def _again(rq: Request, connection_id: int) -> t.CommissioningShown:
    row = await stored.one(rq.db, connection_id)
    assert row is not None
    return await _shown(rq, row)


async def _shown(rq: Request, row: Row[tuple[object, ...]]) -> t.CommissioningShown:
    steps = await commissioning.steps_of(rq.db, row, local_of(rq))
    names = ("opened", "opened_by", "phases", "phases_how", "phases_by", "passed", "passed_by", "note")
    waiting = () if row.passed is not None else (step.name for step in steps if not step.done)
    return t.CommissioningShown(
        connection=row.name,
        test=row.override_id,
        **{name: getattr(row, name) for name in names},
        steps=[t.CommissioningStep(**step._asdict()) for step in steps],
        next=next(iter(waiting), ""),
    )
