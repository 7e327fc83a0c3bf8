"""Limits are judged as the worked example says, and as a slow second reading does for any history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.authority import Program, Said, course
from sep2.rules.limit_steps import Bounds, Step
from sep2.rules.obedience import (
    NEVER,
    Direction,
    Facts,
    Interval,
    Judged,
    Measured,
    Meter,
    State,
    Sums,
    adopted_from,
    judge,
    measured,
    steps,
    sums,
    wilson_lower,
)
from sep2.rules.readings import Metered

NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200


def at(minute: int, second: int = 0) -> int:
    return NOON + 60 * minute + second


EXPORT = [
    Step(at(-60), 5000, NEVER),
    Step(at(0), 1500, adopted_from(at(0), at(-1), 180, 60), control=7),
]
POSTED = [(0, 300, 3650), (5, 300, 2300), (10, 300, 1550), (15, 200, 1400), (20, 300, -400), (25, 300, 1720)]


def seen(posted) -> list[Interval]:
    """Exported power of five-minute intervals: the minute, the seconds covered, the mean."""
    meter = Meter(proven=True, readings=[Metered(at(minute), seconds, -watts) for minute, seconds, watts in posted])
    found = []
    for minute in range(0, 30, 5):
        one = measured([meter], at(minute), at(minute + 5))
        found.append(Interval(at(minute), 300, one._replace(watts=None if one.watts is None else -one.watts)))
    return found


def test_the_worked_example():
    assert EXPORT[1].adopted == at(3)
    assert Bounds(EXPORT).allowed_w(at(0), at(5)) == 3600
    judged = judge(EXPORT, seen(POSTED), 100)
    assert [one.state.value for one in judged] == ["ok", "late", "ok", "unknown", "ok", "breach"]
    total = sums(judged)
    assert (total.limited_s, total.ok_s, total.late_s, total.breach_s, total.unknown_s) == (1800, 900, 300, 300, 300)
    assert total.obedience == pytest.approx(0.6)
    assert total.coverage == pytest.approx(5 / 6)
    assert [round(one.breach_wh, 2) for one in judged] == [0, 66.67, 0, 0, 0, 18.33]
    assert total.breach_wh == pytest.approx(85.0)


def test_a_reading_that_comes_late_makes_the_unknown_interval_ok():
    completed = [one if one[0] != 15 else (15, 300, 1400) for one in POSTED]
    total = sums(judge(EXPORT, seen(completed), 100))
    assert total.obedience == pytest.approx(2 / 3)
    assert total.coverage == 1.0


def test_without_an_import_limit_nothing_is_to_be_kept():
    (one,) = judge([Step(at(0), None, NEVER)], [Interval(at(0), 300, Measured(9000.0, 300))], 100)
    assert (one.state, one.reason) == (State.EXEMPT, "no_limit")
    assert sums([one]) == Sums()


def control(start: int, end: int, watts: int, *, mrid: int, created: int | None = None) -> Said:
    return Said(mrid, start - 60 if created is None else created, start, end, {"opModExpLimW": watts})


def of(*controls: Said, default: int | None = 5000, facts=None, **more) -> list[Step]:
    said = {} if default is None else {"opModExpLimW": default}
    programs = [Program(1, 1, controls), Program(2, 5, default=said)]
    known = facts or {one.mrid: Facts(one.created + 180, one.start) for one in controls}
    return steps(course(programs, at(-60), at(120)), Direction.EXPORT, known, **more)


def test_steps_follow_what_is_in_force_and_when_it_must_be_known():
    found = of(control(at(0), at(60), 1500, mrid=7))
    assert [(one.start, one.watts, one.adopted, one.control) for one in found] == [
        (at(-60), 5000, at(-60), None),
        (at(0), 1500, at(2), 7),
        (at(60), 5000, at(60), None),
    ]


def test_a_client_is_given_time_to_learn_that_a_control_was_withdrawn():
    withdrawn = Facts(at(0), at(0), cancelled=at(30), tells_s=180)
    found = of(control(at(0), at(30), 3000, mrid=7), default=1500, facts={7: withdrawn})
    assert (found[-1].start, found[-1].watts, found[-1].adopted) == (at(30), 1500, at(33))


def test_a_device_ramps_by_its_control_or_else_by_the_gradient_of_its_default():
    by_control = of(control(at(0), at(60), 1500, mrid=7), facts={7: Facts(NEVER, at(0), ramp_s=60.0)})
    assert by_control[1].adopted == at(1)
    by_gradient = of(control(at(0), at(60), 1500, mrid=7), facts={7: Facts(NEVER, at(0))}, gradient_w_per_s=50.0)
    assert by_gradient[1].adopted == at(0, 70)


def test_a_share_of_the_rating_bounds_generation_and_the_tighter_of_both_counts():
    said = Said(7, at(-1), at(0), at(60), {"opModMaxLimW": 4000, "opModGenLimW": 3000})
    stretches = course([Program(1, 1, [said])], at(0), at(60))
    facts = {7: Facts(NEVER, at(0))}
    (rated,) = steps(stretches, Direction.GENERATION, facts, rating_w=5000)
    assert rated.watts == 2000
    (unrated,) = steps(stretches, Direction.GENERATION, facts)
    assert unrated.watts == 3000


@pytest.mark.parametrize(
    ("why", "interval", "state", "reason"),
    [
        ("unproven", Measured(None, 0, "unproven"), State.UNKNOWN, "unproven"),
        ("disputed", Measured(1.0, 300, "disputed"), State.UNKNOWN, "disputed"),
        ("nothing measured", Measured(None, 0), State.UNKNOWN, "unmeasured"),
    ],
)
def test_what_can_not_be_relied_on_is_never_ok(why, interval, state, reason):
    (one,) = judge([Step(at(0), 9000, NEVER)], [Interval(at(0), 300, interval)], 100)
    assert (one.state, one.reason) == (state, reason)
    assert sums([one]).obedience is None
    assert sums([one]).coverage == 0


def test_who_opted_out_counts_as_not_obeying_also_when_nothing_was_exceeded():
    quiet = Interval(at(0), 300, Measured(0.0, 300), opted_out=True)
    loud = Interval(at(5), 300, Measured(2500.0, 300), opted_out=True)
    found = judge([Step(at(0), 1500, NEVER)], [quiet, loud], 100)
    assert [one.state for one in found] == [State.OPTED_OUT] * 2
    assert sums(found).obedience == 0
    assert sums(found).breach_wh == pytest.approx(1000 / 12)


@pytest.mark.parametrize(
    ("values", "flaw"),
    [((1000.0, 1090.0), ""), ((1000.0, 1110.0), "disputed"), ((9000.0, 9400.0), ""), ((9000.0, 9500.0), "disputed")],
)
def test_two_meters_that_disagree_leave_an_interval_unknown(values, flaw):
    meters = [Meter(proven=True, readings=[Metered(0, 300, value)]) for value in values]
    assert measured(meters, 0, 300).flaw == flaw


def test_an_unproven_meter_beside_a_proven_one_says_nothing():
    meters = [Meter(proven=False, readings=[Metered(0, 300, 9.0)]), Meter(proven=True, readings=[Metered(0, 300, 5.0)])]
    assert measured(meters, 0, 300) == Measured(5.0, 300)
    assert measured(meters[:1], 0, 300).flaw == "unproven"
    assert measured([], 0, 300).flaw == "unmeasured"


def slow_bound(limits: list[Step], second: int) -> float:
    """The loosest of all limits that a client may hold at a second, by trying every one of them."""
    possible = []
    for n, step in enumerate(limits):
        begun = step.start <= second
        replaced = any(other.start <= second and other.adopted <= second for other in limits[n + 1 :])
        if begun and not replaced:
            possible.append(float("inf") if step.watts is None else step.watts)
    return max(possible)


@st.composite
def histories(draw) -> list[Step]:
    found, start = [Step(-100, draw(st.sampled_from([None, 10, 50])), NEVER)], 0
    for _ in range(draw(st.integers(0, 4))):
        start += draw(st.integers(1, 20))
        adopted = start + draw(st.integers(0, 30))
        found.append(Step(start, draw(st.sampled_from([None, 0, 10, 20, 50])), adopted))
    return found


@given(histories(), st.integers(0, 60), st.integers(1, 30))
def test_what_is_allowed_is_the_mean_of_what_bounds_every_second(limits, start, duration):
    seconds = [slow_bound(limits, second) for second in range(start, start + duration)]
    assert [Bounds(limits).at(start + n) for n in range(duration)] == [
        None if watts == float("inf") else watts for watts in seconds
    ]
    found = Bounds(limits).allowed_w(start, start + duration)
    if float("inf") in seconds:
        assert found is None
    else:
        assert found == pytest.approx(sum(seconds) / duration)


values = st.one_of(st.none(), st.sampled_from([0.0, 15.0, 30.0, 70.0]))


@given(histories(), st.lists(values, min_size=1, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_unknown_and_exempt_never_raise_obedience(limits, watts, opted):
    intervals = [
        Interval(10 * n, 10, Measured(value, 10 if value is not None else 0), opted_out=out)
        for n, (value, out) in enumerate(zip(watts, opted, strict=False))
    ]
    judged = judge(limits, intervals, 5.0)
    counted = [one for one in judged if one.state not in (State.UNKNOWN, State.EXEMPT)]
    assert sums(judged).obedience == sums(counted).obedience
    for one, interval in zip(judged, intervals, strict=True):
        if one.state is State.OK:
            assert interval.measured.watts is not None
            assert one.allowed_w is not None
            assert interval.measured.watts <= one.allowed_w + 5
        if one.state in (State.LATE, State.BREACH):
            assert one.breach_wh > 0
    total = sums(judged)
    assert total.limited_s == sum(one.duration_s for one in judged if one.state is not State.EXEMPT)


@given(st.lists(st.sampled_from(list(State)), max_size=20), st.integers(0, 20))
def test_sums_of_parts_are_the_sum_of_all(states, cut):
    several = [Judged(300 * n, 300, state, 1.0, 1.0, 300) for n, state in enumerate(states)]
    assert sums(several[:cut]).plus(sums(several[cut:])) == sums(several)


def test_few_intervals_prove_little():
    assert wilson_lower(0, 0) is None
    assert wilson_lower(10, 10) == pytest.approx(0.722, abs=0.001)
    assert wilson_lower(1000, 1000) == pytest.approx(0.996, abs=0.001)
    assert wilson_lower(0, 50) == pytest.approx(0.0, abs=1e-12)
