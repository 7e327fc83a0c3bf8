"""Means over buckets, against a slow reading that looks at every second."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.metering import ReadingSign
from sep2.rules.readings import Metered, apart, buckets, exact, factor, quantity_of

readings = st.lists(
    st.builds(Metered, st.integers(0, 60), st.integers(0, 30), st.integers(-9, 9).map(float)), max_size=6
)


@given(readings, st.sampled_from([7, 10, 25]))
def test_means_and_coverage_are_those_of_every_second(several, resolution_s):
    seconds: dict[int, float] = {}
    for one in sorted(several):
        for second in range(one.start, one.end):
            seconds.setdefault(second, one.value)
    for bucket in buckets(several, resolution_s):
        within = [seconds[at] for at in range(bucket.start, bucket.start + resolution_s) if at in seconds]
        assert bucket.covered_s == len(within)
        if within:
            assert abs(bucket.mean - sum(within) / len(within)) < 1e-9
            assert bucket.least <= bucket.mean <= bucket.most
    covered = {at // resolution_s for at in seconds}
    assert covered <= {bucket.start // resolution_s for bucket in buckets(several, resolution_s)}


@given(readings)
def test_no_second_is_counted_twice(several):
    parts = [one for one in apart(several) if one.duration]
    assert all(one.end <= other.start for one, other in pairwise(parts))


def test_units_signs_and_powers_of_ten():
    assert exact(2301, -1) == 230.1
    assert exact(-4, 3) == -4000.0
    assert quantity_of(999).name == "uom-999"
    assert factor(29, 19, ReadingSign.REVERSED) == 1, "a voltage has no direction"
    signs = [factor(38, flow, sign) for flow in (1, 19) for sign in (ReadingSign.AS_POSTED, ReadingSign.REVERSED)]
    assert signs == [1, -1, -1, 1]
