"""Awards and dispatch of system operators: taken in from files and messages, and shown with each member's part."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin.market.common import profiles_of
from sep2.admin.types import market_dispatches as t
from sep2.operations.alarms import set_alarms
from sep2.operations.market import dispatches, entries
from sep2.operations.market.dispatches import House, TakenIn
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.events import shows_at_once
from sep2.rules.market.dispatching import ADAPTERS, OTHERS_TOO, Instruction, instruction_faults
from sep2.rules.market.faults import refuse
from sep2.store.market import dispatches as stored


async def list_dispatches(rq: Request, asked: t.DispatchQuery) -> Listed[t.Dispatch]:
    """Awards and dispatch, the latest first."""
    number = None
    if asked.aggregation is not None:
        number = int((await entries.identity(rq.db, "aggregation", asked.aggregation)).id)
    found = await stored.listed(rq.db, stored.Which(number, asked.start, asked.end, asked.every), page(asked))
    return listed(found, await _dispatches(rq, found.rows))


async def show_dispatch(rq: Request, asked: Nothing) -> t.DispatchShown:
    """One dispatch with each member's part and the limit that holds for it."""
    row = await dispatches.find(rq.db, rq.ids["dispatch"])
    parts = await stored.shares(rq.db, [row.id])
    return t.DispatchShown(**_said(row, parts), parts=[_part(one) for one in parts])


async def add_dispatches(rq: Request, asked: t.NewDispatches) -> t.DispatchesTaken:
    """Copies of these instructions, spread over members and compared with their limits; all of them or none."""
    faults = [
        fault._replace(path=f"dispatches[{n}].{fault.path}")
        for n, one in enumerate(asked.dispatches)
        for fault in instruction_faults(one)
    ]
    refuse(faults)
    return await _take_in(rq, asked.dispatches, asked.source)


async def import_dispatches(rq: Request, asked: t.DispatchFile) -> t.DispatchesTaken:
    """The same from a file; the same file twice changes nothing."""
    said = ADAPTERS[asked.form](asked.text.encode())
    return await _take_in(rq, said, asked.source, leaves_out_others=asked.form in OTHERS_TOO)


async def _take_in(
    rq: Request, said: Sequence[Instruction], source: str, *, leaves_out_others: bool = False
) -> t.DispatchesTaken:
    house = House(profiles_of(rq), shows_at_once(rq.state.settings.utility.profile))
    found: TakenIn = await dispatches.take_in(
        rq.db, said, source, house, written=written(rq), leaves_out_others=leaves_out_others
    )
    for code, wanted in (await dispatches.alarms(rq.db, rq.now)).items():
        await set_alarms(rq.db, code, wanted, rq.now)
    rows = [await dispatches.find(rq.db, str(number)) for number in found.numbers]
    return t.DispatchesTaken(added=await _dispatches(rq, rows), known=found.known)


async def _dispatches(rq: Request, rows: Sequence[Row[Any]]) -> list[t.Dispatch]:
    parts = await stored.shares_by_dispatch(rq.db, [row.id for row in rows])
    return [t.Dispatch(**_said(row, parts[row.id])) for row in rows]


def _said(row: Row[Any], parts: Sequence[Row[Any]]) -> dict[str, Any]:
    same = set(t.Dispatch.__struct_fields__) - {"aggregation", "deliverable_w", "beyond_limit", "is_late", "split_by"}
    said = [dispatches.part_of(one) for one in parts]
    return {
        **{name: getattr(row, name) for name in same},
        "aggregation": row.aggregation_name,
        "is_late": bool(row.is_late),
        "deliverable_w": dispatches.deliverable_w(said),
        "split_by": dispatches.split_by(said),
        "beyond_limit": sum(bool(one.cause) for one in parts),
    }


def _part(one: Row[Any]) -> t.DispatchPart:
    return t.DispatchPart(**dispatches.part_of(one)._asdict())
