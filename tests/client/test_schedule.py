from random import Random

import pytest

from sep2.client.limits import Limits
from sep2.client.schedule import Control, Default, Program, Schedule
from sep2.wire import ResponseStatus as Answer

P, OTHER = 0xA0, 0xB0
EXPORT, IMPORT, PERCENT = "opModExpLimW", "opModImpLimW", "opModMaxLimW"
HOUR = Control(
    mrid=1,
    program=P,
    created=0,
    start=100,
    duration=100,
    modes={EXPORT: 5000},
    reply_to="/rsps/1/rsp",
    response_required=3,
)
LATER = HOUR._replace(mrid=2, created=5, modes={EXPORT: 2000})


def schedule(*controls: Control, now: int = 10, seed: int = 1, whole_defaults: bool = True) -> Schedule:
    made = Schedule(Random(seed), whole_defaults=whole_defaults)
    made.assign([Program(P, 5), Program(OTHER, 7)], now)
    made.take_default(P, Default(0xD, {EXPORT: 1500}))
    take(made, *controls, now=now)
    return made


def take(to: Schedule, *controls: Control, now: int) -> None:
    for program in (P, OTHER):
        to.take(program, [control for control in controls if control.program == program], now)


def answers(of: Schedule) -> list[tuple[int, int, int]]:
    return [(owed.control.mrid, int(owed.answer), owed.at) for owed in of.owed()]


def played(of: Schedule, until: int = 1000) -> list[tuple[int, int, int]]:
    """Every answer when the schedule is looked at as often as something happens."""
    while (at := of.next_change()) is not None and at <= until:
        of.advance(at)
    return answers(of)


def test_a_control_is_received_obeyed_and_completed():
    plan = schedule(HOUR)
    assert [plan.limits(at).export_limit_w for at in (10, 99)] == [1500, 1500]
    assert plan.next_change() == 100
    assert plan.limits(100).export_limit_w == 5000
    assert plan.limits(100).set_by(EXPORT) == 1
    assert plan.limits(199).export_limit_w == 5000
    assert plan.limits(200).export_limit_w == 1500
    assert plan.limits(200).set_by(EXPORT) == 0xD
    assert answers(plan) == [(1, 1, 10), (1, 2, 100), (1, 3, 200)]
    assert plan.next_change() is None


@pytest.mark.parametrize(
    ("why", "changes", "owed"),
    [
        ("started before it was received", {"start": 5}, [(1, 1, 10), (1, 2, 10), (1, 3, 105)]),
        ("over long before it was received", {"start": -40, "duration": 5}, [(1, 254, 10)]),
        ("over, and still listed for others", {"start": 5, "duration": 5}, []),
        ("lasts no time", {"duration": 0}, [(1, 253, 10)]),
        ("asks for nothing", {"modes": {}}, [(1, 253, 10)]),
        ("cancelled before it was received", {"status": 2}, [(1, 1, 10), (1, 6, 10)]),
        ("superseded before it was received", {"status": 4}, [(1, 1, 10), (1, 7, 10)]),
        ("cancelled and over", {"start": 5, "duration": 5, "status": 2}, []),
        ("only receipt is asked for", {"response_required": 1}, [(1, 1, 10)]),
        ("only what was done is asked for", {"response_required": 2}, [(1, 2, 100), (1, 3, 200)]),
        ("nothing is asked for", {"response_required": 0}, []),
        ("nowhere to answer to", {"reply_to": None}, []),
    ],
)
def test_answers_to_one_control(why, changes, owed):
    assert played(schedule(HOUR._replace(**changes))) == owed


@pytest.mark.parametrize(("own", "asked", "taken"), [(None, 4, True), (4, None, True), (6, 4, True), (8, 4, False)])
def test_a_control_for_other_categories_is_not_even_answered(own, asked, taken):
    plan = Schedule(Random(1), category=own)
    plan.assign([Program(P, 5)], 10)
    plan.take(P, [HOUR._replace(category=asked)], 10)
    assert bool(played(plan)) is taken


