"""Times as people type them, in the utility's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.typed_times import BadTime, DoubleTime, MissingTime, is_time, read

ADELAIDE = ZoneInfo("Australia/Adelaide")
NOW = int(datetime(2026, 1, 31, 14, 30, tzinfo=ADELAIDE).timestamp())
SPRING = int(datetime(2026, 10, 4, 1, 0, tzinfo=ADELAIDE).timestamp())
AUTUMN = int(datetime(2026, 4, 4, 20, 0, tzinfo=ADELAIDE).timestamp())


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("18:00", "2026-01-31T18:00+10:30"),
        ("14:30", "2026-01-31T14:30+10:30"),
        ("14:29", "2026-02-01T14:29+10:30"),
        ("6:05:30", "2026-02-01T06:05:30+10:30"),
        ("today 6:00", "2026-01-31T06:00+10:30"),
        ("tomorrow 6:30", "2026-02-01T06:30+10:30"),
        ("yesterday 23:59", "2026-01-30T23:59+10:30"),
        ("2026-07-01T12:00", "2026-07-01T12:00+09:30"),
        ("2026-07-01 12:00", "2026-07-01T12:00+09:30"),
        ("2026-07-01T12:00Z", "2026-07-01T12:00+00:00"),
        ("2026-07-01T12:00+02:00", "2026-07-01T12:00+02:00"),
    ],
)
def test_a_time_is_the_utilitys(text, means):
    assert is_time(text)
    assert read(text, NOW, ADELAIDE) == int(datetime.fromisoformat(means).timestamp())


def test_the_doubled_hour_is_refused_with_both_readings():
    with pytest.raises(DoubleTime, match=r"2026-04-05T02:30\+10:30 or 2026-04-05T02:30\+09:30"):
        read("2:30", AUTUMN, ADELAIDE)
    assert read("2026-04-05T02:30+09:30", AUTUMN, ADELAIDE) - read("2026-04-05T02:30+10:30", AUTUMN, ADELAIDE) == 3600


def test_the_hour_that_is_left_out_is_refused():
    with pytest.raises(MissingTime, match="02:30; the clocks go on at 03:30"):
        read("2:30", SPRING, ADELAIDE)


@pytest.mark.parametrize("text", ["", "later", "24:00", "18:60", "2026-13-01T00:00", "2026-01-31", "1800", "18.00"])
def test_what_is_no_time_is_refused(text):
    assert not is_time(text)
    with pytest.raises(BadTime):
        read(text, NOW, ADELAIDE)


@given(st.integers(0, 23), st.integers(0, 59), st.integers(1_700_000_000, 1_900_000_000))
def test_a_time_of_day_is_the_next_one(hour, minute, now):
    try:
        found = read(f"{hour}:{minute:02}", now, ADELAIDE)
    except (DoubleTime, MissingTime):
        return
    there = datetime.fromtimestamp(found, UTC).astimezone(ADELAIDE)
    assert (there.hour, there.minute) == (hour, minute)
    assert now - 60 < found <= now + 26 * 3600
