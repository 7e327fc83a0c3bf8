"""The engine under an operator's hand: the contract's limits, what stands, and what is left of a horizon."""

from dataclasses import replace

import numpy as np

from envelope import OperatingLimits, calculate
from envelope.operation import limits_in_force
from envelope.operation.mode import Mode, OperatingState
from envelope.problem import BoxMargin, GroupLimit, HeadVoltageMargin, ScenarioMargin
from envelope.problem.step_ranges import from_step
from tests.envelope.cases import START, STEP_S
from tests.envelope.rounds import alarms_of, limits_at, planned

DAY_S = 86_400


async def test_contract_limits_are_topped_up_for_as_long_as_they_are_wanted(at_hand, told):
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    told.operating = OperatingState(Mode.CONTRACT)
    for now in (START + 60, START + DAY_S, START + 3 * DAY_S):
        await rounds.run_once(now)
        _, export = await limits_at(at_hand, "c1", now, now + DAY_S)
        assert export == 1500
    assert "envelope_invalid" not in await alarms_of(at_hand)


async def test_hold_tops_up_what_stands_and_calculates_nothing(registered, told):
    rounds = told.cycle(registered)
    first = await rounds.run_once(START)
    told.operating = OperatingState(Mode.HOLD)
    told.problem = replace(told.problem, base_load_w=told.problem.base_load_w + 300.0)
    out = await rounds.run_once(START + STEP_S)
    assert (out.schedule.run_id, out.published.created) == (first.schedule.run_id, 0)
    # After a restart the run is not at hand, and another plan is not it.
    out = await told.cycle(registered).run_once(START + 2 * STEP_S)
    assert (out.schedule, out.failure) == (None, "")
    assert await limits_at(registered, "c1", START + 2 * STEP_S) == planned(first, "c1", 2)
    told.problem = first_problem = replace(told.problem, base_load_w=told.problem.base_load_w - 300.0)
    rounds = told.cycle(registered)
    out = await rounds.run_once(START + 3 * STEP_S)
    assert rounds.problem is first_problem
    assert out.failure == ""


async def test_hold_keeps_a_contract_that_took_the_envelopes_place(at_hand, told):
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    for mode in (Mode.CONTRACT, Mode.HOLD):
        told.operating = OperatingState(mode)
        await rounds.run_once(START + STEP_S)
        assert (await limits_at(at_hand, "c1", START + STEP_S))[1] == 1500


async def test_a_plan_that_is_the_same_in_hold_goes_on_after_a_restart(at_hand, told):
    first = await told.cycle(at_hand).run_once(START)
    told.operating = OperatingState(Mode.HOLD)
    out = await told.cycle(at_hand).run_once(START + STEP_S)
    assert out.schedule.run_id == first.schedule.run_id
    assert out.published.created == 0


async def test_who_has_not_heard_of_new_limits_goes_on_to_the_next_old_ones(registered, told):
    base = told.problem.base_load_w.copy()
    base[1:] *= 0.2
    told.problem = replace(told.problem, base_load_w=base, early="adoption")
    out = await told.cycle(registered).run_once(START)
    now = START + STEP_S - 100
    async with registered.read() as db:
        alone, _ = await limits_in_force.in_force(db, ("c1", "c2", "c3"), now)
        until, _ = await limits_in_force.in_force(db, ("c1", "c2", "c3"), now, adoption_s=300)
        rest = await limits_in_force.with_limits_in_force(db, told.problem, now)
    assert np.all(until >= alone)
    assert until.tolist() == np.maximum(alone, out.schedule.import_limit_w[1]).tolist()
    assert (rest.in_force_until, rest.in_force_steps) == (now + 300, 2)


def test_the_rest_of_a_horizon_keeps_every_field_in_step(problem):
    steps, count = 8, 3
    table = np.arange(24.0).reshape(steps, count)
    rich = replace(
        problem,
        base_sigma_w=table,
        source_v=np.tile(problem.reduced.network.source.v, (steps, 1)),
        limits=OperatingLimits(rating_factor=np.linspace(0.9, 1.0, steps)),
        margins=(
            HeadVoltageMargin(np.full(steps, 0.999), np.full(steps, 1.001)),
            BoxMargin(np.ones(count)),
            ScenarioMargin(np.stack([problem.base_load_w, problem.base_load_w + 1.0]), problem.base_load_w),
        ),
        groups=(GroupLimit("all", problem.connection_id, 9e4, 9e4, np.linspace(0.5, 1.0, steps)),),
        firm_import_w=np.ones(count),
    )
    rest = from_step(rich, 3)
    assert rest.steps == 5
    assert np.array_equal(rest.base_sigma_w, table[3:])
    assert rest.margins[2].load_w.shape == (2, 5, 3)
    assert rest.groups[0].part.tolist() == rich.groups[0].part[3:].tolist()
    assert rest.reduced is rich.reduced
    assert calculate(rest).import_limit_w.shape == (5, 3)