@pytest.mark.parametrize(
    ("why", "second", "exports", "owed"),
    [
        (
            "said later, same program: it takes over at its start and the first does not resume",
            LATER._replace(start=150, duration=20),
            {149: 5000, 150: 2000, 170: 1500, 190: 1500},
            [(1, 1, 10), (2, 1, 10), (1, 2, 100), (1, 7, 150), (2, 2, 150), (2, 3, 170)],
        ),
        (
            "said later, starts earlier: the first never begins",
            LATER._replace(start=50, duration=60),
            {60: 2000, 105: 2000, 110: 1500, 150: 1500},
            [(1, 1, 10), (2, 1, 10), (1, 7, 50), (2, 2, 50), (2, 3, 110)],
        ),
        (
            "said earlier, same program: it never begins",
            LATER._replace(created=-5, start=150),
            {150: 5000, 199: 5000, 200: 1500, 220: 1500},
            [(1, 1, 10), (2, 1, 10), (2, 7, 100), (1, 2, 100), (1, 3, 200)],
        ),
        (
            "said later by a program of lower priority: it never begins",
            LATER._replace(program=OTHER, start=150),
            {150: 5000, 200: 1500},
            [(1, 1, 10), (2, 1, 10), (2, 14, 100), (1, 2, 100), (1, 3, 200)],
        ),
        (
            "starts as the first ends: both are done in full",
            LATER._replace(start=200),
            {199: 5000, 200: 2000, 299: 2000, 300: 1500},
            [(1, 1, 10), (2, 1, 10), (1, 2, 100), (1, 3, 200), (2, 2, 200), (2, 3, 300)],
        ),
        (
            "asks for something else: both run",
            LATER._replace(start=150, modes={IMPORT: 7}),
            {150: 5000, 199: 5000, 200: 1500},
            [(1, 1, 10), (2, 1, 10), (1, 2, 100), (2, 2, 150), (1, 3, 200), (2, 3, 250)],
        ),
        (
            "asks for this and something else: it takes all there is",
            LATER._replace(start=150, modes={IMPORT: 7, EXPORT: 2000}),
            {150: 2000, 200: 2000, 250: 1500},
            [(1, 1, 10), (2, 1, 10), (1, 2, 100), (1, 7, 150), (2, 2, 150), (2, 3, 250)],
        ),
    ],
)
def test_two_controls(why, second, exports, owed):
    plan = schedule(HOUR, second)
    assert {at: schedule(HOUR, second).limits(at).export_limit_w for at in exports} == exports
    assert played(plan) == owed


def test_a_control_that_loses_one_of_two_modes_keeps_the_other_and_completes():
    plan = schedule(HOUR._replace(modes={EXPORT: 5000, IMPORT: 9000}), LATER._replace(start=150, duration=10))
    assert (plan.limits(150).export_limit_w, plan.limits(150).import_limit_w) == (2000, 9000)
    assert (plan.limits(160).export_limit_w, plan.limits(160).import_limit_w) == (1500, 9000)
    assert [owed[:2] for owed in played(plan)][-1] == (1, 3)


def test_what_was_superseded_stays_so_when_its_successor_is_cancelled():
    plan = schedule(HOUR, LATER._replace(start=150))
    plan.advance(150)
    take(plan, HOUR, LATER._replace(start=150, status=2), now=160)
    assert plan.limits(160).export_limit_w == 1500
    assert played(plan)[-2:] == [(2, 2, 150), (2, 6, 160)]


def test_a_successor_cancelled_before_its_start_supersedes_nothing():
    plan = schedule(HOUR, LATER._replace(start=150))
    take(plan, HOUR, LATER._replace(start=150, status=2), now=120)
    assert plan.limits(150).export_limit_w == 5000


def test_csip_aus_marks_a_scheduled_control_superseded_at_once_but_it_is_answered_when_its_successor_starts():
    plan = schedule(HOUR)
    marked = HOUR._replace(status=4)
    take(plan, marked, LATER._replace(start=90, duration=110), now=20)
    assert answers(plan) == [(1, 1, 10), (2, 1, 20)]
    assert played(plan) == [(1, 7, 90), (2, 2, 90), (2, 3, 200)]


