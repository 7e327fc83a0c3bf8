"""What is issued so that a published sequence becomes another one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, merged, relaxes, to_issue

LOW, HIGH = Limits(import_w=1500), Limits(import_w=9000)


def sequences(first: int = 0):
    """Intervals one after another, with gaps, each with one of three limits."""
    step = st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(0, 2))

    def laid(steps):
        at, laid_out = first, []
        for gap, length, limit in steps:
            laid_out.append(Interval(at + gap, at + gap + length, Limits(import_w=limit)))
            at += gap + length
        return laid_out

    return st.lists(step, max_size=8).map(laid)


def at_each_second(intervals, *, start=0):
    return {s: i.limits for i in intervals for s in range(max(i.start, start), i.end)}


def test_a_top_up_issues_the_new_end_only():
    live = [Interval(0, 100, LOW)]
    assert to_issue(live, [Interval(50, 100, LOW), Interval(100, 110, LOW)], 50) == [Interval(100, 110, LOW)]


def test_a_change_inside_a_merged_control_replaces_it_to_its_end():
    live = [Interval(0, 100, LOW)]
    wanted = [Interval(20, 40, LOW), Interval(40, 60, HIGH), Interval(60, 100, LOW)]
    assert to_issue(live, wanted, 20) == wanted


def test_a_replaced_control_is_carried_to_its_end_where_nothing_is_wanted():
    live = [Interval(0, 100, LOW)]
    assert to_issue(live, [Interval(20, 40, HIGH)], 20) == [Interval(20, 40, HIGH), Interval(40, 100, LOW)]


def test_nothing_wanted_withdraws_nothing():
    assert to_issue([Interval(0, 100, LOW)], [], 20) == []


@pytest.mark.parametrize(
    ("why", "before", "after", "only_loosens"),
    [
        ("both looser", Limits(1, 1), Limits(2, 2), True),
        ("one looser, the other the same", Limits(1, 1), Limits(1, 2), True),
        ("one tighter", Limits(1, 3), Limits(9, 2), False),
        ("the same", Limits(1, 1), Limits(1, 1), False),
        ("a limit ends", Limits(1, 1), Limits(1, None), True),
        ("a limit begins", Limits(1, None), Limits(9, 5), False),
    ],
)
def test_what_relaxes_tightens_nothing(why, before, after, only_loosens):
    piece = Interval(10, 20, after)
    assert relaxes(piece, [piece, Interval(0, 10, before)]) is only_loosens
    assert not relaxes(piece, [Interval(0, 9, before)]), "nothing of it holds until then"


@given(live=sequences(), wanted=sequences(), now=st.integers(0, 20))
def test_what_is_issued_makes_the_wanted_hold(live, wanted, now):
    issued = to_issue(live, wanted, now)
    holds = at_each_second(live, start=now)
    replaced = [old for old in live if any(old.start < new.end and new.start < old.end for new in issued)]
    for old in replaced:
        for second in range(max(old.start, now), old.end):
            holds.pop(second, None)
    holds |= at_each_second(issued)
    for second, limits in at_each_second(wanted, start=now).items():
        assert holds[second] == limits
    for second in at_each_second(live, start=now):
        assert second in holds, "no second of a replaced control falls to the default"
    assert all(new.start >= now for new in issued)


@given(live=sequences(), now=st.integers(0, 20))
def test_what_stands_already_is_not_issued_again(live, now):
    assert to_issue(live, live, now) == []


@given(intervals=sequences())
def test_merging_changes_nothing_but_the_cuts(intervals):
    joined = merged(intervals)
    assert at_each_second(joined) == at_each_second(intervals)
    assert all(not (a.end == b.start and a.limits == b.limits) for a, b in pairwise(joined))
