"""Distribution factors that aggregators have declared, taken in as a sheet."""

from sep2.admin.market.common import profiles_of
from sep2.admin.types import market_register as t
from sep2.errors import NotFound
from sep2.operations.market import aggregations, entries
from sep2.partner.common import written
from sep2.rest.route import Request
from sep2.rules.market.factor_sheets import Declaration, read_sheet
from sep2.rules.market.faults import Fault, Unfit, refuse
from sep2.store.market.facts import AsOf

MOST_NAMES = 20


async def import_factors(rq: Request, asked: t.NewFactors) -> t.FactorsDeclared:
    """The factors of a sheet declared: all of them, or none and everything that is wrong, by line and field."""
    declared = read_sheet(asked.sheet.columns, asked.sheet.rows)
    faults: list[Fault] = []
    for one in sorted(declared, key=lambda one: (one.valid_from is not None, one.valid_from or 0)):
        faults += await _declare(rq, one, asked.valid_from)
    refuse(faults)
    names = list(dict.fromkeys(one.aggregation for one in declared))
    return t.FactorsDeclared(declared=len(names), names=names[:MOST_NAMES])


async def _declare(rq: Request, one: Declaration, start: int | None) -> list[Fault]:
    new = written(rq, start if one.valid_from is None else one.valid_from)
    try:
        row = await entries.find(rq.db, "aggregation", one.aggregation, AsOf(new.start))
        said = {"declared_factors_ppm": one.ppm}
        await aggregations.set_aggregation(rq.db, row, said, own=profiles_of(rq), written=new)
    except NotFound:
        bound = "an aggregation of the register (`sep2 aggregation list`)"
        return [Fault(f"line {one.line}: aggregation", "unknown_aggregation", one.aggregation[:80], bound)]
    except Unfit as wrong:
        return [fault._replace(path=f"line {one.line}: {fault.path}") for fault in wrong.faults]
    return []