def test_a_superseded_mark_without_a_known_successor_counts_at_once():
    plan = schedule(HOUR)
    plan.advance(100)
    take(plan, HOUR._replace(status=4), now=120)
    assert plan.limits(120).export_limit_w == 1500
    assert answers(plan)[-1] == (1, 7, 120)


def test_a_cancelled_status_seen_before_the_start_is_looked_at_first():
    plan = schedule(HOUR)
    assert plan.next_start() == 100
    take(plan, HOUR._replace(status=2), now=100)
    assert plan.limits(100).export_limit_w == 1500
    assert answers(plan) == [(1, 1, 10), (1, 6, 100)]


def test_cancelled_with_randomization_ends_within_the_wider_of_the_two_bounds():
    spread = HOUR._replace(randomize_start=-5, randomize_duration=20)
    ended = set()
    for seed in range(40):
        plan = schedule(spread, seed=seed)
        plan.advance(120)
        take(plan, spread._replace(status=3), now=130)
        [(_, answer, at)] = played(plan)[2:]
        assert answer == Answer.CANCELLED
        ended.add(at)
    assert min(ended) >= 130
    assert max(ended) <= 150
    assert len(ended) > 5


@pytest.mark.parametrize("bound", [-30, 30])
def test_a_start_is_drawn_once_on_one_side(bound):
    begins = set()
    for seed in range(60):
        plan = schedule(HOUR._replace(randomize_start=bound), seed=seed)
        take(plan, HOUR._replace(randomize_start=bound), now=20)
        begins.add(plan.bookings()[0].begins)
        assert plan.next_change() == plan.bookings()[0].begins
    assert min(begins) >= 100 + min(0, bound)
    assert max(begins) <= 100 + max(0, bound)
    assert len(begins) > 10


def test_a_start_in_the_past_is_not_drawn_and_keeps_its_end():
    plan = schedule(HOUR._replace(start=5, randomize_start=3600))
    assert plan.limits(10).export_limit_w == 5000
    assert plan.next_change() == 105


def test_back_to_back_controls_leave_no_gap_whatever_was_drawn():
    first = HOUR._replace(randomize_duration=-60)
    second = LATER._replace(start=200, randomize_start=40)
    for seed in range(20):
        plan = schedule(first, second, seed=seed)
        exports = {at: plan.limits(at).export_limit_w for at in range(100, 300)}
        handed_over = plan.bookings()[0].begins
        assert 200 <= handed_over <= 240
        assert set(exports.values()) == {5000, 2000}
        assert all(watts == (5000 if at < handed_over else 2000) for at, watts in exports.items())
        assert [owed[:2] for owed in answers(plan)] == [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)]


def test_leaving_the_list_is_a_cancellation_but_not_just_before_the_end():
    plan = schedule(HOUR)
    plan.advance(100)
    take(plan, now=150)
    assert answers(plan)[-1] == (1, 6, 150)
    plan = schedule(HOUR)
    plan.advance(100)
    take(plan, now=198)
    assert played(plan)[-1] == (1, 3, 200)


def test_a_program_left_takes_its_controls_and_its_default_along():
    plan = schedule(HOUR, LATER._replace(program=OTHER, modes={IMPORT: 3}))
    plan.advance(110)
    plan.assign([Program(OTHER, 7)], 120)
    assert plan.limits(120) == Limits({IMPORT: plan.limits(120).modes[IMPORT]})
    assert plan.limits(120).set_by(IMPORT) == 2
    assert answers(plan)[-1] == (1, 6, 120)


def test_a_control_that_first_asked_for_nothing_is_obeyed_once_it_asks_for_something():
    plan = schedule(HOUR._replace(modes={}))
    take(plan, HOUR, now=20)
    assert played(plan) == [(1, 253, 10), (1, 1, 20), (1, 2, 100), (1, 3, 200)]


