"""Accepted plans narrow what members are counted with, as far as they are believed, and nobody else loses by it."""

import numpy as np
import pytest

from envelope.engine import calculate
from envelope.operation.plan_bands import with_plans
from envelope.operation.verified_run import VerifiedRun, calculated, with_report
from envelope.problem import Allocation, Guarantee, divided
from envelope.study.study import Study, problem_of
from envelope.verification import Effort, verify
from gridmodel import read_feeder
from sep2.operations.market.bands import Counted, stored_bands
from sep2.operations.market.ignored_limits import Settled, judge
from sep2.operations.market.plans import PlanBody
from sep2.rules.market.bands import Band, Member, MemberBand
from sep2.rules.market.deliverables import Rating
from sep2.rules.market.ignoring import LimitedInterval
from sep2.rules.market.profiles import read_profile
from sep2.store.market import bands, plans
from sep2.store.market.series import packed
from tests.envelope.cases import START, STEP_S, street
from tests.envelope.test_market_limits import add_market, known_of
from tests.gridmodel.town import write_town

STEPS = 8
GEN, LOAD = Rating(10_000, 10_000, 10_000), Rating(14_000, 14_000, 14_000)


def run_of(problem):
    schedule = calculate(problem)
    return VerifiedRun(problem, schedule, verify(problem, schedule, effort=Effort()))


def member(name, low_w, high_w, credit, *, waives=False, steps=range(STEPS)):
    """A member whose plan is the same in these steps."""
    bands = [Band(low_w, high_w) if n in steps else None for n in range(STEPS)]
    starts = [START + n * STEP_S for n in range(STEPS)]
    said = MemberBand(1, starts, STEP_S, bands, waives)
    return Counted(1, 1, Member(f"DER {name}", name, GEN, LOAD, 1_000_000, [said], credit))


DECLARED = {"declared_share": 0.6, "declared_by": "A. N. Engineer"}
KINDS = [
    (Guarantee.TWO_SIDED, Allocation.MAX_MIN, {}),
    (Guarantee.ONE_SIDED, Allocation.PROPORTIONAL_FAIR, {}),
    (Guarantee.COINCIDENT, Allocation.EQUAL, {}),
    (Guarantee.COINCIDENT, Allocation.PROPORTIONAL, {}),
    (Guarantee.DECLARED_BAND, Allocation.MAX_MIN, DECLARED),
]


@pytest.mark.parametrize(("guarantee", "allocation", "more"), KINDS)
def test_what_a_plan_leaves_goes_to_others_and_nobody_gets_less(guarantee, allocation, more):
    before = run_of(street(8, STEPS, 4, guarantee=guarantee, allocation=allocation, **more))
    names = before.problem.connection_id
    found, why_not = with_plans(before, [member(names[0], -500, 700, 1.0), member(names[1], -500, 700, 1.0)])
    assert found.without_plans is before, why_not
    assert found.report.inside
    limits = [(run.schedule.import_limit_w, run.schedule.export_limit_w) for run in (before, found)]
    for first, second in zip(*limits, strict=True):
        assert (second[:, 2:] >= first[:, 2:]).all()
        assert second[:, 2:].sum() > first[:, 2:].sum(), "nothing was left to others: the case proves nothing"
    # A band that is believed comes back as the limit of what is flexible; no limit keeps a home from its own load.
    assert (found.schedule.export_limit_w[:, :2] <= 700).all()
    assert (found.schedule.load_limit_w[:, :2] <= 500 + before.problem.base_load_w[:, :2].max()).all()
    if guarantee is not Guarantee.DECLARED_BAND:
        # There limits of the step before count too, while they may still be held, beside another base load.
        load_w = before.problem.base_load_w[:, :2]
        assert (found.schedule.gen_limit_w[:, :2] <= np.maximum(700, load_w)).all()
        assert (found.schedule.load_limit_w[:, :2] <= 500).all()


def test_a_plan_that_is_not_believed_changes_nothing(problem):
    before = run_of(problem)
    assert with_plans(before, [member(problem.connection_id[0], 0, 0, 0.0)]) == (before, "")


def test_half_a_credit_counts_half_of_what_is_left_free_and_only_where_a_band_is(problem):
    before = run_of(problem)
    name = problem.connection_id[0]
    found, _ = with_plans(before, [member(name, -14_000, 4000, 0.5, steps=(2, 3))])
    # Half of the 6 kW above the band is not counted.
    taken = np.zeros(STEPS)
    taken[2:4] = 3000.0
    assert np.array_equal(found.problem.flex_gen_w[:, 0], problem.flex_gen_w[:, 0] - taken)
    assert np.array_equal(found.problem.flex_load_w, problem.flex_load_w)
    assert np.array_equal(found.problem.flex_gen_w[:, 1:], problem.flex_gen_w[:, 1:])


