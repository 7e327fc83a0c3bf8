"""How often a client may ask."""

from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.pace import BURST_S, admit


@given(st.integers(1, 600), st.lists(st.integers(0, 90), max_size=200))
def test_never_more_than_two_minutes_worth_in_a_minute_and_always_as_many_as_promised(per_minute, pauses):
    """Whatever the pauses: what is refused may be made after the wait that was said, and no second before."""
    booked, now, admitted = 0.0, 1_800_000_000, []
    for pause in pauses:
        now += pause
        booked, wait_s = admit(booked, now, per_minute)
        if wait_s == 0:
            admitted.append(now)
        else:
            assert admit(booked, now + wait_s, per_minute)[1] == 0
            assert admit(booked, now + wait_s - 1, per_minute)[1] == 1
    for begin in set(admitted):
        assert sum(begin <= at < begin + BURST_S for at in admitted) <= 2 * per_minute


@given(st.integers(1, 600))
def test_a_minutes_worth_may_come_at_once(per_minute):
    booked, waits = 0.0, []
    for _ in range(per_minute + 1):
        booked, wait_s = admit(booked, 1000, per_minute)
        waits.append(wait_s)
    assert waits[:-1] == [0] * per_minute
    assert waits[-1] >= 1
