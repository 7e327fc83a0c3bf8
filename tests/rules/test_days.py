"""Local days, also of twenty-three and twenty-five hours, and the bits of their five minutes."""

from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.days import LocalTime, from_octets, mask, starts, to_octets

ADELAIDE = LocalTime("Australia/Adelaide")
APRIL_5 = 1_775_309_400
"""2026-04-05 00:00 +10:30: this day has twenty-five hours."""


def test_a_day_begins_at_local_midnight():
    for hours in (0, 2, 3, 4, 24):
        assert ADELAIDE.day_of(APRIL_5 + 3600 * hours) == APRIL_5
    assert ADELAIDE.day_of(APRIL_5 - 1) == APRIL_5 - 86_400
    assert ADELAIDE.day_of(APRIL_5 + 25 * 3600) == APRIL_5 + 25 * 3600
    assert ADELAIDE.name_of(APRIL_5) == "2026-04-05"
    assert ADELAIDE.month_of(APRIL_5) == "2026-04"
    east = LocalTime(offset_s=36_000)
    assert east.day_of(0) == -36_000
    assert east.name_of(-36_000) == "1970-01-01"


@given(st.integers(-3, 310), st.integers(0, 320))
def test_the_bits_of_a_time_are_those_of_its_five_minutes(first, count):
    bits = mask(APRIL_5, APRIL_5 + 300 * first, APRIL_5 + 300 * (first + count))
    expected = [APRIL_5 + 300 * n for n in range(first, first + count) if 0 <= n < 304]
    assert starts(bits, APRIL_5) == expected
    assert from_octets(to_octets(bits)) == bits


def test_the_last_hour_of_a_long_day_has_bits_of_its_own():
    assert mask(APRIL_5, APRIL_5 + 24 * 3600, APRIL_5 + 25 * 3600).bit_count() == 12
