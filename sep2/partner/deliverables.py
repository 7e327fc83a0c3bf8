"""What members of an aggregation can do together, for operators and for the aggregator itself."""

import asyncio
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.market import deliverables
from sep2.operations.market.deliverables import Known, grid
from sep2.partner import deliverable_types as t
from sep2.rest.route import Request
from sep2.rules.market.deliverables import NOBODY, Deliverable, RunSteps, merged
from sep2.rules.market.deliverables import deliverables as summed
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.told_times import told
from sep2.store.market import published
from sep2.store.market.series import unpacked

LONGEST_S = 2 * 86_400
USUAL_STEP_S = 1800


class _Span(NamedTuple):
    start: int
    end: int
    step_s: int


async def answer(rq: Request, aggregation: Row[Any], asked: t.DeliverableQuery) -> t.Deliverables:
    """What the aggregation's members can do at each node, in each step."""
    span = await _span(rq, asked)
    known = await deliverables.look(rq.db, aggregation.id, span[:2], rq.now, at=asked.known_at, with_overrides=True)
    nodes = await asyncio.to_thread(_nodes, known, asked.level, span)
    why = ""
    if not nodes:
        why = await _why_none(rq, aggregation, known, asked, span=span)
        nodes = [_nobody(span)] if asked.level == deliverables.ALL else []
    return t.Deliverables(
        aggregation=aggregation.name,
        level=asked.level,
        start=span.start,
        end=span.end,
        step_s=span.step_s,
        run_ids=known.run_ids,
        nodes=nodes,
        details={cause: text for cause, text in known.details.items() if cause},
        none_because=why,
    )


async def _why_none(rq: Request, row: Row[Any], known: Known, asked: t.DeliverableQuery, *, span: _Span) -> str:
    if known.members:
        return f"{row.name}: no member is at a node of the level {asked.level}"
    return await deliverables.why_nobody(rq.db, row, span[:2], asked.known_at)


def _nobody(span: _Span) -> t.NodeDeliverable:
    nothing = _shown(Deliverable(deliverables.ALL, span.start, span.end, 0, 0, cause=NOBODY))
    return t.NodeDeliverable(node=deliverables.ALL, members=0, spans=[nothing])


async def _span(rq: Request, asked: t.DeliverableQuery) -> _Span:
    runs = [
        RunSteps(row.run_id, row.step_s, unpacked(row.starts, list[int]), ())
        for row in await published.runs(rq.db, asked.known_at)
    ]
    step_s = asked.step_s or (runs[0].step_s if runs else USUAL_STEP_S)
    start = -(-rq.now // step_s) * step_s if asked.start is None else asked.start
    last = deliverables.last_end(runs) or start + LONGEST_S
    end = min(max(last, start + step_s), start + LONGEST_S) if asked.end is None else asked.end
    if end <= start:
        refuse([Fault("end", "ends_before_start", told(end), f"after {told(start)}")])
    if (end - start) // step_s > t.MOST_STEPS:
        latest = told(start + t.MOST_STEPS * step_s)
        refuse([Fault("end", "too_long", told(end), f"at most {t.MOST_STEPS} steps, until {latest}")])
    return _Span(start, end, step_s)


def _nodes(known: Known, level: str, span: _Span) -> list[t.NodeDeliverable]:
    spans = grid(*span)
    return [
        t.NodeDeliverable(
            node=node,
            members=len({share.der for share in shares}),
            spans=[_shown(one) for one in merged(summed(node, shares, spans))],
        )
        for node, shares in sorted(known.shares(level).items())
    ]


def _shown(one: Deliverable) -> t.DeliverableSpan:
    known = not one.cause
    return t.DeliverableSpan(
        start=one.start,
        end=one.end,
        min_w=int(one.min_w) if known else None,
        max_w=int(one.max_w) if known else None,
        firm_min_w=int(one.firm_min_w) if known else None,
        firm_max_w=int(one.firm_max_w) if known else None,
        envelope_min_w=int(one.envelope_min_w) if known else None,
        envelope_max_w=int(one.envelope_max_w) if known else None,
        binding_min=one.binding_min,
        binding_max=one.binding_max,
        cause=one.cause,
    )
