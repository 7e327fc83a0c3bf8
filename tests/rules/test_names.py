"""What may be a name, and which names are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.names import LONGEST, free, key_of, misfit


@pytest.mark.parametrize(
    ("one", "other"),
    [("Sunny", "SUNNY"), ("Straße 7", "STRASSE 7"), ("Ｓｕｎｎｙ", "Sunny"), ("two  words", "Two words")],
)
def test_case_width_and_blanks_make_no_other_name(one, other):
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    "name", ["", "   ", "a\nb", "a\x1b[31m", "abc\u202egnp", "a\u200bb", "\u2066x", "x" * 81, " Sunny", "a\x9bb"]
)
def test_what_can_not_be_seen_or_is_too_long_is_no_name(name):
    assert misfit(name) is not None


@pytest.mark.parametrize("name", ["Sunny", "Żółw", "太陽光", "feeder 7/b", "x" * 80])
def test_what_people_write_is_a_name(name):
    assert misfit(name) is None


@given(st.text(min_size=1, max_size=LONGEST), st.integers(1, 5))
def test_a_free_name_is_not_taken_and_not_too_long(wanted, times):
    taken = set()
    for _ in range(times):
        found = free(wanted, taken)
        assert key_of(found) not in taken
        assert len(found) <= LONGEST
        taken.add(key_of(found))


def test_the_second_of_a_name_is_numbered():
    assert free("Sunny", {"sunny"}) == "Sunny (2)"
    assert free("Sunny (2)", {"sunny", "sunny (2)"}) == "Sunny (3)"
