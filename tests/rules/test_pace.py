"""How often a client may ask."""

from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.pace import BURST_S, LONGEST_DELAY_S, admit


@given(st.integers(1, 600), st.lists(st.integers(0, 90), max_size=200))
def test_never_more_than_two_minutes_worth_in_a_minute_and_always_as_many_as_promised(per_minute, pauses):
    """Whatever the pauses: what is refused may be made at once after the wait that was said, and no sooner."""
    booked, now, answered = 0.0, 1_800_000_000, []
    for pause in pauses:
        now += pause
        admitted = admit(booked, now, per_minute)
        booked = admitted.booked
        assert admitted.delay_s <= LONGEST_DELAY_S
        if admitted.refused_s == 0:
            answered.append(now + admitted.delay_s)
        else:
            assert admit(booked, now + admitted.refused_s, per_minute)[1:] == (0.0, 0)
            sooner = admit(booked, now + admitted.refused_s - 1, per_minute)
            assert sooner.delay_s > 0 or sooner.refused_s > 0
    for begin in set(answered):
        assert sum(begin <= at < begin + BURST_S for at in answered) <= 2 * per_minute + 1


@given(st.integers(1, 600))
def test_a_minutes_worth_may_come_at_once(per_minute):
    booked, admitted = 0.0, []
    for _ in range(per_minute + 1):
        admitted.append(admit(booked, 1000, per_minute))
        booked = admitted[-1].booked
    assert all(one[1:] == (0.0, 0) for one in admitted[:-1])
    assert admitted[-1].delay_s > 0 or admitted[-1].refused_s > 0


def test_who_goes_on_is_held_a_little_longer_each_time_then_refused():
    booked, admitted = 0.0, []
    for _ in range(70):
        admitted.append(admit(booked, 1000, 60))
        booked = admitted[-1].booked
    assert [round(one.delay_s) for one in admitted[60:62]] == [1, 2]
    assert {one.refused_s for one in admitted[:62]} == {0}
    assert {one.refused_s for one in admitted[62:]} == {3}, "what is refused books nothing"
