"""The ladder of notices of an override, and how its watts are spread: for every market, time and silence."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.market.curtailment import Curtailment, Excess, PlannedPower, lost_wh, spread
from sep2.rules.market.ladder import Ladder, NoticeClass, Step, is_late, next_step, notices, sent_again
from sep2.rules.market.profiles import read_profile

RULES = read_profile("pjm").override
START = 10_000_000


def test_what_is_planned_is_announced_at_each_lead_still_ahead_and_others_at_once():
    planned = notices(NoticeClass.PLANNED, 0, START, RULES)
    assert [START - one.at for one in planned] == [604_800, 86_400, 3600]
    assert {one.answer_by - one.at for one in planned} == {900}
    assert [START - one.at for one in notices(NoticeClass.PLANNED, START - 7200, START, RULES)] == [3600]
    assert notices(NoticeClass.FORECAST, START, START, RULES) == [(START, START + 300)]
    assert notices(NoticeClass.EMERGENCY, START, START, RULES) == [(START, START + 60)]


def climbed(ladder: Ladder, looks: list[int], rules=RULES) -> list[tuple[Step, int]]:
    """What a worker that looks at these times does of a notice that nobody answers."""
    done: list[tuple[Step, int]] = []
    for now in looks:
        wanted = next_step(ladder, rules)
        if now < wanted.at:
            continue
        done.append((wanted.step, now))
        if wanted.step is Step.PHONE:
            break
        ladder = sent_again(ladder, now)
    return done


def test_silence_is_answered_by_reminders_and_the_third_by_a_call():
    emergency = Ladder(START, 60)
    steps = climbed(emergency, list(range(START, START + 1000)))
    assert steps == [
        (Step.SEND, START),
        (Step.SEND, START + 60),
        (Step.SEND, START + 120),
        (Step.PHONE, START + 180),
    ]
    assert climbed(Ladder(START, 900), list(range(START, START + 2000)))[-1] == (Step.PHONE, START + 900 + 120)


@given(
    kind=st.sampled_from(NoticeClass),
    profile=st.sampled_from(["pjm", "nyiso", "caiso", "miso", "aemo", "custom"]),
    repeat_s=st.integers(0, 600),
    phone_after=st.integers(1, 6),
    lead=st.integers(0, 2_000_000),
    gaps=st.lists(st.integers(1, 5000), min_size=60, max_size=60),
)
def test_whenever_somebody_looks_nobody_is_asked_more_often_or_sooner_than_the_market_says(
    kind, profile, repeat_s, phone_after, lead, gaps
):
    rules = msgspec.structs.replace(read_profile(profile).override, repeat_s=repeat_s, phone_after=phone_after)
    issued = START - lead
    found = notices(kind, issued, START, rules)
    assert found
    assert all(one.at >= issued for one in found)
    assert [one.at for one in found] == sorted({one.at for one in found})
    for one in found:
        looks, now = [], one.at
        for gap in gaps:
            looks.append(now)
            now += gap
        steps = climbed(Ladder(one.at, one.answer_by - one.at), looks, rules)
        sends = [at for step, at in steps if step is Step.SEND]
        assert sends[0] == one.at
        assert len(sends) <= (phone_after if repeat_s else 1)
        waits = [other - one for one, other in pairwise(sends)]
        assert all(wait >= (repeat_s if n else one.answer_by - one.at) for n, wait in enumerate(waits))
        calls = [at for step, at in steps if step is Step.PHONE]
        assert len(calls) <= 1
        if calls:
            assert len(sends) == (phone_after if repeat_s else 1)


def test_an_answer_is_late_after_its_time_and_after_the_end():
    assert not is_late(100, 100, 200)
    assert is_late(101, 100, 200)
    assert not is_late(150, None, 200)
    assert is_late(200, None, 200)


@given(
    members=st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)), min_size=1, max_size=40),
    part=st.floats(0, 1.2),
)
def test_all_that_are_alike_get_the_same_part_and_no_contract_is_broken(members, part):
    reach, granted = [one for one, _ in members], [one for _, one in members]
    total = int(part * sum(reach))
    found = spread(total, reach, granted)
    floors = [min(one, floor) for one, floor in members]
    if isinstance(found, Excess):
        assert sum(floors) > total
        return
    assert sum(found.watts) <= max(total, 0)
    assert sum(found.watts) > min(total, sum(reach)) - len(members)
    assert all(watts >= min(floor, one) for watts, floor, one in zip(found.watts, floors, reach, strict=True))
    assert all(watts <= one for watts, one in zip(found.watts, reach, strict=True))
    free = [n for n in range(len(members)) if n not in found.kept]
    assert all(abs(found.watts[n] - reach[n] * found.fraction_ppm / 1e6) <= 1 + reach[n] / 1e6 for n in free)


def test_only_planned_energy_that_limits_allowed_before_is_lost():
    hour = 3600
    plans = [PlannedPower("D1", 0, hour, 900.0), PlannedPower("D2", 0, hour, -500.0)]
    before = [Curtailment("D1", 0, hour, 700, None), Curtailment("D2", 0, hour, None, None)]
    after = [Curtailment("D1", hour // 2, hour, 400, 100), Curtailment("D2", 0, hour, None, 400)]
    assert lost_wh(plans, before, after) == {"D1": 150, "D2": 100}
    assert lost_wh(plans, before, [Curtailment("D1", 0, hour, 800, None)]) == {}
