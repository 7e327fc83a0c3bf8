"""The times of readings in a set, and what no meter can mean."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.metering import BadTime, NoTime, Said, Span, check_span, numbered, spans

S = 1_800_000_000
NONE = -1


def said(*local_ids: int | None, span: Span | None = None) -> list[Said]:
    return [Said(span, local_id, NONE, NONE) for local_id in local_ids]


@pytest.mark.parametrize(
    ("why", "local_ids", "starts"),
    [
        ("in the order of the document", [None, None, None], [0, 300, 600]),
        ("fewer than the period has", [None, None], [0, 300]),
        ("numbered from 0, in another order", [2, 0, 1], [600, 0, 300]),
        ("numbered from 1", [1, 2, 3], [0, 300, 600]),
        ("numbered on from the set before", [17, 19, 18], [0, 600, 300]),
        ("one of the intervals is missing", [0, 2], [0, 600]),
        ("the first is missing", [1, 2], [300, 600]),
        ("one by itself", [1], [300]),
        ("one by itself that runs on", [40], [0]),
        ("complete, with numbers that leave gaps", [10, 30, 20], [0, 600, 300]),
    ],
)
def test_intervals_of_a_known_length(why, local_ids, starts):
    found = spans(Span(S, 900), 300, said(*local_ids))
    assert found == [Span(S + start, 300) for start in starts], why


@pytest.mark.parametrize(
    ("why", "period_s", "interval_s", "local_ids"),
    [
        ("four intervals in a period of three", 900, 300, [None] * 4),
        ("a number that the period has not", 900, 300, [0, 5]),
        ("numbers at some", 900, 300, [0, None]),
        ("a number twice", 900, 300, [1, 1]),
        ("no equal parts", 900, 0, [None] * 7),
        ("two values of one moment", 0, 300, [None, None]),
    ],
)
def test_times_that_can_not_be_known(why, period_s, interval_s, local_ids):
    with pytest.raises(NoTime):
        spans(Span(S, period_s), interval_s, said(*local_ids))


@pytest.mark.parametrize(
    ("period_s", "interval_s", "count", "durations"),
    [
        (900, 0, 2, [450, 450]),
        (900, 0, 1, [900]),
        (1000, 300, 4, [300, 300, 300, 100]),
        (300, 900, 1, [300]),
        (0, 300, 1, [0]),
    ],
)
def test_how_long_intervals_are(period_s, interval_s, count, durations):
    """The last one ends with the period; what is longer than the period covers it."""
    assert [span.duration for span in spans(Span(S, period_s), interval_s, said(*[None] * count))] == durations


def test_each_tier_covers_the_period_anew_and_said_times_count():
    own = Span(S + 7, 0)
    mixed = [Said(None, None, NONE, 1), Said(own, None, NONE, 1), Said(None, None, NONE, 2), Said(None, None, 3, NONE)]
    assert spans(Span(S, 600), 0, mixed) == [Span(S, 300), own, Span(S, 600), Span(S, 600)]


@given(
    st.integers(0, 10**5), st.integers(0, 1000), st.lists(st.none() | st.integers(0, 65535), min_size=1, max_size=40)
)
def test_intervals_never_overlap_and_lie_in_the_period(period_s, interval_s, local_ids):
    of_set = Span(S, period_s)
    try:
        found = spans(of_set, interval_s, said(*local_ids))
    except NoTime:
        return
    assert len(found) == len(local_ids)
    assert all(of_set.start <= span.start and span.end <= of_set.end for span in found)
    if period_s:
        laid = sorted(found)
        assert all(before.end <= after.start for before, after in pairwise(laid))
    numbers = [number for number in local_ids if number is not None]
    if numbers:
        assert [number for _, number in sorted(zip(found, local_ids, strict=True))] == sorted(numbers)


@given(st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 3)), unique=True, max_size=30))
def test_numbers_tell_readings_of_one_time_apart(readings):
    keys, local_ids = [key for key, _ in readings], [local_id for _, local_id in readings]
    numbers = numbered(keys, local_ids)
    assert len(set(zip(keys, numbers, strict=True))) == len(readings)
    assert all(number == local_id for number, local_id in zip(numbers, local_ids, strict=True) if local_id is not None)


def test_what_is_refused_is_named_with_its_bound():
    with pytest.raises(BadTime, match=r"timePeriod\.start: 1800000000000 is outside 946684800 .* milliseconds"):
        check_span("Reading.timePeriod", Span(S * 1000, 300), S)
    with pytest.raises(BadTime, match=r"timePeriod\.duration: 315576001 is outside 0 to 315576000"):
        check_span("Reading.timePeriod", Span(S, 315_576_001), S)
    check_span("Reading.timePeriod", Span(S + 86_400, 315_576_000), S)