def test_a_contract_minimum_gives_way_only_where_its_customer_agreed():
    firm = np.array([2000.0, 0.0, 0.0])
    before = run_of(street(3, STEPS, firm_export_w=firm))
    name = before.problem.connection_id[0]
    insisted, _ = with_plans(before, [member(name, -14_000, 500, 1.0)])
    assert (insisted.schedule.export_limit_w[:, 0] >= 2000).all()
    waived, _ = with_plans(before, [member(name, -14_000, 500, 1.0, waives=True)])
    assert (waived.schedule.gen_limit_w[:, 0] <= np.maximum(500, before.problem.base_load_w[:, 0])).all()


def test_what_was_published_with_plans_can_be_calculated_again_from_its_problem(problem):
    found, _ = with_plans(run_of(problem), [member(problem.connection_id[0], 0, 100, 1.0)])
    again = calculated(found.counted)
    assert np.array_equal(again.export_limit_w, found.schedule.export_limit_w)
    assert again.run_id == found.schedule.run_id != calculate(problem).run_id


def test_what_a_declared_band_counts_of_the_sun_is_not_less_for_a_plan():
    """Under a part of the sun a member still feeds what its band leaves it, not that part of it."""
    before = run_of(street(6, STEPS, 4, guarantee=Guarantee.DECLARED_BAND, **DECLARED))
    found, _ = with_plans(before, [member(before.problem.connection_id[0], -500, 700, 1.0)])
    assert np.array_equal(found.problem.flex_gen_w, before.problem.flex_gen_w)
    assert (found.problem.ceiling_export_w[:, 0] <= 700).all()
    assert np.isinf(found.problem.ceiling_export_w[:, 1:]).all()


def test_where_members_relieve_others_that_stand_at_one_level_limits_without_plans_stand_and_it_is_said():
    """Without what the members draw, the level of the others does not fit; no limit for any combination needs it."""
    for guarantee, is_counted in ((Guarantee.COINCIDENT, False), (Guarantee.TWO_SIDED, True)):
        before = run_of(street(5, 4, 2, guarantee=guarantee, allocation=Allocation.EQUAL))
        found, why_not = with_plans(before, [member(before.problem.connection_id[0], -500, 700, 1.0)])
        assert (found is not before, not why_not) == (is_counted, is_counted)
    found, why_not = with_plans(
        run_of(street(5, 4, 2, guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL)), []
    )
    assert not why_not


def test_what_can_not_be_limited_is_counted_in_full_whatever_its_plan_says():
    free = np.array([False, True, True])
    before = run_of(street(3, STEPS, controls_export=free, flex_gen_w=np.full((STEPS, 3), 2000.0)))
    found, _ = with_plans(before, [member(before.problem.connection_id[0], -500, 700, 1.0)])
    assert np.array_equal(found.problem.flex_gen_w, before.problem.flex_gen_w)
    assert (found.problem.flex_load_w[:, 0] <= 500).all()


def test_on_a_network_in_parts_what_a_plan_leaves_goes_to_others_in_all_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(divided, "MOST_PORTS", 5)
    feeder = read_feeder(write_town(tmp_path, 3, 2, 4))
    study = Study(steps=2, export_w=40_000.0, import_w=40_000.0, sun=False)
    problem = problem_of(feeder, study, divided.reduced_of(feeder.network))
    schedule, report, factor = with_report(problem, None)
    names, starts = problem.connection_id, problem.step_start.tolist()
    rating = Rating(40_000, 40_000, 40_000)
    planned = [
        Counted(
            1, 1, Member(name, name, rating, rating, 1_000_000, [MemberBand(1, starts, problem.step_s, bands)], 1.0)
        )
        for name, bands in ((names[0], [Band(-500, 700)] * 2), (names[1], [Band(-500, 700)] * 2))
    ]
    found, why_not = with_plans(VerifiedRun(problem, schedule, report, factor=factor), planned)
    assert found.without_plans is not None, why_not
    assert found.report.inside
    for first, second in (
        (schedule.import_limit_w, found.schedule.import_limit_w),
        (schedule.export_limit_w, found.schedule.export_limit_w),
    ):
        assert (second[:, 2:] >= first[:, 2:]).all()
        assert second[:, 2:].sum() > first[:, 2:].sum()
    assert (found.schedule.gen_limit_w[:, :2] <= np.maximum(700, problem.base_load_w[:, :2])).all()


