"""What an engine publishes, kept for the market: limits and reach where component DERs are."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from sep2.rules.market.deliverables import Side
from sep2.store.connection import Connection
from sep2.store.market import published as stored
from sep2.store.market.series import packed

KEPT_S = 8 * 86_400
"""Limits of a run are kept so long after another one was published; verdicts keep their own numbers for good."""
LEFT_OUT = "left_out"


class Run(NamedTuple):
    """A published run of a feeder; positions of what binds refer to `names`."""

    feeder: str
    run_id: str
    guarantee: str
    step_s: int
    starts: Sequence[int]
    names: Sequence[str]
    connections: Collection[str]
    left_out: Collection[str]
    """connections for which an assumption of it does not hold"""
    limits_of: Callable[[str], tuple[Side, Side]]
    """generation and load of one of its connections"""


async def record(db: Connection, run: Run, now: int) -> set[str]:
    """Keep the limits of the run that is published now; return the connections of it at which component DERs are."""
    wanted = await stored.connections_of_ders(db, now) & set(run.connections)
    causes = {name: LEFT_OUT if name in run.left_out else "" for name in sorted(wanted)}
    known = await stored.current(db, run.feeder)
    is_same = known is not None and (known.run_id, known.start) == (run.run_id, run.starts[0])
    if known is not None and is_same and await stored.causes(db, known.id) == causes:
        return wanted
    if not causes:
        await stored.supersede(db, run.feeder, now)
        return wanted
    said = {
        "feeder": run.feeder,
        "run_id": run.run_id,
        "guarantee": run.guarantee,
        "step_s": run.step_s,
        "start": run.starts[0],
        "end": run.starts[-1] + run.step_s,
        "starts": packed(list(run.starts)),
        "names": packed(list(run.names)),
        "recorded_at": now,
    }
    await stored.add(db, said, [_limit(run, name, cause) for name, cause in causes.items()])
    await stored.forget(db, run.feeder, now - KEPT_S)
    return wanted


def _limit(run: Run, name: str, cause: str) -> dict[str, object]:
    gen, load = run.limits_of(name)
    body = packed([[side.limit_w, side.reach_w, side.binding] for side in (gen, load)])
    firm = {"firm_gen_w": gen.firm_w, "firm_load_w": load.firm_w}
    return {"connection_name": name, "cause": cause, "body": body, **firm}


async def withdraw(db: Connection, feeder: str, now: int) -> None:
    """No run of the feeder is published any more: static limits hold."""
    await stored.supersede(db, feeder, now)
