"""The declared band: more room than for any combination, kept within its own condition, and off unless declared."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.constraints.formulation import formulate
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, Scenarios, TighteningLead, run_id
from envelope.problem.serialization import from_plain, to_plain
from envelope.schedule import verified_box
from envelope.verification import Effort
from envelope.verification.corner_trials import try_boxes
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.store import open_database
from tests.envelope.cases import START, street
from tests.envelope.rounds import Told

EVERY = Effort(random=5, inside=2, sign=60, greedy=1, contingencies=True)
NAME = "A. Engineer"
BAND = {"guarantee": Guarantee.DECLARED_BAND, "declared_share": 0.8, "declared_by": NAME}


@pytest.fixture(scope="module")
def plain():
    """A street at noon, twice, with solar everywhere, and once in the evening with cars."""
    count = 24
    gen, cars = np.outer([1.0, 1.0, 0.3], np.full(count, 4e3)), np.outer([0.0, 0.0, 1.0], np.full(count, 5e3))
    given = {"adoption_s": 300, "allocation": Allocation.PROPORTIONAL_FAIR, "early": TighteningLead.ADOPTION}
    return street(customers=count, steps=3, seed=2, flex_gen_w=gen, flex_load_w=cars, **given)


@pytest.fixture(scope="module")
def fleets(plain):
    return tuple("north" if k % 4 == 0 else "" for k in range(len(plain.connection_id)))


@pytest.fixture(scope="module")
def found(plain, fleets):
    problem = replace(plain, **BAND, fleets=fleets)
    schedule = calculate(problem)
    return problem, schedule, verify(problem, schedule, effort=EVERY)


def test_it_gives_more_than_any_combination_and_holds_within_its_condition(plain, found):
    problem, schedule, report = found
    assert report.inside, report.sentence()
    assert report.by_corner["home off"]["scenarios"] > 0
    one_sided = calculate(replace(plain, guarantee=Guarantee.ONE_SIDED))
    assert schedule.export_limit_w[:2].sum() > 1.05 * one_sided.export_limit_w[:2].sum()
    assert schedule.guarantee.startswith(f"declared-band(0.8) turned on by {NAME}: holds as long as no home's")
    assert "80 % of what its limit and the sun let it feed" in schedule.guarantee
    assert problem.fleets is not None


def test_what_breaks_it_is_reported_beside_it(found):
    _, _, report = found
    events = {(one.event, bool(one.region)): one for one in report.contingencies}
    assert events["any homes at zero", False].over_v > 0.5
    assert events["any homes at zero", True].over_v < events["any homes at zero", False].over_v
    assert {event for event, _ in events} == {"as guaranteed", "fleet north at zero", "any homes at zero"}
    assert "AS/NZS 4777.2:2020, Australia A" in report.contingency_sentence()


def test_its_limits_break_the_guarantee_for_any_combination(plain, found):
    _, schedule, _ = found
    assert verify(plain, schedule, solver="reduced", effort=EVERY).over_v > 0.5


def test_homes_stand_between_the_declared_share_and_their_limit_under_any_sun(found):
    problem, schedule, _ = found
    formulation = formulate(problem)
    boxes = formulation.boxes(*verified_box(problem, schedule), limit_w=schedule.export_limit_w)
    full = boxes[0]
    noon_gen = np.minimum(problem.flex_gen_w[0], schedule.export_limit_w[:2].min(axis=0) + problem.base_load_w[0])
    assert np.allclose(full.lo_w[0], -problem.base_load_w[0] + 0.8 * noon_gen)
    # A car may draw all that its limit lets it, however much the roof feeds.
    assert (full.lo_w[2] <= -problem.base_load_w[2]).all()
    dark = boxes[-1]
    assert np.allclose(dark.hi_w[0], -problem.base_load_w[0])
    half = try_boxes(formulation, schedule, boxes[2:3], effort=EVERY)
    assert max(half.most) <= 0.0


def test_no_home_is_tried_beyond_what_its_limits_and_its_load_let_it_do_on_joint_paths(plain):
    moves = np.random.default_rng(5).uniform(-90.0, 90.0, (1, 3, 2, 24))
    load = plain.base_load_w[None, :, None] + moves
    problem = replace(plain, **BAND, scenarios=Scenarios(load, 0.2 * load, bands=True))
    schedule = calculate(problem)
    report = verify(problem, schedule, effort=replace(EVERY, contingencies=False))
    assert report.inside, report.sentence()
    assert report.by_corner["path"]["scenarios"] > 0
    lo, hi = verified_box(problem, schedule)
    for state in report.worst_states:
        net = state.injected_va.real
        # Homes in the band of their own base load, one of each phase at zero, are the most that there is below a box.
        assert (net <= hi[state.step] + 1.0).all()
        assert (net >= np.minimum(lo[state.step], -problem.load_hi_w[state.step]) - 1.0).all()


def test_it_is_off_unless_an_engineer_declares_it(plain):
    with pytest.raises(BadProblem, match="declared_share: goes with guarantee declared-band"):
        replace(plain, guarantee=Guarantee.DECLARED_BAND)
    with pytest.raises(BadProblem, match="declared_by: the engineer's name goes with declared_share"):
        replace(plain, guarantee=Guarantee.DECLARED_BAND, declared_share=0.8)
    with pytest.raises(BadProblem, match="declared_share: goes with guarantee declared-band"):
        replace(plain, declared_share=0.8, declared_by=NAME)
    with pytest.raises(BadProblem, match=r"declared_share: 1\.2 is outside 0..1"):
        replace(plain, **BAND | {"declared_share": 1.2})
    with pytest.raises(BadProblem, match="flex_split: declared-band limits need power of known phases"):
        replace(plain, **BAND, flex_split=("unknown",) * len(plain.connection_id))


def test_a_file_keeps_the_declaration_and_a_run_without_it_keeps_its_name(plain, fleets):
    problem = replace(plain, **BAND, fleets=fleets)
    arrays: dict[str, np.ndarray] = {}
    kept = {name: to_plain(getattr(problem, name), arrays, name) for name in ("guarantee", *BAND, "fleets")}
    found = replace(plain, **{name: from_plain(said, arrays) for name, said in kept.items()})
    assert (found.declared_share, found.declared_by, found.fleets) == (0.8, NAME, fleets)
    assert run_id(found) == run_id(problem) != run_id(plain)
    assert run_id(problem.for_any_combination()) == run_id(replace(plain, fleets=fleets))


async def test_a_round_takes_fleets_from_the_register_and_tries_each_at_zero(sqlite_url):
    problem = street(customers=3, steps=2, flex_gen_w=np.full((2, 3), 6e3), flex_load_w=np.zeros((2, 3)), **BAND)
    database = await open_database(sqlite_url)
    async with database.write() as db:
        north = await register_client(db, NewClient("north", "CD" * 20, "aggregator"), START - 60)
        own = await register_client(db, NewClient("own", "CE" * 20, "device"), START - 60)
        for k, (name, client) in enumerate(zip(problem.connection_id, (north, north, own), strict=True)):
            await add_connection(db, NewConnection(name), START - 60)
            await add_device(db, NewDevice("CE" * 20 if client == own else f"{k}B" * 20, client, name), START - 60)
    outcome = await Told(problem).cycle(database).run_once(START)
    assert outcome.failure == ""
    assert "fleet north at zero" in [one.event for one in outcome.report.contingencies]
    assert "fleet own" not in outcome.report.contingency_sentence()
    await database.close()