def test_a_device_that_comes_back_to_a_program_obeys_it_again():
    plan = schedule(HOUR)
    plan.advance(100)
    plan.assign([Program(OTHER, 7)], 120)
    plan.assign([Program(P, 5)], 130)
    take(plan, HOUR, now=130)
    assert plan.limits(130).export_limit_w == 5000
    assert answers(plan)[2:] == [(1, 6, 120), (1, 1, 130), (1, 2, 130)]


def test_what_vanished_and_came_back_is_obeyed_again():
    plan = schedule(HOUR)
    plan.advance(100)
    take(plan, now=120)
    take(plan, HOUR, now=130)
    assert plan.limits(130).export_limit_w == 5000
    assert answers(plan)[2:] == [(1, 6, 120), (1, 1, 130), (1, 2, 130)]


def test_a_program_raised_above_the_other_takes_over_at_once():
    plan = schedule(HOUR, LATER._replace(program=OTHER, start=110, modes={EXPORT: 9, IMPORT: 3}))
    plan.advance(115)
    assert plan.limits(115).export_limit_w == 5000
    plan.assign([Program(P, 5), Program(OTHER, 1)], 120)
    # What it lost stays lost; the one that runs keeps what it has.
    assert (plan.limits(120).export_limit_w, plan.limits(120).import_limit_w) == (5000, 3)


def test_defaults_fall_back_mode_by_mode():
    plan = schedule(whole_defaults=False)
    plan.take_default(OTHER, Default(0xE, {EXPORT: 9000, IMPORT: 4000}))
    limits = plan.limits(10)
    assert (limits.export_limit_w, limits.import_limit_w) == (1500, 4000)
    assert (limits.set_by(EXPORT), limits.set_by(IMPORT)) == (0xD, 0xE)


def test_the_first_programs_default_is_taken_as_a_whole():
    """As clients are known to do; servers say in it what other programs add."""
    plan = schedule()
    plan.take_default(OTHER, Default(0xE, {EXPORT: 9000, IMPORT: 4000}))
    limits = plan.limits(10)
    assert (limits.export_limit_w, limits.import_limit_w) == (1500, None)


def test_loss_of_communication_completes_what_is_held_then_falls_to_the_default():
    plan = schedule(HOUR, LATER._replace(start=200))
    assert [plan.limits(at).export_limit_w for at in (100, 200, 300, 10_000)] == [5000, 2000, 1500, 1500]


def test_a_control_that_passed_while_nobody_looked_is_not_called_obeyed():
    plan = schedule(HOUR)
    plan.advance(500)
    assert answers(plan) == [(1, 1, 10), (1, 10, 500)]


def test_a_control_that_is_over_is_not_taken_again_while_it_is_listed():
    plan = schedule(HOUR)
    plan.advance(100)
    take(plan, HOUR._replace(status=2), now=110)
    answers(plan)
    take(plan, HOUR._replace(status=2), now=400)
    assert answers(plan) == []
    take(plan, now=401)
    take(plan, HOUR._replace(status=2), now=402)
    assert answers(plan) == []


@pytest.mark.parametrize(
    ("modes", "gen"),
    [
        ({"opModGenLimW": 3000}, 3000),
        ({PERCENT: 5000}, 4000),
        ({"opModGenLimW": 5000, PERCENT: 2500}, 2000),
        ({}, None),
    ],
)
def test_generation_is_bound_by_the_tighter_of_watts_and_percent(modes, gen):
    plan = schedule(HOUR._replace(modes=modes | {IMPORT: 1}))
    assert plan.limits(100, set_max_w=8000).gen_limit_w == gen


def test_to_energize_needs_both_modes():
    assert schedule(HOUR).limits(100).may_energize
    assert not schedule(HOUR._replace(modes={"opModEnergize": False})).limits(100).may_energize
    assert not schedule(HOUR._replace(modes={"opModConnect": False, "opModEnergize": True})).limits(100).may_energize
