"""Plans, for operators and for aggregators themselves: handed in, listed and shown with their verdicts."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.operations.market import plans, verdicts
from sep2.operations.market.plans import NewPlan
from sep2.operations.market.verdicts import VerdictBody
from sep2.partner import plan_types as t
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed
from sep2.rules.market.credit import DAY_S
from sep2.rules.market.deliverables import deliverables as summed
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.plan_forms import read_csv, series_of
from sep2.rules.market.plans import MOST_VALUES, Series, Verdict
from sep2.rules.market.shares import WHOLE_PPM
from sep2.store.connection import Connection
from sep2.store.market import bands
from sep2.store.market import plans as stored
from sep2.store.market.plans import Which
from sep2.store.market.series import unpacked

CHECKING = "checking"
MOST_DAYS = 62


async def submit(rq: Request, aggregation: Row[Any], asked: t.PlanSaid, source: str) -> t.Plan:
    """The new version of a plan, whose verdict follows."""
    series, wrong = _read(asked)
    new = NewPlan(
        basis=asked.basis,
        service=asked.service,
        step_s=asked.step_s,
        series=series,
        wrong=wrong,
        name=asked.name or "",
        day=asked.day,
        waive_firm=asked.waive_firm,
        source=source,
    )
    own = rq.state.settings.market.profiles
    number, version = await plans.submit(rq.db, aggregation, new, own=own, written=written(rq))
    rq.after.append(rq.state.plan_verdicts.wake)
    rows = await stored.versions(rq.db, number)
    return _plan(next(row for row in rows if row.id == version))


def _read(asked: t.PlanSaid) -> tuple[list[Series], list[Fault]]:
    if bool(asked.csv) == bool(asked.nodes):
        refuse([Fault("nodes", "empty" if not asked.csv else "two_forms", "", "either nodes, or csv")])
    if (many := sum(len(one.steps) for one in asked.nodes)) > MOST_VALUES:
        refuse([Fault("nodes", "too_many_values", str(many), f"at most {MOST_VALUES}")])
    return read_csv(asked.csv) if asked.csv else series_of(asked.nodes)


async def list_plans(rq: Request, asked: t.PlanQuery, which: Which) -> Listed[t.Plan]:
    """Plans, the latest first; which: whose."""
    found = await stored.listed(rq.db, which._replace(start=asked.start, end=asked.end, every=asked.every), page(asked))
    return listed(found, [_plan(row) for row in found.rows])


async def show(rq: Request, number: int, version: int | None) -> t.PlanShown:
    """One version of a plan: that of the number, else the one that stands, else the last."""
    rows = await stored.versions(rq.db, number)
    chosen = [row for row in rows if (_stands(row) if version is None else row.version == version)]
    if version is not None and not chosen:
        raise plans.UnknownPlan(f"{number} version {version}")
    return await _shown(rq, (chosen or rows)[-1], rows)


async def envelopes(db: Connection, number: int, version: int, node: str, *, now: int) -> list[tuple[int, int] | None]:
    """What published limits alone let the members at a node do in each step of a plan, W; None: not known."""
    row = next(one for one in await stored.versions(db, number) if one.version == version)
    known = await verdicts.look(db, row, now)
    members = plans.members_at([node], known.members)[node]
    series = next(one for one in await plans.body_of(db, row.id) if one.node == node)
    spans = [(start, start + row.step_s) for start in series.starts]
    found = await asyncio.to_thread(summed, node, [one.share for one in members], spans)
    return [None if one.cause else (int(one.envelope_min_w), int(one.envelope_max_w)) for one in found]


async def _shown(rq: Request, row: Row[Any], versions: Sequence[Row[Any]]) -> t.PlanShown:
    series = await plans.body_of(rq.db, row.id)
    found: Mapping[tuple[str, int], Verdict] = {}
    if row.verdict_id is not None:
        found = unpacked(await stored.verdict_body(rq.db, row.verdict_id), VerdictBody).steps()
    return t.PlanShown(
        **_said(row),
        waive_firm=bool(row.waive_firm),
        profile=row.profile,
        nodes=[t.PlanNodeShown(node=one.node, steps=_steps(one, found)) for one in series],
        verdicts=[_verdict(one) for one in await stored.verdicts(rq.db, row.id)],
        versions=[_plan(one) for one in versions],
    )


def _steps(series: Series, found: Mapping[tuple[str, int], Verdict]) -> list[t.PlanStep]:
    columns = series.starts, series.low_w, series.plan_w, series.high_w
    return [
        _step(start, (low, plan, high), found.get((series.node, start)))
        for start, low, plan, high in zip(*columns, strict=True)
    ]


def _step(start: int, band: tuple[float, float, float], found: Verdict | None) -> t.PlanStep:
    low, plan, high = band
    return t.PlanStep(
        start=start,
        low_w=low,
        plan_w=plan,
        high_w=high,
        state=CHECKING if found is None else str(found.state),
        min_w=None if found is None or found.min_w is None else int(found.min_w),
        max_w=None if found is None or found.max_w is None else int(found.max_w),
        binding="" if found is None else found.binding,
        cause="" if found is None else found.cause,
    )


def _plan(row: Row[Any]) -> t.Plan:
    return t.Plan(**_said(row))


def _stands(row: Row[Any]) -> bool:
    return row.superseded_at is None and not row.is_late


def _said(row: Row[Any]) -> dict[str, Any]:
    same = ("name", "version", "basis", "service", "day", "start", "end", "step_s", "recorded_at", "source")
    return {
        **{name: getattr(row, name) for name in same},
        "id": row.market_plan_id,
        "aggregation": row.aggregation_name,
        "late": bool(row.is_late),
        "stands": _stands(row),
        "state": row.verdict_state or CHECKING,
        "cause": row.verdict_cause or "",
        "verdict_at": row.verdict_at,
        "verdict_due": row.verdict_due,
    }


def _verdict(row: Row[Any]) -> t.VerdictSaid:
    names = ("state", "cause", "detail", "recorded_at", "superseded_at", "inputs_sha256", "server_version", "took_ms")
    return t.VerdictSaid(
        **{name: getattr(row, name) for name in names},
        run_ids=json.loads(row.run_ids),
        too_late=bool(row.is_too_late),
    )


async def credit(rq: Request, aggregation: Row[Any], asked: t.CreditQuery) -> t.Credit:
    """How members kept the bands of accepted plans, and how far the next ones are believed."""
    if asked.every:
        rows = list(reversed(await bands.days_of(rq.db, aggregation.id, rq.now - MOST_DAYS * DAY_S)))
    else:
        rows = list(await bands.latest_credits(rq.db, [aggregation.id]))
    return t.Credit(aggregation=aggregation.name, days=[_kept_day(row) for row in rows])


def _kept_day(row: Row[Any]) -> t.KeptDay:
    parts = {name: getattr(row, f"{name}_ppm") / WHOLE_PPM for name in ("worst", "credit", "target")}
    same = {name: getattr(row, name) for name in ("day", "tested", "kept", "until")}
    return t.KeptDay(der=row.der_name, **same, **parts)