async def accept(database, number, high_w):
    """A plan of the aggregation whose verdict is ok: from 0 to that much in all, from the second step on."""
    starts = [START + n * STEP_S for n in range(1, STEPS)]
    body = PlanBody(nodes=["N17"], starts=[starts], low_w=[[0.0] * 7], plan_w=[[high_w] * 7], high_w=[[high_w] * 7])
    async with database.write() as db:
        plan = await plans.add_plan(db, number, "day", START)
        version = await plans.add_version(
            db, plan, START, is_late=False, basis="bid", service="energy", day="", start=starts[0],
            end=starts[-1] + STEP_S, step_s=STEP_S, waive_firm=False, source="operator", profile="custom",
            profile_sha256="0" * 64, verdict_due=START + 60, body=packed(body), recorded_by="test",
        )  # fmt: skip
        await plans.add_verdict(
            db, version, START, state="ok", cause="", detail="", run_ids="[]", inputs_sha256="", server_version="1",
            took_ms=0, body=b"", is_too_late=False,
        )  # fmt: skip


async def believe(database, number, credit):
    async with database.write() as db:
        der_ids = [one.der_id for one in (await known_of(database, number, START)).members]
        fixed = {"aggregation_id": number, "day": START - 86_400, "version": 1, "tested": 200, "kept": 200}
        more = {"worst_ppm": 0, "credit_ppm": int(credit * 1e6), "target_ppm": 1_000_000, "until": START + 86_400}
        await bands.add_credits(db, [{**fixed, **more, "component_der_id": one} for one in der_ids], [], START)


async def test_rounds_count_accepted_plans_and_keep_what_they_left_members(registered, problem, told):
    names = problem.connection_id[:2]
    number = await add_market(registered, names)
    cycle = told.cycle(registered)
    before = (await cycle.run_once(START)).schedule
    await accept(registered, number, 1000.0)
    same = await cycle.run_once(START + 60)
    assert same.schedule.run_id == before.run_id, "a plan counts that nothing is known of"
    async with registered.read() as db:
        kept = [stored_bands(row) for row in await bands.during(db, number, START, START + 2 * STEP_S)]
    # What is left to members is kept for judging, believed or not: 1 kW split by what each could do.
    step = START + STEP_S, START + 2 * STEP_S
    assert sum(one.over(*step).high_w for one in kept) == pytest.approx(1000.0)
    assert all(one.over(START, START + STEP_S) is None for one in kept)
    await believe(registered, number, 1.0)
    after = (await cycle.run_once(START + 120)).schedule
    assert after.run_id != before.run_id
    # The DERs are 9 of the 10 kW at their connections; what else can feed there is no part of the plan.
    assert (after.gen_limit_w[1:, :2].sum(axis=1) <= 1000 + 2 * 1000).all()
    assert (before.gen_limit_w[1:, :2].sum(axis=1) > 1000 + 2 * 1000).all()
    assert (after.export_limit_w[:, 2] >= before.export_limit_w[:, 2]).all()
    assert (await cycle.run_once(START + 180)).schedule is after
    # The reach that is told to the market stays what it is without plans, so that a larger plan can be accepted.
    known = await known_of(registered, number, START + 180)
    assert {one.share.published.gen.reach_w[2] for one in known.members} == {10_000}
    # A member that ignores its limits counts as if it had none; its plan takes nothing from what it can do.
    await ignore(registered, number, "export")
    last = await cycle.run_once(START + 240)
    assert last.schedule is not None
    problem = cycle.verified.as_calculated
    assert problem.controlled("export").tolist() == [False, *[True] * (len(problem.connection_id) - 1)]
    assert problem.controlled("import").all()
    assert np.array_equal(problem.flex_gen_w[:, 0], cycle.verified.unplanned.as_calculated.flex_gen_w[:, 0])
    assert any(f"ignore their limits count as if they could not be limited: {names[0]}" in one for one in
               cycle.round_state.notes)  # fmt: skip
    assert (last.schedule.export_limit_w[:, 2:] <= after.export_limit_w[:, 2:]).all()


async def ignore(database, number, direction):
    """The aggregation's first member was far beyond its limit yesterday."""
    settled = Settled({(1, direction): [LimitedInterval(START - 86_400, 0.5)]}, START)
    async with database.write() as db:
        await judge(db, number, settled, read_profile("custom").credit, now=START + 200)
