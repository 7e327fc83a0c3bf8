"""Facts with two times: what is said last holds in its time, and everything else stays as it was."""

from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.market.facts import Fact, amended, ended

TIMES = st.integers(0, 30)
SPANS = st.tuples(TIMES, st.none() | st.integers(1, 20)).map(lambda one: (one[0], one[1] and one[0] + one[1]))


def at(facts: list[Fact], moment: int) -> list[int]:
    return [one.said["n"] for one in facts if one.start <= moment and (one.end is None or moment < one.end)]


def apply(facts: list[Fact], change) -> list[Fact]:
    gone = set(change.superseded)
    return [one for n, one in enumerate(facts) if n not in gone] + change.added


@given(st.lists(st.tuples(SPANS, st.booleans()), max_size=8))
def test_at_every_moment_holds_what_was_said_last_of_it(said):
    facts: list[Fact] = []
    for n, ((start, end), is_end) in enumerate(said):
        change = ended(facts, start, end) if is_end else amended(facts, Fact(start, end, {"n": n}))
        facts = apply(facts, change)
    for moment in range(60):
        last = [
            (n, is_end)
            for n, ((start, end), is_end) in enumerate(said)
            if start <= moment and (end is None or moment < end)
        ]
        wanted = [] if not last or last[-1][1] else [last[-1][0]]
        assert at(facts, moment) == wanted


def test_a_correction_in_the_middle_leaves_what_was_before_and_after():
    known = [Fact(0, None, {"n": 1})]
    change = amended(known, Fact(10, 20, {"n": 2}))
    assert change.superseded == [0]
    assert [(one.start, one.end, one.said["n"]) for one in change.added] == [(0, 10, 1), (20, None, 1), (10, 20, 2)]
