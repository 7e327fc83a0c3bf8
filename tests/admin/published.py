"""A published run for tests of the market, as the engine keeps it: every connection has the same limits."""

from collections.abc import Mapping, Sequence

from sep2.operations.market.published import Run, record, withdraw
from sep2.operations.plans import Round, note_round
from sep2.rules.market.deliverables import Side
from tests.admin.conftest import NOW, Operator

FEEDER, STEP_S = "feeder-A", 1800
NAMES = ("capacity", "over-voltage at node n12")


async def publish(
    operator: Operator,
    limits: Mapping[str, int],
    *,
    run: str = "run-1",
    reach_w: int = 60_000,
    steps: int = 96,
    start: int = NOW - NOW % STEP_S,
    left_out: Sequence[str] = (),
) -> None:
    """Publish limits of generation and load (W) by connection, whatever step it is, over `steps` half-hours."""

    def limits_of(name: str) -> tuple[Side, Side]:
        watts = limits[name]
        binding = [int(watts < reach_w)] * steps
        side = Side([watts] * steps, [reach_w] * steps, binding, 1000)
        return side, side

    starts = [start + STEP_S * k for k in range(steps)]
    made = Run(FEEDER, run, "two-sided", STEP_S, starts, NAMES, set(limits), left_out, limits_of)
    now = operator.house.clock.now()
    async with operator.house.db.write() as db:
        await record(db, made, now)
        await note_round(db, FEEDER, Round(now, "published", STEP_S, starts[-1] + STEP_S, rolls=False, run=run))


async def end_round(operator: Operator, ended: str, why: str = "", late: Sequence[str] = ()) -> None:
    """Have the engine's last round have ended so."""
    now = operator.house.clock.now()
    async with operator.house.db.write() as db:
        if ended == "static":
            await withdraw(db, FEEDER, now)
        until = NOW + 10 * 86_400
        await note_round(db, FEEDER, Round(now, ended, STEP_S, until, rolls=False, why=why, late=tuple(late)))
